"""A proxy whose every oddity can be switched on. It checks digests by its own arithmetic (RFC 7616), not by a client's."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import threading
from dataclasses import dataclass, field

from tests.transport.raw_server import CREATED, Peer

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512": "sha512", "SHA": "sha1"}
_PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


@dataclass
class FakeProxy:
    """A script for `raw_server.serving`. `scheme`: none, basic or digest; the oddities are the fields after it."""

    scheme: str = "none"
    username: str = "ann"
    realm: str = "the lab"
    password: str = "pass:word"
    algorithm: str | None = "MD5"
    qop: str | None = "auth"
    other_challenges: tuple[str, ...] = ()
    close_on_challenge: bool = False
    uses_per_nonce: int = 1_000_000
    status_after: str = "200 Connection established"
    heads: list[str] = field(default_factory=list)
    accepted: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def __call__(self, peer: Peer) -> None:
        while head := self._read(peer):
            self.heads.append(head)
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            challenge = self._judge(head, method, target)
            if challenge is not None:
                self._challenge(peer, challenge)
                if self.close_on_challenge:
                    return
            elif method != "CONNECT":
                peer.send(CREATED)
            else:
                peer.send(f"HTTP/1.1 {self.status_after}\r\n\r\n".encode())
                if self.status_after.startswith("200"):
                    relay(peer.sock, target)
                return

    def _read(self, peer: Peer) -> str:
        return peer.read_request().partition(b"\r\n\r\n")[0].decode("latin-1")

    def _challenge(self, peer: Peer, challenge: str) -> None:
        values = (*self.other_challenges, challenge)
        lines = "".join(f"Proxy-Authenticate: {value}\r\n" for value in values)
        closing = "Connection: close\r\n" if self.close_on_challenge else ""
        peer.send(f"HTTP/1.1 407 Who are you\r\n{lines}{closing}Content-Length: 3\r\n\r\nno\n".encode())

    def _judge(self, head: str, method: str, target: str) -> str | None:
        """The challenge to answer with; None: let through."""
        given = next((line[21:] for line in head.split("\r\n") if line.lower().startswith("proxy-authorization: ")), "")
        if self.scheme == "none":
            return None
        if self.scheme == "basic":
            expected = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return None if given == f"Basic {expected}" else 'Basic realm="lab"'
        with self._lock:
            return self._judge_digest(given, method, target)

    def _judge_digest(self, given: str, method: str, target: str) -> str | None:
        if not given.startswith("Digest "):
            return self._new_nonce()
        found = {name: re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in _PARAMETER.findall(given)}
        count = int(found.get("nc", "0"), 16)
        used = self._counts.get(found.get("nonce", ""))
        username = found.get("username", "").encode("latin-1").decode()  # UTF-8 on the wire
        known = (username, found.get("realm")) == (self.username, self.realm)
        if not known or found.get("response") != self._expected(found, method) or found["uri"] != target:
            return self._new_nonce()
        if used is None or used >= self.uses_per_nonce or (self.qop and count != used + 1):
            return self._new_nonce() + ", stale=true"
        self._counts[found["nonce"]] = used + 1
        self.accepted.append(found)
        return None

    def _new_nonce(self) -> str:
        nonce = f"n{len(self._counts)}"
        self._counts[nonce] = 0
        extras = f', qop="{self.qop}"' if self.qop else ""
        extras += f", algorithm={self.algorithm}" if self.algorithm else ""
        realm = self.realm.replace("\\", "\\\\").replace('"', '\\"')
        return f'Digest realm="{realm}", nonce="{nonce}", opaque="o"{extras}'

    def _expected(self, found: dict[str, str], method: str) -> str:
        name, _, session = (self.algorithm or "MD5").partition("-sess")
        del session

        def digest(text: str) -> str:
            return hashlib.new(_HASHES[name], text.encode()).hexdigest()

        secret = digest(f"{self.username}:{self.realm}:{self.password}")
        if (self.algorithm or "").endswith("-sess"):
            secret = digest(f"{secret}:{found['nonce']}:{found['cnonce']}")
        what = digest(f"{method}:{found['uri']}")
        if not self.qop:
            return digest(f"{secret}:{found['nonce']}:{what}")
        return digest(f"{secret}:{found['nonce']}:{found['nc']}:{found['cnonce']}:auth:{what}")


def relay(inner: socket.socket, authority: str) -> None:
    """Bytes back and forth between the client and host:port until one side ends."""
    host, _, port = authority.rpartition(":")
    outer = socket.create_connection((host.strip("[]"), int(port)))
    back = threading.Thread(target=_pump, args=(outer, inner), daemon=True)
    back.start()
    _pump(inner, outer)
    back.join(5)
    outer.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
