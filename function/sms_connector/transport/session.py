"""`HttpTransport`: a `requests` session, one per node, for all its threads. Why it is as it is: docs/decisions/0002-transport.md."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

import requests
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, RequestError
from sms_connector.model.message import BeforeAttempt
from sms_connector.ports import Clock, SecretSource

from .adapter import Adapter, Exchange, Reply
from .connection import Destination, parse_destination
from .dial import Dialer, Resolver, resolve_by_system
from .failures import Failure, RetryPolicy, WireError, failed_by_status, failed_on_the_wire
from .http import Gate, HttpRequest, HttpResponse, Lane, Word, Written
from .proxy_auth import ProxyAuthenticator
from .settings import TransportSettings

# Framing and addressing belong to the transport; a provider's package that set them too would break the message in two.
_OURS = frozenset(("host", "content-length", "transfer-encoding", "connection", "proxy-authorization"))


def _no_gate(_lane: Lane, before_attempt: BeforeAttempt | None = None, /) -> None:
    if before_attempt is not None:
        before_attempt()


class HttpTransport:
    """`http.Transport` over kept connections. No error of it holds a secret, a body or a whole number."""

    def __init__(
        self,
        settings: TransportSettings,
        *,
        clock: Clock,
        secrets: SecretSource,
        gate: Gate = _no_gate,
        uniform: Callable[[], float] = random.random,
        resolve: Resolver = resolve_by_system,
    ) -> None:
        self._settings, self._clock, self._gate = settings, clock, gate
        self._policy = RetryPolicy(settings, uniform)
        self._authenticator = ProxyAuthenticator(settings.proxy, secrets)
        dialer = Dialer(settings, clock, self._authenticator, resolve)
        self._session = _Session(Adapter(settings, clock, dialer.make_connection))

    def send(self, request: HttpRequest) -> HttpResponse:
        """See `http.Transport.send`."""
        written = self._gate(request.lane, request.before_attempt)
        self._policy.begin_call()
        before: list[Failure] = []
        try:
            return self._send(request, before, written)
        except (NotSent, RequestError) as error:
            if request.lane is Lane.SEND and any(failure.perhaps_taken for failure in before):
                # Harmless to send again, and not sent again: an earlier attempt may have sent it all the same.
                raise OutcomeUnknown(f"{error}; an attempt before it may have been taken") from error
            raise

    def close(self) -> None:
        """Close the connections at rest. The transport can still be used; it opens new ones."""
        self._session.close()

    def _send(self, request: HttpRequest, before: list[Failure], written: Written | None) -> HttpResponse:
        """Attempt until there is an answer or no hope; leave the failed attempts in `before`."""
        own_time = self._settings.connect_timeout + self._settings.read_timeout
        last_start = self._clock.monotonic() + self._settings.total_timeout - own_time
        while True:
            # However long the gate took, an attempt has its own time-outs to end, and no longer: leases count on it.
            outcome = self._attempt(request, self._clock.monotonic() + own_time, written)
            if isinstance(outcome, HttpResponse):
                return outcome
            before.append(outcome)
            pause = self._policy.pause(len(before), outcome, last_start - self._clock.monotonic())
            if pause is None and outcome.answer is not None:
                return outcome.answer
            if pause is None:
                raise outcome.error
            if pause > 0.0:
                self._clock.sleep(pause)
            written = self._gate(request.lane, request.before_attempt)

    def _attempt(self, request: HttpRequest, deadline: float, written: Written | None) -> HttpResponse | Failure:
        try:
            reply = self._exchange(request, deadline, written)
            response, broken = HttpResponse(reply.status_code, reply.headers, reply.content), reply.broken
            failure = failed_by_status(response.status, response.headers, request=request, now=self._clock.time())
            if failure is not None:
                word = request.read_provider_error and not broken and request.read_provider_error(response)
                if word is Word.FINAL:
                    return response
                return replace(failure, answer=response) if word else failure
            if broken is not None and response.status < 300:  # only a 2xx says by its body what was done
                raise broken
            return response
        except WireError as failure:
            return failed_on_the_wire(failure, request)

    def _exchange(self, request: HttpRequest, deadline: float, written: Written | None) -> Reply:
        """A forwarding proxy's 407 passed nothing on, so asking again is safe."""
        destination, proxy = parse_destination(request.url), self._settings.proxy
        exchange = Exchange(request, destination, deadline, written)
        exchange.headers = self._headers(request, destination)
        if proxy is None or not proxy.forwards(destination.scheme):
            return self._session.exchange(exchange)
        # The form that a forwarding proxy wants (RFC 9112, 3.2.2).
        exchange.target = f"{destination.scheme}://{destination.authority}{destination.path}"

        def ask(authorization: str | None) -> tuple[Reply, str | None]:
            if authorization is not None:
                exchange.headers["Proxy-Authorization"] = authorization
            reply = self._session.exchange(exchange)
            return reply, reply.headers.get("proxy-authenticate", "") if reply.status_code == 407 else None

        return self._authenticator.exchange(request.method, exchange.target, ask)

    def _headers(self, request: HttpRequest, destination: Destination) -> dict[str, str]:
        headers = {"Host": destination.authority}
        headers |= {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        if request.authorization is not None:
            headers["Authorization"] = request.authorization
        text = "".join((*headers, *headers.values()))
        if not (text.isascii() and text.isprintable()):  # nothing in it can begin a header or a request of its own
            what = "a header holds what is not printable ASCII"
            raise WireError(what, written=False, kind=ErrorKind.INVALID_REQUEST, again=False)
        given = {name.lower() for name in headers}
        if "user-agent" not in given:
            headers["User-Agent"] = self._settings.user_agent
        if "accept-encoding" not in given:
            headers["Accept-Encoding"] = "identity"
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(request.body or b""))
        return headers


class _Session(requests.Session):
    """Without what `requests` does for browsers: environment and redirects. (Cookies need urllib3's answer.)"""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self.trust_env = False
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def exchange(self, exchange: Exchange) -> Reply:
        reply = self.send(exchange, stream=True, allow_redirects=False, proxies={})
        return cast(Reply, reply)

    def get_redirect_target(self, _resp: requests.Response) -> None:
        return None
