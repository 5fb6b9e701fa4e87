"""Requests to bytes and answers to values: the only place that knows how HTTP/1.1 looks on the way out."""

from __future__ import annotations

import zlib

from sms_connector.errors import ErrorKind

from .failures import WireError
from .http import HttpRequest
from .wire import Reply

# Framing and addressing belong to the transport; a room that set them too would break the message in two.
_OURS = frozenset(("host", "content-length", "transfer-encoding", "connection", "proxy-authorization"))
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_COMPRESSED = frozenset(("gzip", "x-gzip", "deflate"))


def write_message(
    request: HttpRequest, path: str, authority: str, *, user_agent: str, proxy_authorization: str | None = None
) -> bytes:
    """The whole message in one piece, so that it leaves in one write. Raises WireError where a header can't be sent."""
    lines = [f"{request.method} {path} HTTP/1.1", f"Host: {authority}"]
    names = set()
    for name, value in request.headers.items():
        lowered = name.lower()
        if lowered not in _OURS:
            names.add(lowered)
            lines.append(f"{name}: {value}")
    if request.authorization is not None:
        lines.append(f"Authorization: {request.authorization}")
    if proxy_authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy_authorization}")
    if "user-agent" not in names:
        lines.append(f"User-Agent: {user_agent}")
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    body = request.body or b""
    if body or request.method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    # One line end between two lines and no other: nothing in a value can begin a header or a request of its own.
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise _unusable("a line end or a zero byte")
    try:
        return f"{head}\r\n\r\n".encode("latin-1") + body
    except UnicodeEncodeError:
        raise _unusable("a character beyond Latin-1") from None


def _unusable(what: str) -> WireError:
    return WireError(f"a header holds {what}", written=False, kind=ErrorKind.INVALID_REQUEST, again=False)


def read_headers(reply: Reply) -> dict[str, str]:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers}
    if len(headers) == len(reply.headers):
        return headers
    merged: dict[str, str] = {}
    for raw_name, raw_value in reply.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged


def decode_body(reply: Reply, headers: dict[str, str], *, limit: int) -> bytes:
    """The body as it was before compression: we ask for none; some servers compress all the same."""
    if headers.get("content-encoding", "identity").lower() not in _COMPRESSED or not reply.body:
        return reply.body
    # 32: zlib finds out by itself whether it is gzip or zlib, which both go by the name of deflate.
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        body = inflater.decompress(reply.body, limit)
    except zlib.error:
        body = b""
    if inflater.eof or reply.status >= 300:
        return body
    raise WireError("the answer's compressed body is broken or too large", written=True, again=False)
