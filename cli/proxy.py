"""A way to a private function for clients that send no identity token, or one of another kind.

It listens on loopback alone, and calls the connector as the person who started it. So it answers no web page: a page of
another host is refused by its `Origin`, and one whose host name was pointed at this machine by its `Host`. Nothing is
logged, followed or repeated.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from werkzeug import Request, Response
from werkzeug.http import is_hop_by_hop_header
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from cli.client import CONNECT_SECONDS, READ_SECONDS, explain_cause
from cli.errors import CliError, Misused
from cli.identity import IdentityToken

ADDRESS = "127.0.0.1"
PIECE = 64 * 1024
_READS = frozenset(("GET", "HEAD", "OPTIONS"))
# Set here, or of this side's connection alone. Cloud Run takes the second for the first's replacement
# (cloud.google.com/run/docs/authenticating/service-to-service).
_OURS = frozenset(("authorization", "x-serverless-authorization", "host", "origin", "expect", "proxy-connection"))


class Proxy:
    """Forwards requests to the connector at `url`. `session` holds the identity."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session

    def respond(self, request: Request) -> Response:
        if not _is_local(request):
            message = "this proxy answers programs on this machine, called by 127.0.0.1 or localhost and its port"
            return _refuse(403, "PERMISSION_DENIED", "FOREIGN_REQUEST", message)
        target = request.environ["REQUEST_URI"]
        if not target.startswith("/") or request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            return _refuse(400, "INVALID_ARGUMENT", "INVALID_REQUEST", "send a path, and a body as it is or chunked")
        try:
            return self._forward(request, self._prepare(request, target))
        except CliError as error:  # no token
            return _refuse(502, "UNAVAILABLE", "NOT_SENT", str(error))
        except (requests.RequestException, HTTPError) as error:
            return _explain_loss(request, error)

    def _prepare(self, request: Request, target: str) -> requests.PreparedRequest:
        """Return the request as it came, with the identity. Raises CliError where there is none."""
        chunked = "Transfer-Encoding" in request.headers
        given = {name: value for name, value in request.headers.items() if _is_kept(name, request.headers)}
        prepared = requests.Request(request.method, self._url, headers=given).prepare()
        prepared.url = self._url + target  # as it came: requests would take `..` and `%2F` for something else
        if chunked or request.content_length:
            prepared.body = request.stream  # type: ignore[assignment]  # read as it is sent
        if chunked:
            prepared.headers.pop("Content-Length", None)
        if isinstance(self._session.auth, IdentityToken):
            self._session.auth(prepared)
        return prepared

    def _forward(self, request: Request, prepared: requests.PreparedRequest) -> Response:
        settings = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        answer = self._session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
        if answer.status_code == 401 and isinstance(self._session.auth, IdentityToken):
            self._session.auth.forget()
        # A read's answer is passed on as it comes. A write's is read first: if it breaks off, the caller has to know.
        content: Any = _pieces(answer)
        if request.method not in _READS:
            with answer:
                content = [answer.raw.read(decode_content=False)]
        headers = [each for each in answer.raw.headers.items() if _is_kept(each[0], answer.headers)]
        passed = _Answer(content, f"{answer.status_code} {answer.reason}", headers)
        passed.call_on_close(answer.close)
        return passed


class _Answer(Response):
    """The connector's, with nothing added."""

    default_mimetype = None


class _SilentHandler(WSGIRequestHandler):
    """Paths hold numbers, and tracebacks may."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


class _SilentServer(ThreadedWSGIServer):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


def open_proxy(
    url: str, session: requests.Session, port: int, *, certificate: tuple[Path, Path] | None = None
) -> ThreadedWSGIServer:
    """Return a server on `port` of loopback; 0 takes a free one. `certificate`: it and its key, to be called by https.

    Raises Misused.
    """
    tls = None if certificate is None else _read_certificate(*certificate)
    app = Request.application(Proxy(url, session).respond)
    try:
        with socket.create_server((ADDRESS, port)) as listening:
            return _SilentServer(ADDRESS, port, app, _SilentHandler, ssl_context=tls, fd=listening.fileno())
    except OSError as error:
        message = f"port {port}: {error.strerror}; choose another with --port, 0 for a free one"
        raise Misused(message) from None


def _read_certificate(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise Misused(f"--certificate {certificate}, --key {key}: {error.strerror}; name two files in PEM") from None
    return context


def _is_local(request: Request) -> bool:
    port = request.environ["SERVER_PORT"]
    ours = (f"{ADDRESS}:{port}", f"localhost:{port}")
    origin = request.headers.get("Origin")
    return request.headers.get("Host") in ours and (origin is None or urlsplit(origin).netloc in ours)


def _is_kept(name: str, headers: Any) -> bool:
    """Return False for headers of one connection alone (RFC 9110, 7.6.1), and those that are set here."""
    named = {each.strip().lower() for each in headers.get("Connection", "").split(",")}
    return not (is_hop_by_hop_header(name) or name.lower() in _OURS or name.lower() in named)


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.raw.stream(PIECE, decode_content=False)
    except HTTPError:
        raise ConnectionAbortedError from None  # the caller's connection breaks off too


def _explain_loss(request: Request, error: Exception) -> Response:
    """Google's client repeats every status from 500 on: what may have been carried out is 409."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.RequestException) and isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return _refuse(502, "UNAVAILABLE", "NOT_SENT", f"the connector can't be reached: {explain_cause(error)}")
    if request.method in _READS or request.headers.get("X-HTTP-Method-Override", "").upper() == "GET":
        return _refuse(502, "UNAVAILABLE", "ANSWER_LOST", "the connection broke before the answer came; read again")
    message = "the connection broke before the answer came: look whether it was carried out before you repeat it"
    return _refuse(409, "ABORTED", "OUTCOME_UNKNOWN", message)


def _refuse(code: int, status: str, reason: str, message: str) -> Response:
    """Write an error as the connector does."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [{"@type": kind, "reason": reason, "domain": "sms-proxy", "metadata": {}}]
    error = {"code": code, "status": status, "message": message, "details": details}
    return Response(dumps({"error": error}), code, mimetype="application/json")
