"""A connection that records whether a request has begun to leave, and reads no longer than it may.

`http.client`, which `requests` stands on, parses the answer. What is decided here is a message's outcome:
whether a byte of the request may have left, whether the answer is whole, and whether the connection may be used again.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Mapping
from email.errors import MissingHeaderBodySeparatorDefect
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import msgspec
from urllib3.util.ssltransport import SSLTransport
from urllib3.util.wait import wait_for_read

from sms_connector.errors import ErrorKind

from .failures import WireError, describe
from .http import Written
from .settings import TransportSettings

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

    @property
    def key(self) -> tuple[str, str]:
        return self.scheme, self.authority


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
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise _unusable("its host and port can't be read")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port or _PORTS[parts.scheme], parts.netloc, path)


def _unusable(fix: str) -> WireError:
    return WireError(f"the URL can't be used: {fix}", written=False, kind=ErrorKind.INVALID_REQUEST, again=False)


def frame(first_line: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request, whose headers have been checked."""
    lines = (first_line, *(f"{name}: {value}" for name, value in headers.items()), "", "")
    return "\r\n".join(lines).encode("latin-1") + body


class Bounds:
    """Silence is bounded by the read timeout, a drip of bytes by the deadline, the answer by its size."""

    def __init__(self, settings: TransportSettings, monotonic: Callable[[], float], deadline: float = 0.0) -> None:
        self.read_timeout, self.max_bytes = settings.read_timeout, settings.max_response_bytes
        self.deadline, self._monotonic = deadline, monotonic

    def arm(self, sock: Socket) -> None:
        """Have the socket's next operation end in time. Raises TimeoutError when no time is left."""
        timeout = min(self.read_timeout, self.deadline - self._monotonic())
        if timeout <= 0:
            raise TimeoutError
        # Each settimeout is a system call; in the common case it would change nothing.
        if timeout != sock.gettimeout():
            sock.settimeout(timeout)


class Connection:
    """A connected socket, TLS included, that carries one exchange at a time. Raises WireError. Not for two threads at once."""

    def __init__(self, sock: Socket, bounds: Bounds) -> None:
        self.sock, self.bounds = sock, bounds
        self.idle_since = 0.0
        self._used = self._reusable = False

    def exchange(self, message: bytes, method: str, written: Written | None = None) -> Answer:
        """Write the request in one piece, call `written`, and return the answer as soon as its head has been read."""
        sent = 0
        try:
            while sent < len(message):
                self.bounds.arm(self.sock)
                sent += self.sock.send(message[sent : sent + _RECORD])
        except OSError as error:
            if sent == 0:
                what = f"the request could not be written: {describe(error)}"
                raise WireError(what, written=False, at_once=self._used) from None
            # Part of it has left. The other side may have answered early (413), so its answer is read.
        if written is not None:
            written()
        self._source = AnswerSource(self.sock, self.bounds, used=self._used)
        answer = Answer(self._source, method=method)  # type: ignore[arg-type]  # it has what is asked of a socket
        answer.begin()
        self._used, self._reusable = True, sent == len(message) and not answer.will_close
        return answer

    def is_reusable(self) -> bool:
        """Decide it after an answer was read to its end."""
        return self._reusable and not self._source.surplus

    def is_alive(self) -> bool:
        """Nothing waits to be read, in the kernel or in TLS: else the other side closed, or said what it was not asked for."""
        sock: Any = self.sock
        if isinstance(sock, SSLTransport):
            buffered = sock.incoming.pending + sock.sslobj.pending()
        else:
            buffered = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
        return not buffered and not wait_for_read(sock, timeout=0.0)

    def close(self) -> None:
        self.sock.close()


class AnswerSource(io.RawIOBase):
    """The socket an answer is read from, within bounds. Raises WireError. `surplus`: more came than the answer."""

    def __init__(self, sock: Socket, bounds: Bounds, *, used: bool) -> None:
        self._sock, self._bounds, self._used = sock, bounds, used
        self._raw: Any = sock.makefile("rb", buffering=0)
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
            self._bounds.arm(self._sock)
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
        if self._received > self._bounds.max_bytes:
            what = f"the answer is larger than we read ({self._bounds.max_bytes} bytes)"
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
