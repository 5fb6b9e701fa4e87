"""The platform's front door: who may come in, and with how much, is decided before the function sees anything."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO

from tests.infra.fake_google import tokens
from tests.infra.fake_google.traits import BODY_LIMIT

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class FrontDoor:
    """Listens on a port of its own, by TLS where `tls` is given, as the platform's does. `may_call` is asked for an e-mail, or None
    for somebody without a token. `backend` is the port of what serves.
    """

    def __init__(self, may_call: Callable[[str | None], bool], tls: ssl.SSLContext | None = None) -> None:
        self.may_call = may_call
        self.backend: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"door": self}))
        if tls:  # the handshake is the connection's own thread's
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def refusal(self, authorization: str) -> tuple[int, str] | None:
        """Why a request is turned away; None where it may go on. An audience that isn't this service's is no token for it."""
        if self.may_call(None):
            return None
        token = authorization.removeprefix("Bearer ")
        claims = tokens.read(token) if token else None
        if claims is None or claims["aud"].rstrip("/") != self.address:
            return 401, "The request was not authenticated: no token, or none for this service."
        if not self.may_call(claims["email"]):
            return 403, f"{claims['email']} lacks run.routes.invoke."
        return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class TooLarge(Exception):
    """A body over the platform's limit."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    door: FrontDoor

    def serve(self) -> None:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        if self.command == "POST" and "Content-Length" not in self.headers and not chunked:
            self._turn_away(411, "POST requests require a Content-length header.")
            return
        try:
            body = read_chunks(self.rfile) if chunked else read_sized(self.rfile, self.headers.get("Content-Length"))
        except TooLarge:
            self._turn_away(413, "Request Entity Too Large")
            return
        if refusal := self.door.refusal(self.headers.get("Authorization", "")):
            self._say(*refusal)
        elif self.door.backend is None:
            self._say(404, "There is no such service.")
        else:
            self._hand_on(self.door.backend, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - the library's names

    def _hand_on(self, port: int, body: bytes) -> None:
        backend = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
        try:
            backend.request(self.command, self.path, body, headers)
            answer = backend.getresponse()
            if int(answer.getheader("Content-Length") or 0) > BODY_LIMIT:  # one that is sent in chunks may be larger
                self._say(500, "Response size was too large.")
                return
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException) as failure:
            self._say(503, f"The service is not available: {failure}")
        finally:
            backend.close()

    def _turn_away(self, status: int, why: str) -> None:
        self.close_connection = True
        self._say(status, why)

    def _say(self, status: int, why: str) -> None:
        self._answer(status, {"Content-Type": "text/plain"}, why.encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in HOP_BY_HOP:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def read_sized(stream: BinaryIO, length: str | None) -> bytes:
    if int(length or 0) > BODY_LIMIT:
        raise TooLarge
    return stream.read(int(length or 0))


def read_chunks(stream: BinaryIO) -> bytes:
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        if len(body) + size > BODY_LIMIT:
            raise TooLarge
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
