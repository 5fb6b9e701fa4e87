"""`HttpTransport`: one per node, for all its threads.

Why it stands on sockets and llhttp, and not on an HTTP client: docs/decisions/0002-transport.md.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from msgspec.structs import replace

from sms_connector.errors import NotSent, OutcomeUnknown, RequestError
from sms_connector.ports import Clock, SecretSource

from .dial import Dialer, Resolver, challenges_of, resolve_by_system
from .failures import Failure, WireError, failed_by_status, failed_on_the_wire
from .http import Gate, HttpRequest, HttpResponse, Lane, Word, Written
from .message import decode_body, read_headers, write_message
from .pool import Pool
from .proxy_auth import make_authenticator
from .retry import (
    Attempted,
    RetryBudget,
    RetryPolicy,
    full_jitter,
    stop_after,
    stop_any,
    stop_when_hopeless,
    stop_when_unsafe,
    wait_first,
    wait_for_retry_after,
    wait_not_when_stale,
)
from .route import Target, find_route, parse_target
from .settings import ProxyAuth, TransportSettings
from .wire import Reply, Wire


class HttpTransport:
    """`http.Transport` over pooled connections. No error of it holds a secret, a body or a whole number."""

    def __init__(
        self,
        settings: TransportSettings,
        *,
        clock: Clock,
        gate: Gate,
        secrets: SecretSource,
        uniform: Callable[[], float] = random.random,
        resolve: Resolver = resolve_by_system,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._gate = gate
        self._policy = make_policy(settings, uniform)
        self._authenticator = make_authenticator(settings.proxy.auth if settings.proxy else ProxyAuth.NONE, secrets)
        self._dialer = Dialer(settings, clock=clock, authenticator=self._authenticator, resolve=resolve)
        self._pools: dict[tuple[str, str], Pool] = {}  # the one used last comes last
        self._pools_lock = threading.Lock()
        self._swept_at = clock.monotonic()

    def send(self, request: HttpRequest) -> HttpResponse:
        """See `http.Transport.send`."""
        written = self._gate(request.lane)
        self._policy.call_begins()
        before: list[Failure] = []
        try:
            return self._send(request, before, written=written)
        except (NotSent, RequestError) as error:
            if request.lane is Lane.SEND and any(failure.perhaps_taken for failure in before):
                # Harmless to send again, and not sent again: an earlier attempt may have sent it all the same.
                raise OutcomeUnknown(f"{error}; an attempt before it may have been taken") from error
            raise

    def _send(self, request: HttpRequest, before: list[Failure], *, written: Written | None) -> HttpResponse:
        """Attempts until there is an answer or no hope; the failed ones are left in `before`."""
        settings, clock = self._settings, self._clock
        own_time = settings.connect_timeout + settings.read_timeout
        deadline = clock.monotonic() + settings.total_timeout
        while True:
            # However long the gate took, an attempt has its own time-outs to end, and no longer: leases count on it.
            outcome = self._attempt(request, clock.monotonic() + own_time, written=written)
            if isinstance(outcome, HttpResponse):
                return outcome
            before.append(outcome)
            remaining = deadline - own_time - clock.monotonic()
            pause = self._policy.pause(Attempted(len(before), outcome, remaining))
            if pause is None and outcome.answer is not None:
                return outcome.answer
            if pause is None:
                raise outcome.error
            if pause > 0.0:
                clock.sleep(pause)
            written = self._gate(request.lane)
            if request.before_repeating is not None:
                request.before_repeating()

    def close(self) -> None:
        """Close the connections at rest. The transport can still be used; it opens new ones."""
        with self._pools_lock:
            for pool in self._pools.values():
                pool.clear()

    def _attempt(self, request: HttpRequest, deadline: float, *, written: Written | None) -> HttpResponse | Failure:
        try:
            target = parse_target(request.url)
            reply = self._exchange(request, target, deadline=deadline, written=written)
            headers = read_headers(reply)
            failure = failed_by_status(reply.status, headers, request=request, now=self._clock.time())
            if failure is not None:
                return self._raise_provider_error(request, reply, headers, failure)
            # Only a 2xx says by its body what was done.
            if reply.problem_text is not None and reply.status < 300:
                raise reply.problem_text
            body = decode_body(reply, headers, limit=self._settings.max_response_bytes)
            return HttpResponse(reply.status, headers, body)
        except WireError as failure:
            return failed_on_the_wire(failure, request)

    def _raise_provider_error(
        self, request: HttpRequest, reply: Reply, headers: dict[str, str], failure: Failure
    ) -> HttpResponse | Failure:
        """Return the answer where it is the provider's own refusal; the status decides where no body can be read."""
        if request.read_provider_error is None or reply.problem_text is not None:
            return failure
        try:
            body = decode_body(reply, headers, limit=self._settings.max_response_bytes)
        except WireError:
            return failure
        answer = HttpResponse(reply.status, headers, body)
        word = request.read_provider_error(answer)
        if word is Word.FINAL:
            return answer
        return failure if word is None else replace(failure, answer=answer)

    def _exchange(self, request: HttpRequest, target: Target, *, deadline: float, written: Written | None) -> Reply:
        pool = self._find_pool(target)
        if pool.route.forwarded:
            return self._exchange_forwarded(request, target, pool, deadline=deadline, written=written)
        message = write_message(request, target.path, target.authority, user_agent=self._settings.user_agent)
        return _exchange_once(pool, message, method=request.method, deadline=deadline, written=written)

    def _exchange_forwarded(
        self, request: HttpRequest, target: Target, pool: Pool, *, deadline: float, written: Written | None
    ) -> Reply:
        """Through a proxy that reads the request. Its 407 means that it passed nothing on, so asking again is safe."""
        handshake = self._authenticator.begin()
        url, agent = target.absolute, self._settings.user_agent
        while True:
            authorization = handshake.header(request.method, url)
            message = write_message(request, url, target.authority, user_agent=agent, proxy_authorization=authorization)
            reply = _exchange_once(pool, message, method=request.method, deadline=deadline, written=written)
            if reply.status != 407:
                handshake.settle()
                return reply
            handshake.answer(challenges_of(reply))

    def _find_pool(self, target: Target) -> Pool:
        """Return the destination's pool. Close what is stale elsewhere, and the pools used longest ago beyond `max_pools`."""
        with self._pools_lock:
            pool = self._pools.pop(target.key, None) or self._make_pool(target)
            self._pools[target.key] = pool
            if len(self._pools) > self._settings.max_pools:
                self._pools.pop(next(iter(self._pools))).clear()
            now = self._clock.monotonic()
            if now - self._swept_at > self._settings.max_idle:
                self._swept_at = now
                for each in self._pools.values():
                    each.close_stale()
        return pool

    def _make_pool(self, target: Target) -> Pool:
        route = find_route(target.key, self._settings.proxy)
        return Pool(route, self._dialer, clock=self._clock, settings=self._settings)


def make_policy(settings: TransportSettings, uniform: Callable[[], float]) -> RetryPolicy:
    """The one retry policy of the node."""
    jitter = full_jitter(settings.backoff_base, cap=settings.backoff_cap, random=uniform)
    return RetryPolicy(
        stop=stop_any(stop_when_unsafe, stop_when_hopeless, stop_after(settings.attempts)),
        wait=wait_first(wait_not_when_stale, wait_for_retry_after(jitter), jitter),
        budget=RetryBudget(ratio=settings.retry_ratio, reserve=settings.retry_reserve),
    )


def _exchange_once(pool: Pool, message: bytes, *, method: str, deadline: float, written: Written | None) -> Reply:
    wire: Wire = pool.take()
    try:
        reply = wire.exchange(message, method=method, deadline=deadline, written=written)
    except WireError as failure:
        wire.close()
        if failure.at_once:
            pool.clear()
        raise
    except BaseException:
        wire.close()
        raise
    if reply.reusable:
        pool.give_back(wire)
    else:
        wire.close()
    return reply
