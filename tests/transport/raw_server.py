"""A TCP server on loopback that does what a script says, byte for byte, so that every fault can be made on purpose."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

CREATED = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"sid": "SM1"}'


@dataclass
class Peer:
    """One accepted connection, as its script sees it."""

    sock: socket.socket
    server: RawServer
    _buffer: bytes = b""

    def read_head(self) -> bytes:
        """One request without its body; empty at the end of the connection."""
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def read_request(self) -> bytes:
        """One request with its body, noted by the server; empty at the end of the connection."""
        head = self.read_head()
        if not head:
            return b""
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(self._buffer) < length:
            self._buffer += self.sock.recv(65536)
        request, self._buffer = head + b"\r\n\r\n" + self._buffer[:length], self._buffer[length:]
        self.server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Closes with RST, as a crashed process or a firewall does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_end(self) -> None:
        """Says nothing until the other side has gone."""
        while self.sock.recv(65536):
            continue

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.sock = context.wrap_socket(self.sock, server_side=True)


Script = Callable[[Peer], None]


@dataclass
class RawServer:
    """Runs the first script on the first connection and so on; the last one serves all that follow."""

    scripts: tuple[Script, ...]
    context: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._peers: list[Peer] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def close(self) -> None:
        # shutdown wakes the thread in accept; close alone would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in list(self._peers):
            peer.sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, self)
            self._peers.append(peer)
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            threading.Thread(target=self._serve, args=(script, peer), daemon=True).start()

    def _serve(self, script: Script, peer: Peer) -> None:
        # The client may go away at any moment; what matters is what it then says.
        with contextlib.suppress(OSError):
            if self.context is not None:
                peer.start_tls(self.context)
            script(peer)
        with contextlib.suppress(OSError):
            peer.sock.close()


@contextlib.contextmanager
def serving(*scripts: Script, context: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(scripts, context)
    try:
        yield server
    finally:
        server.close()


def answering(*answers: bytes) -> Script:
    """Keeps the connection: one answer per request, the last one for all that follow."""

    def script(peer: Peer) -> None:
        number = 0
        while peer.read_request():
            peer.send(answers[min(number, len(answers) - 1)])
            number += 1

    return script


def answering_once(answer: bytes) -> Script:
    """One answer, then the end of the connection."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)

    return script
