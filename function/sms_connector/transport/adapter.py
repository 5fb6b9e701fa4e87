"""The adapter of the `requests` session, which keeps connections."""

from __future__ import annotations

import io
import threading
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any, cast

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter

from sms_connector.errors import ErrorKind
from sms_connector.ports import Clock, SecretSource

from .connection import Connection, Dialer, frame, parse_destination
from .http import HttpRequest, WireError, Written
from .outgoing import Resolver
from .proxy_auth import ProxyAuthenticator
from .settings import TransportSettings

# Framing and addressing belong to the transport: a second value could end the message elsewhere.
_OURS = frozenset(("Host", "Content-Length", "Transfer-Encoding", "Connection", "Proxy-Authorization"))


class Exchange(PreparedRequest):
    """A request prepared by hand: `Session.request` would read environment and netrc and rewrite the URL, at twice the
    CPU. `target` is what its first line names."""

    headers: dict[str, str]  # type: ignore[assignment]  # plain, for the same reason
    body: bytes

    def __init__(self, request: HttpRequest, user_agent: str, deadline: float, written: Written | None) -> None:
        super().__init__()
        self.method, self.url, self.body = request.method, request.url, request.body or b""
        self.destination, self.deadline, self.written = parse_destination(request.url), deadline, written
        query = f"?{self.destination.query}" if self.destination.query else ""
        self.target = f"{self.destination.path or '/'}{query}"
        self.headers = {"Host": self.destination.netloc}
        own = {} if request.authorization is None else {"Authorization": request.authorization}
        ours = _OURS.union(own)
        self.headers |= {name: value for name, value in request.headers.items() if name.title() not in ours} | own
        text = "".join((*self.headers, *self.headers.values()))
        if not (text.isascii() and text.isprintable()):  # nothing in it can begin a header or a request of its own
            what = "a header holds what is not printable ASCII"
            raise WireError(what, written=False, kind=ErrorKind.INVALID_REQUEST, again=False)
        given = {name.title() for name in self.headers}
        defaults = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self.headers |= {name: value for name, value in defaults.items() if name not in given}
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            self.headers["Content-Length"] = str(len(self.body))


class Reply(Response):
    """An answer whose body has been read; `broken` is what ended it early. Header names are lower-case."""

    headers: dict[str, str]  # type: ignore[assignment]  # plain: only `HttpResponse` reads it
    broken: WireError | None = None
    is_redirect = False  # redirects are not followed, nor prepared for


class Adapter(BaseAdapter):
    """Idle connections by destination, for any number of threads; the one idle longest is used first."""

    def __init__(self, settings: TransportSettings, clock: Clock, *, secrets: SecretSource, resolve: Resolver) -> None:
        super().__init__()
        self._settings, self._monotonic = settings, clock.monotonic
        self._authenticator = ProxyAuthenticator(settings.proxy, secrets)
        self._connect = Dialer(settings, clock, self._authenticator, resolve).connect
        self._lock = threading.Lock()
        self._idle: OrderedDict[tuple[str, str], deque[Connection]] = OrderedDict()  # the one used last comes last

    def send(self, request: Exchange, *_: Any, **__: Any) -> Reply:  # type: ignore[override]  # no others
        """Return the answer. Raises WireError where no status line and headers came."""
        destination, proxy = request.destination, self._settings.proxy
        if proxy is None or not proxy.forwards(destination.scheme):
            return self._exchange(request)
        # The form that a forwarding proxy wants (RFC 9112, 3.2.2). Its 407 passed nothing on, so asking again is safe.
        request.target = f"{destination.scheme}://{destination.netloc}{request.target}"

        def ask(authorization: str | None) -> tuple[Reply, str | None]:
            if authorization is not None:
                request.headers["Proxy-Authorization"] = authorization
            reply = self._exchange(request)
            return reply, reply.headers.get("proxy-authenticate", "") if reply.status_code == 407 else None

        return self._authenticator.exchange(str(request.method), request.target, ask)

    def _exchange(self, request: Exchange) -> Reply:
        method, key = str(request.method), (request.destination.scheme, request.destination.netloc)
        message = frame(f"{method} {request.target} HTTP/1.1", request.headers, request.body)
        connection = self._take(key) or self._connect(request.destination)
        connection.deadline = request.deadline
        try:
            reply = self._read(connection.exchange(message, method, request.written))
        except BaseException as error:
            connection.close()
            if isinstance(error, WireError) and error.at_once:
                with self._lock:  # those that were kept beside a dead one are dead too
                    _close(self._idle.pop(key, ()))
            if isinstance(error, HTTPException):
                raise WireError("the answer is not readable as HTTP", written=True) from None
            raise
        self._put(connection, key, reusable=reply.broken is None and connection.is_reusable())
        return reply

    def close(self) -> None:
        with self._lock:
            while self._idle:
                _close(self._idle.popitem()[1])

    def _read(self, answer: HTTPResponse) -> Reply:
        reply, body = Reply(), b""
        with answer:
            try:
                body = answer.read()
            except WireError as failure:
                reply.broken = failure
            except IncompleteRead as error:
                body = error.partial
                reply.broken = WireError("the answer ended before it was whole", written=True)
        headers: dict[str, str] = {}
        for given, value in answer.getheaders():
            name = given.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        # Some servers compress their answer unasked. 32: zlib finds out which of the two formats it is.
        if body and headers.get("content-encoding", "").lower() in ("gzip", "x-gzip", "deflate"):
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
            with suppress(zlib.error):
                body = inflater.decompress(body, self._settings.max_response_bytes)
            if not inflater.eof:
                what = "the answer's compressed body is broken or too large"
                reply.broken, body = WireError(what, written=True, again=False), b""
        reply.status_code, reply.headers, reply.raw = answer.status, headers, io.BytesIO(body)
        return reply

    def _take(self, key: tuple[str, str]) -> Connection | None:
        """Return a connection that looks alive; None where a new one is needed."""
        with self._lock:
            now, idle = self._monotonic(), self._idle.get(key)
            for each in self._idle.values():
                while each and now - each[0].idle_since > self._settings.max_idle:
                    each.popleft().close()
            # The first has rested longest: where it has to rest, all have to.
            while idle and now - idle[0].idle_since >= self._settings.rest:
                connection = idle.popleft()
                if connection.is_alive():
                    return connection
                connection.close()
            return None

    def _put(self, connection: Connection, key: tuple[str, str], *, reusable: bool) -> None:
        """Keep a connection for the next exchange; close one that can carry none, or is one too many."""
        with self._lock:
            idle = self._idle.setdefault(key, deque())
            self._idle.move_to_end(key)
            if reusable and len(idle) < self._settings.pool_size:
                connection.idle_since = self._monotonic()
                idle.append(connection)
            else:
                connection.close()
            if len(self._idle) > self._settings.max_pools:
                _close(self._idle.popitem(last=False)[1])


def _close(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.close()


class CallSession(Session):
    """A session whose calls go by the adapter, whatever the environment says."""

    def __init__(self, adapter: Adapter, user_agent: str) -> None:
        super().__init__()
        self.trust_env, self._user_agent = False, user_agent
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def exchange(self, request: HttpRequest, deadline: float, written: Written | None) -> Reply:
        exchange = Exchange(request, self._user_agent, deadline, written)
        return cast(Reply, self.send(exchange, stream=True, allow_redirects=False, proxies={}))
