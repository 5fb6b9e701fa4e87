"""The platform's front door: who may come in is decided before the function sees anything."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.infra.fake_google import tokens
from tests.infra.fake_google.traits import BODY_LIMIT

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class FrontDoor:
    """Listens on a port of its own. `may_call` is asked for an e-mail, or None for somebody without a token."""

    def __init__(self, may_call: Callable[[str | None], bool]) -> None:
        self.may_call = may_call
        self.backend: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"door": self}))
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    door: FrontDoor

    def serve(self) -> None:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        if self.command == "POST" and "Content-Length" not in self.headers and not chunked:
            self.close_connection = True
            self._answer(411, {"Content-Type": "text/plain"}, b"POST requests require a Content-length header.")
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            self._answer(413, {"Content-Type": "text/plain"}, b"Request Entity Too Large")
            return
        body = self.rfile.read(length)
        if refusal := self.door.refusal(self.headers.get("Authorization", "")):
            self._answer(refusal[0], {"Content-Type": "text/plain"}, refusal[1].encode())
            return
        if self.door.backend is None:
            self._answer(404, {"Content-Type": "text/plain"}, b"There is no such service.")
            return
        backend = http.client.HTTPConnection("127.0.0.1", self.door.backend, timeout=120)
        try:
            backend.request(self.command, self.path, body, dict(self.headers.items()))
            answer = backend.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
        except OSError as failure:
            self._answer(503, {"Content-Type": "text/plain"}, f"The service is not available: {failure}".encode())
        finally:
            backend.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - the library's names

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
