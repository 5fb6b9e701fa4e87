"""Connections, opened within one connect timeout. Each records whether a byte of the request may have left, whether the
answer is whole, and whether it may be used again; `http.client`, which `requests` stands on, parses the answer."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from email.errors import MissingHeaderBodySeparatorDefect
from functools import cache
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi
from urllib3.util.ssltransport import SSLTransport
from urllib3.util.wait import wait_for_read

from sms_connector.errors import ErrorKind
from sms_connector.ports import Clock

from .http import WireError, Written
from .outgoing import Resolver
from .proxy_auth import ProxyAuthenticator
from .settings import ProxySettings, ProxySsl, TransportSettings, unsafe_route

Socket = socket.socket | SSLTransport
# One TLS record: a write that fails before this much went out can't have delivered a request, not even a part of one.
_RECORD = 16 * 1024
_PORTS = {"http": 80, "https": 443}
_ALLOW = ": it has to allow CONNECT to this host and port (SMS_PROXY_SSL says when we ask for one)"


def parse_destination(url: str) -> SplitResult:
    """Split a URL. Raises WireError where it can't be put on the wire as it is; the message never repeats it."""
    # urlsplit drops tabs and line ends silently, so the whole is checked first.
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise _unusable("percent-encode what is not printable ASCII in its path, and write its host in punycode")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise _unusable("its host and port can't be read") from None
    if parts.scheme not in _PORTS or not host:
        raise _unusable("it has to begin with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise _unusable("leave user and password out of it: credentials are secrets")
    return parts


def _unusable(fix: str) -> WireError:
    return WireError(f"the URL can't be used: {fix}", written=False, kind=ErrorKind.INVALID_REQUEST, again=False)


def frame(first_line: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    lines = (first_line, *(f"{name}: {value}" for name, value in headers.items()), "", "")
    return "\r\n".join(lines).encode("latin-1") + body


class Connection:
    """A connected socket that carries one exchange at a time. The read timeout bounds silence, `deadline` (monotonic) a
    drip of bytes, `max_bytes` the answer. Raises WireError."""

    def __init__(self, sock: Socket, settings: TransportSettings, monotonic: Callable[[], float]) -> None:
        self.sock, self.max_bytes, self.deadline, self.idle_since = sock, settings.max_response_bytes, 0.0, 0.0
        self._read_timeout, self._monotonic = settings.read_timeout, monotonic
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
        answer = Answer(self._source, method)
        answer.begin()
        self.used, self._reusable = True, sent == len(message) and not answer.will_close
        return answer

    def is_reusable(self) -> bool:
        return self._reusable and not self._source.surplus

    def is_alive(self) -> bool:
        """Return whether nothing waits to be read, in the kernel or in TLS: else the other side closed or erred."""
        sock: Any = self.sock
        if isinstance(sock, SSLTransport):
            buffered = sock.incoming.pending + sock.sslobj.pending()
        else:
            buffered = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
        return not buffered and not wait_for_read(sock, timeout=0.0)

    def close(self) -> None:
        self.sock.close()


class AnswerSource(io.RawIOBase):
    """The bytes of one answer, within its connection's bounds. Raises WireError. `surplus`: more bytes came."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._used = connection, connection.used
        self._raw: Any = connection.sock.makefile("rb", buffering=0)
        self._received = 0
        self.head_read = self.ended = self.surplus = False

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(self)

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


class Answer(HTTPResponse):
    """`http.client`'s answer, behind all that announces it, and with one end only. Raises HTTPException."""

    def __init__(self, source: AnswerSource, method: str) -> None:
        super().__init__(source, method=method)  # type: ignore[arg-type]  # it has what is asked of a socket
        self._source = source

    def begin(self) -> None:
        super().begin()
        lengths = set(self.headers.get_all("content-length", []))
        # RFC 9112, 6.3: what names its end twice, or not in digits, is read differently by different readers.
        clear = not lengths or (len(lengths) == 1 and not self.chunked and lengths.pop().strip().isdigit())
        # A line without a colon ends the headers for the parser: one of those behind it may have named the end.
        cut = any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in self.headers.defects)
        if not clear or cut or self.status < 200:
            raise HTTPException
        self._source.head_read = True

    def _close_conn(self) -> None:
        """Note what is left in the buffer at the end of an answer: it belongs to none."""
        self._source.ended = True
        self._source.surplus = bool(self.fp.peek(1))
        super()._close_conn()  # type: ignore[misc]  # not in the stub

    def _read_status(self) -> tuple[str, int, str]:
        """Read every 1xx but 101, which announces the answer (RFC 9110, 15.2), as 100: `begin` skips that alone."""
        version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the stub
        return version, 100 if 101 < status < 200 else status, reason


class Dialer:
    """Open connections to destinations, through the proxy where there is one."""

    def __init__(
        self, settings: TransportSettings, clock: Clock, authenticator: ProxyAuthenticator, resolve: Resolver
    ) -> None:
        self._settings, self._clock = settings, clock
        self._authenticator, self._resolve = authenticator, resolve

    def connect(self, destination: SplitResult) -> Connection:
        """Return a connection on which the request may be written. Raises WireError with `written` false."""
        return Connection(self._open(destination), self._settings, self._clock.monotonic)

    def _open(self, destination: SplitResult) -> Socket:
        proxy, scheme, host = self._settings.proxy, destination.scheme, str(destination.hostname)
        port = destination.port or _PORTS[scheme]
        deadline = self._clock.monotonic() + self._settings.connect_timeout
        if proxy is None:
            sock: Socket = self._connect(host, port, deadline)
        elif problem := unsafe_route(proxy, scheme):
            raise WireError(problem, written=False, kind=ErrorKind.UNSUPPORTED, again=False)
        elif proxy.forwards(scheme):
            return self._open_proxy(proxy, deadline)
        else:
            sock = self._tunnel(proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", deadline)
        return self._secure(sock, host, deadline) if scheme == "https" else sock

    def _open_proxy(self, proxy: ProxySettings, deadline: float) -> Socket:
        sock = self._connect(proxy.host, proxy.port, deadline, "the proxy {} (SMS_PROXY_URL)")
        return self._secure(sock, proxy.host, deadline) if proxy.ssl is ProxySsl.ALWAYS else sock

    def _connect(self, host: str, port: int, deadline: float, place: str = "{}") -> socket.socket:
        with _failing(place.format(f"{host}:{port}")):
            found = self._resolve(host, port)
            for left in range(len(found), 0, -1):
                # An address that swallows packets (often IPv6) leaves the others their share, without resolving again.
                try:
                    sock = socket.create_connection(found[-left][1][:2], self._remaining(deadline) / left)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return sock
                except OSError:
                    if left == 1:
                        raise
            raise OSError

    def _secure(self, sock: Socket, host: str, deadline: float) -> Socket:
        try:
            with _failing(f"{host} over TLS"):
                context = make_tls_context(self._settings.ca_file)
                sock.settimeout(self._remaining(deadline))
                if isinstance(sock, ssl.SSLSocket):  # TLS in TLS, which the ssl module's sockets can't do
                    return SSLTransport(sock, context, server_hostname=host)
                return context.wrap_socket(sock, server_hostname=host)  # type: ignore[arg-type]  # a plain one by now
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
                    # 5xx and 429: the destination is out of reach now. Others are rules, and repetition is useless.
                    passing = answer.status >= 500 or answer.status == 429
                    what = f"the proxy opened no tunnel, its answer was {answer.status}{'' if passing else _ALLOW}"
                    raise WireError(what, written=False, again=passing)
                closing.pop_all()
            return sock, None

        return self._authenticator.exchange("CONNECT", authority, ask)

    def _ask(self, sock: Socket, authority: str, authorization: str | None, deadline: float) -> Answer:
        headers = {"Host": authority, "User-Agent": self._settings.user_agent}
        if authorization is not None:
            headers["Proxy-Authorization"] = authorization
        connection = Connection(sock, self._settings, self._clock.monotonic)
        connection.deadline = deadline
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


@cache
def make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the public authorities and those of the extra file, TLS 1.2 at least. Takes some 20 ms, once."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


@contextmanager
def _failing(place: str) -> Iterator[None]:
    """Turn what the operating system and TLS raise into a WireError that names the place and the reason."""
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


def describe(error: OSError) -> str:
    """Describe an operating system or TLS error without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'unexpected end'})"
    if isinstance(error, TimeoutError):
        return "time-out"
    return error.strerror or type(error).__name__
