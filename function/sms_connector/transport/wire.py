"""One connection that carries one exchange at a time: bytes out, a parsed answer in, and the exact moment it broke.

The parser is llhttp, Node.js's own, through httptools. What is done here is what decides a message's outcome:
whether a byte of the request may have left, whether the answer is whole, and whether the connection may be used
again.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httptools
import msgspec

from sms_connector.errors import ErrorKind

from .failures import WireError
from .http import Written

if TYPE_CHECKING:
    from urllib3.util.ssltransport import SSLTransport

    Socket = socket.socket | SSLTransport

# One TLS record: a write that fails before this much went out can't have delivered a request, not even a part of one.
_WRITE_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024
# http.client allows 100 lines of 64 KiB; servers we talk to stay below 8 KiB.
_HEAD_BYTES = 64 * 1024


class Reply(msgspec.Struct):
    """An answer as parsed. `problem_text`: why its body ended early; `reusable`: the connection may carry another exchange."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    reusable: bool
    problem_text: WireError | None = None


class Wire:
    """A connected socket, plain or TLS. Not for two threads at once."""

    def __init__(self, sock: Socket, *, read_timeout: float, max_bytes: int, monotonic: Callable[[], float]) -> None:
        self.sock = sock
        self.used = False
        self.idle_since = 0.0
        self._read_timeout = read_timeout
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._timeout: float | None = None
        self._answer = _Answer()

    def exchange(self, request: bytes, *, method: str, deadline: float, written: Written | None = None) -> Reply:
        """Write the request, tell that it is `written`, read the answer. Raises WireError; the connection must then be closed."""
        answer = self._answer
        answer.expect(method)
        whole = self._write(request, deadline)
        if written is not None:
            written()
        problem_text = self._read(deadline)
        self.used = True
        if problem_text is not None and not answer.headers_done:
            raise problem_text
        reusable = whole and answer.keep_alive and not answer.surplus
        return Reply(answer.status, answer.headers, b"".join(answer.body), reusable, problem_text)

    def is_dead(self) -> bool:
        """Something waits to be read where nothing can: the other side closed, or said what nobody asked for."""
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return bool(poll.poll(0)) or _has_buffered(self.sock)

    def detach(self) -> Socket:
        """The socket, for TLS or another exchange on top of it; this object is at its end."""
        self._answer.release()
        return self.sock

    def close(self) -> None:
        """Let go of the socket; errors of closing tell nothing."""
        self._answer.release()
        try:
            self.sock.close()
        except OSError:
            return

    def _write(self, request: bytes, deadline: float) -> bool:
        """Whether all of it was written. A part is no failure yet: the other side may have answered early (413)."""
        sent = 0
        try:
            while sent < len(request):
                self._limit(deadline)
                sent += self.sock.send(request[sent : sent + _WRITE_BYTES])
        except OSError as error:
            if sent == 0:
                what = f"the request could not be written: {describe(error)}"
                raise WireError(what, written=False, at_once=self.used) from None
        return sent == len(request)

    def _read(self, deadline: float) -> WireError | None:
        """Feed the parser until the answer is whole; what broke it, where something did."""
        answer, received = self._answer, 0
        try:
            while not answer.done:
                self._limit(deadline)
                data = self.sock.recv(_READ_BYTES)
                if not isinstance(data, bytes) or not data:  # the end of TLS in TLS is the number 0
                    return self._ended(received)
                received += len(data)
                answer.parser.feed_data(data)
                if answer.size > self._max_bytes or (received > _HEAD_BYTES and not answer.headers_done):
                    return _broken(f"the answer is larger than we read ({self._max_bytes} bytes)", again=False)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            answer.surplus = True
            return None if answer.done else _broken("the answer is not readable as HTTP")
        except TimeoutError:
            return _broken("no whole answer came in time", ErrorKind.TIMEOUT)
        except OSError as error:
            what = f"the connection broke before the answer was whole: {describe(error)}"
            return _broken(what, at_once=self._stale(received))
        return None

    def _ended(self, received: int) -> WireError | None:
        if self._answer.ends_with_connection():
            return None
        what = "in the middle of the answer" if received else "without an answer"
        return _broken(f"the other side closed the connection {what}", at_once=self._stale(received))

    def _stale(self, received: int) -> bool:
        return self.used and received == 0

    def _limit(self, deadline: float) -> None:
        """Silence is bounded by the read timeout, a drip of bytes by the deadline."""
        timeout = min(self._read_timeout, deadline - self._monotonic())
        if timeout <= 0:
            raise TimeoutError
        # Each settimeout is a system call; in the common case it would change nothing.
        if timeout != self._timeout:
            self._timeout = timeout
            self.sock.settimeout(timeout)


class _Answer:
    """llhttp's callbacks. Lives as long as its connection, as the parser does; `expect` clears it for an exchange."""

    __slots__ = (
        "_method",
        "body",
        "done",
        "headers",
        "headers_done",
        "keep_alive",
        "parser",
        "size",
        "status",
        "surplus",
    )

    def __init__(self) -> None:
        self.parser: Any = httptools.HttpResponseParser(self)
        # A bare line feed may end a line (RFC 9112, 2.2), and old servers pad their chunk sizes. Neither moves the end of
        # an answer, and nothing after that end is ever read as another one.
        self.parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True)
        self.expect("")

    def expect(self, method: str) -> None:
        self._method = method
        self.done = self.surplus = self.keep_alive = False
        self._clear()

    def _clear(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.status = self.size = 0
        self.headers_done = False

    def release(self) -> None:
        """The parser holds our methods: without this, each closed connection waits for the garbage collector."""
        self.parser = None

    def ends_with_connection(self) -> bool:
        """No length, no chunks: the end of the connection is the end of the body (RFC 9112, 6.3)."""
        if not self.headers_done:
            return False
        framing = {name.lower(): value.lower() for name, value in self.headers}
        return b"content-length" not in framing and b"chunked" not in framing.get(b"transfer-encoding", b"")

    def on_message_begin(self) -> None:
        if self.done:
            self.surplus = True
        else:
            self._clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.done:
            return
        self.status = self.parser.get_status_code()
        self.headers_done = self.status >= 200
        # RFC 9112, 6.3: no body follows the answer to a HEAD, nor a CONNECT's success.
        if self._method == "HEAD" or (self._method == "CONNECT" and self.status < 300):
            self.done = self.headers_done

    def on_body(self, data: bytes) -> None:
        if not self.done:
            self.body.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        # 1xx are announcements: the answer is still to come.
        if self.headers_done and not self.done:
            self.done = True
            self.keep_alive = self.parser.should_keep_alive()


def describe(error: OSError) -> str:
    """What an operating system or TLS error says, without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'unexpected end'})"
    if isinstance(error, TimeoutError):
        return "time-out"
    return error.strerror or type(error).__name__


def _broken(
    what: str, kind: ErrorKind = ErrorKind.UNAVAILABLE, *, again: bool = True, at_once: bool = False
) -> WireError:
    return WireError(what, written=True, kind=kind, again=again, at_once=at_once)


def _has_buffered(sock: Socket) -> bool:
    """Bytes already taken from the kernel: inside a TLS object, or in the buffer of TLS in TLS."""
    if isinstance(sock, ssl.SSLSocket):
        return sock.pending() > 0
    if isinstance(sock, socket.socket):
        return False
    return sock.incoming.pending > 0 or sock.sslobj.pending() > 0
