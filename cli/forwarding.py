"""A small proxy on this machine that adds the identity token which the deployed connector asks for.

Clients that send another token, or none (Google's agent kit, clients of the Model Context Protocol), are pointed at it.
Nothing is repeated and nothing is written down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from cli.client import CONNECT_SECONDS, READ_SECONDS, cause, is_refusal
from cli.errors import CliError
from cli.identity import IdentityToken

HOST = "127.0.0.1"
# What the platform takes in one request (cloud.google.com/run/quotas: 32 MiB with HTTP/1).
LONGEST_BODY = 32 * 1024 * 1024
_PIECE = 64 * 1024
# Headers of one connection (RFC 9110, 7.6.1), and what this proxy says itself.
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"} | {
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
_OURS = _HOP_BY_HOP | {"host", "authorization", "origin", "content-length"}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class _QuietHandler(WSGIRequestHandler):
    """Addresses hold phone numbers: no request is written down."""

    def log(self, type: str, message: str, *args: Any) -> None: ...  # noqa: A002 - the library's name


def open_server(url: str, session: requests.Session, *, port: int) -> BaseWSGIServer:
    """Return a server on this machine only, which forwards to the connector at `url`. Raises OSError for a port in
    use."""
    session.headers.clear()  # only the caller's
    return make_server(HOST, port, _Proxy(url, session), threaded=True, request_handler=_QuietHandler)


class _Proxy:
    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session

    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            response = self._answer(Request(environ))
        except HTTPException as error:
            response = _refuse(error.code or 400, "INVALID_ARGUMENT", error.description or error.name)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        port = request.environ["SERVER_PORT"]
        own = {f"{HOST}:{port}", f"localhost:{port}"}
        origin = request.headers.get("Origin")
        # A page in a browser on this machine can call here too; the browser tells where the page is from.
        if request.headers.get("Host") not in own or (origin is not None and urlsplit(origin).netloc not in own):
            return _refuse(403, "PERMISSION_DENIED", f"call http://{HOST}:{port}; other hosts and origins are refused")
        path = request.environ["REQUEST_URI"]
        if not path.startswith("/"):
            return _refuse(400, "INVALID_ARGUMENT", "the request line has to hold a path")
        request.max_content_length = LONGEST_BODY
        body = request.get_data()
        try:
            return self._forward(request, path, body)
        except CliError as error:  # no token
            return _refuse(503, "UNAVAILABLE", str(error))
        except requests.RequestException as error:
            return _explain_loss(request.method, error)

    def _forward(self, request: Request, path: str, body: bytes) -> Response:
        answer = self._send(request, path, body)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and isinstance(self._session.auth, IdentityToken):
            answer.close()  # the platform's answer to a token past its hour: the connector saw nothing
            self._session.auth.forget()
            answer = self._send(request, path, body)
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
        response = Response(_pieces(answer), answer.status_code, headers)
        response.call_on_close(answer.close)
        return response

    def _send(self, request: Request, path: str, body: bytes) -> requests.Response:
        dropped = _OURS | {each.strip().lower() for each in request.headers.get("Connection", "").split(",")}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        return self._session.request(
            request.method,
            self._url + path,
            headers=headers,
            data=body,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body as it was sent, compressed where it was."""
    yield from answer.raw.stream(_PIECE, decode_content=False)


def _explain_loss(method: str, error: requests.RequestException) -> Response:
    """Answer for a connector that did not. What may have been done is 409: Google's clients repeat every status from
    500 on, POST too."""
    if isinstance(error, requests.ConnectTimeout) or is_refusal(error):
        return _refuse(502, "UNAVAILABLE", f"the connector can't be reached: {cause(error)}")
    if method in _READS:
        return _refuse(502, "UNAVAILABLE", f"the connection to the connector broke: {cause(error)}")
    message = (
        f"the connection to the connector broke before its answer came, so that it may have done it: {cause(error)}"
    )
    return _refuse(409, "ABORTED", message, reason="OUTCOME_UNKNOWN")


def _refuse(status: int, code: str, message: str, *, reason: str = "PROXY") -> Response:
    """Return an error as the connector writes it."""
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "sms"}
    document = {"error": {"code": status, "status": code, "message": message, "details": [detail]}}
    return Response(json.dumps(document), status, content_type="application/json")
