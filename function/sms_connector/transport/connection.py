"""Connections: opened within one connect timeout; each records whether a request began to leave, and reads within bounds.

`http.client`, which `requests` stands on, parses the answer. Decided here are whether a byte of the request may have left, whether
the answer is whole, and whether the connection may be used again. A failure to open one comes before the request is written.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from email.errors import MissingHeaderBodySeparatorDefect
from functools import cached_property
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import certifi
import msgspec
from urllib3.util.ssltransport import SSLTransport
from urllib3.util.wait import wait_for_read

from sms_connector.errors import ErrorKind
from sms_connector.ports import Clock

from .failures import WireError, describe
from .http import Written
from .outgoing import Resolved, Resolver
from .proxy_auth import ProxyAuthenticator
from .settings import ProxySettings, ProxySsl, TransportSettings, unsafe_route

Socket = socket.socket | SSLTransport
# One TLS record: a write that fails before this much went out can't have delivered a request, not even a part of one.
_RECORD = 16 * 1024
_PORTS = {"http": 80, "https": 443}


class Destination(msgspec.Struct, frozen=True):
    """`authority` is the Host header, `path` has the query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str


def parse_destination(url: str) -> Destination:
    """Raise WireError where the URL can't be put on the wire as it is. The message never repeats the URL."""
    # urlsplit drops tabs and line ends silently, so the whole is checked first.
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise _unusable("percent-encode what is not printable ASCII in its path, and write its host in punycode")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.netloc:
        raise _unusable("it has to begin with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise _unusable("leave user and password out of it: credentials are secrets")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with suppress(ValueError):
        if parts.hostname:
            port = parts.port or _PORTS[parts.scheme]
            return Destination(parts.scheme, parts.hostname, port, parts.netloc, path)
    raise _unusable("its host and port can't be read")


def _unusable(fix: str) -> WireError:
    return WireError(f"the URL can't be used: {fix}", written=False, kind=ErrorKind.INVALID_REQUEST, again=False)


def frame(first_line: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request, whose headers have been checked."""
    lines = (first_line, *(f"{name}: {value}" for name, value in headers.items()), "", "")
    return "\r\n".join(lines).encode("latin-1") + body


class Connection:
    """A connected socket, TLS included, that carries one exchange at a time. Raises WireError. Not for two threads at once.

    Silence is bounded by the read timeout, a drip of bytes by `deadline` (monotonic), the answer by its size.
    """

    def __init__(
        self, sock: Socket, settings: TransportSettings, monotonic: Callable[[], float], deadline: float = 0.0
    ) -> None:
        self.sock, self.deadline, self.max_bytes = sock, deadline, settings.max_response_bytes
        self._read_timeout, self._monotonic = settings.read_timeout, monotonic
        self.idle_since = 0.0
        self.used = self._reusable = False

    def arm(self) -> None:
        """Have the socket's next operation end in time. Raises TimeoutError when no time is left."""
        timeout = min(self._read_timeout, self.deadline - self._monotonic())
        if timeout <= 0:
            raise TimeoutError
        # Each settimeout is a system call; in the common case it would change nothing.
        if timeout != self.sock.gettimeout():
            self.sock.settimeout(timeout)

    def exchange(self, message: bytes, method: str, written: Written | None = None) -> Answer:
        """Write the request in one piece, call `written`, and return the answer as soon as its head has been read."""
        sent = 0
        try:
            while sent < len(message):
                self.arm()
                sent += self.sock.send(message[sent : sent + _RECORD])
        except OSError as error:
            if sent == 0:
                what = f"the request could not be written: {describe(error)}"
                raise WireError(what, written=False, at_once=self.used) from None
            # Part of it has left. The other side may have answered early (413), so its answer is read.
        if written is not None:
            written()
        self._source = AnswerSource(self)
        answer = Answer(self._source, method=method)  # type: ignore[arg-type]  # it has what is asked of a socket
        answer.begin()
        self.used, self._reusable = True, sent == len(message) and not answer.will_close
        return answer

    def is_reusable(self) -> bool:
        """Decide it after an answer was read to its end."""
        return self._reusable and not self._source.surplus

    def is_alive(self) -> bool:
        """Return whether nothing waits to be read, in the kernel or in TLS: else the other side closed, or sent something unasked."""
        sock: Any = self.sock
        if isinstance(sock, SSLTransport):
            buffered = sock.incoming.pending + sock.sslobj.pending()
        else:
            buffered = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
        return not buffered and not wait_for_read(sock, timeout=0.0)

    def close(self) -> None:
        self.sock.close()


class AnswerSource(io.RawIOBase):
    """The bytes of one answer, within its connection's bounds. Raises WireError. `surplus`: more came than the answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._used = connection, connection.used
        self._raw: Any = connection.sock.makefile("rb", buffering=0)
        self._received = 0
        self.head_read = self.ended = self.surplus = False

    def makefile(self, *_: Any) -> io.BufferedReader:
        return _Buffer(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.ended:
            return 0
        stale = self._used and not self._received
        try:
            self._connection.arm()
            count = int(self._raw.readinto(buffer) or 0)
        except TimeoutError:
            raise WireError("no whole answer came in time", written=True, kind=ErrorKind.TIMEOUT) from None
        except OSError as error:
            what = f"the connection broke before the answer was whole: {describe(error)}"
            raise WireError(what, written=True, at_once=stale) from None
        if not count and not self.head_read:
            where = "in the middle of the answer" if self._received else "without an answer"
            raise WireError(f"the other side closed the connection {where}", written=True, at_once=stale)
        self._received += count
        if self._received > self._connection.max_bytes:
            what = f"the answer is larger than we read ({self._connection.max_bytes} bytes)"
            raise WireError(what, written=True, again=False)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Buffer(io.BufferedReader):
    """`http.client` closes it at the end of an answer: what is left in it then belongs to no answer."""

    raw: AnswerSource

    def close(self) -> None:
        if not self.closed:
            self.raw.ended = True
            self.raw.surplus = bool(self.peek(1))
        super().close()


class Answer(HTTPResponse):
    """`http.client`'s answer, behind all that announces it, and with one end only. Raises HTTPException."""

    def begin(self) -> None:
        super().begin()
        lengths = set(self.headers.get_all("content-length", []))
        # RFC 9112, 6.3: what names its end twice, or not in digits, is read differently by different readers.
        clear = not lengths or (len(lengths) == 1 and not self.chunked and lengths.pop().strip().isdigit())
        # A line without a colon ends the headers for the parser: one of those behind it may have named the end.
        cut = any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in self.headers.defects)
        if not clear or cut or self.status < 200:
            raise HTTPException
        if isinstance(self.fp, _Buffer):
            self.fp.raw.head_read = True

    def _read_status(self) -> tuple[str, int, str]:
        """All 1xx but 101 announce the answer (RFC 9110, 15.2). `begin` skips 100 alone, so they pass for it."""
        version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the stub
        return version, 100 if 101 < status < 200 else status, reason


class Dialer:
    """Open connections to destinations, through the proxy where there is one."""

    def __init__(
        self, settings: TransportSettings, clock: Clock, authenticator: ProxyAuthenticator, resolve: Resolver
    ) -> None:
        self._settings, self._clock = settings, clock
        self._authenticator, self._resolve = authenticator, resolve

    def connect(self, destination: Destination) -> Connection:
        """Return a connection on which the request may be written. Raises WireError with `written` false."""
        return Connection(self._open(destination), self._settings, self._clock.monotonic)

    def _open(self, destination: Destination) -> Socket:
        proxy, secure = self._settings.proxy, destination.scheme == "https"
        deadline = self._clock.monotonic() + self._settings.connect_timeout
        if proxy is None:
            sock: Socket = self._connect(destination.host, destination.port, deadline)
        elif problem := unsafe_route(proxy, destination.scheme):
            raise WireError(problem, written=False, kind=ErrorKind.UNSUPPORTED, again=False)
        elif proxy.forwards(destination.scheme):
            return self._open_proxy(proxy, deadline)
        else:
            host = f"[{destination.host}]" if ":" in destination.host else destination.host
            sock = self._tunnel(proxy, f"{host}:{destination.port}", deadline)
        return self._secure(sock, destination.host, deadline) if secure else sock

    def _open_proxy(self, proxy: ProxySettings, deadline: float) -> Socket:
        sock = self._connect(proxy.host, proxy.port, deadline, "the proxy {} (SMS_PROXY_URL)")
        return self._secure(sock, proxy.host, deadline) if proxy.ssl is ProxySsl.ALWAYS else sock

    def _connect(self, host: str, port: int, deadline: float, place: str = "{}") -> socket.socket:
        with _failing(place.format(f"{host}:{port}")):
            *others, last = self._resolve(host, port)
            for number, each in enumerate(others):
                # One address that swallows packets (often IPv6) leaves the others their share of the time.
                with suppress(OSError):
                    return _connect_one(each, self._remaining(deadline) / (len(others) - number + 1))
            return _connect_one(last, self._remaining(deadline))

    def _secure(self, sock: Socket, host: str, deadline: float) -> Socket:
        try:
            with _failing(f"{host} over TLS"):
                sock.settimeout(self._remaining(deadline))
                if isinstance(sock, ssl.SSLSocket):  # TLS in TLS, which the ssl module's sockets can't do
                    return SSLTransport(sock, self._tls, server_hostname=host)
                return self._tls.wrap_socket(sock, server_hostname=host)  # type: ignore[arg-type]  # a plain one by now
        except BaseException:
            sock.close()
            raise

    def _tunnel(self, proxy: ProxySettings, authority: str, deadline: float) -> Socket:
        """Return a connection to the proxy whose CONNECT was granted; each try of the handshake gets one of its own."""

        def ask(authorization: str | None) -> tuple[Socket, str | None]:
            sock = self._open_proxy(proxy, deadline)
            with ExitStack() as closing:
                closing.callback(sock.close)
                answer = self._ask(sock, authority, authorization, deadline)
                if answer.status == 407:
                    return sock, answer.getheader("proxy-authenticate", "")
                if answer.status >= 300:
                    raise _refused_tunnel(answer.status)
                closing.pop_all()
            return sock, None

        return self._authenticator.exchange("CONNECT", authority, ask)

    def _ask(self, sock: Socket, authority: str, authorization: str | None, deadline: float) -> Answer:
        headers = {"Host": authority, "User-Agent": self._settings.user_agent}
        if authorization is not None:
            headers["Proxy-Authorization"] = authorization
        connection = Connection(sock, self._settings, self._clock.monotonic, deadline)
        try:
            with connection.exchange(frame(f"CONNECT {authority} HTTP/1.1", headers), "CONNECT") as answer:
                return answer
        except WireError as failure:
            # What the proxy did or did not read was no request of ours.
            raise WireError(f"the proxy opened no tunnel: {failure.what}", written=False, kind=failure.kind) from None
        except HTTPException:
            raise WireError("the proxy opened no tunnel: its answer is not readable as HTTP", written=False) from None

    def _remaining(self, deadline: float) -> float:
        if (remaining := deadline - self._clock.monotonic()) <= 0:
            raise TimeoutError
        return remaining

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Made at the first https connection: reading the authorities takes some 20 ms.
        return make_tls_context(self._settings.ca_file)


def make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the public authorities and those of the extra file; TLS 1.2 at least."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _connect_one(found: Resolved, timeout: float) -> socket.socket:
    """Connect to exactly this address: a numeric one, which no resolver is asked for again."""
    sock = socket.create_connection(found[1][:2], timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _refused_tunnel(status: int) -> WireError:
    # 5xx and 429: the proxy could not reach the destination now. Other answers are its rules: asking changes none of them.
    passing = status >= 500 or status == 429
    fix = "" if passing else ": it has to allow CONNECT to this host and port (SMS_PROXY_SSL says when we ask for one)"
    return WireError(f"the proxy opened no tunnel, its answer was {status}{fix}", written=False, again=passing)


@contextmanager
def _failing(place: str) -> Iterator[None]:
    """Turn what the operating system and TLS raise into a WireError that says what could not be reached, and why."""
    try:
        yield
    except TimeoutError:
        raise WireError(f"no connection to {place} in time", written=False, kind=ErrorKind.TIMEOUT) from None
    except socket.gaierror as error:
        raise WireError(f"the name of {place} was not found ({error.strerror})", written=False) from None
    except (OSError, UnicodeError, OverflowError) as error:
        what = describe(error) if isinstance(error, OSError) else "the host's name is not usable"
        untrusted = isinstance(error, ssl.SSLCertVerificationError)
        fix = "; a private authority has to be named by SMS_CA_FILE" if untrusted else ""
        raise WireError(f"no connection to {place}: {what}{fix}", written=False, again=not untrusted) from None
