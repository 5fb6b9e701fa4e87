"""`POST /mcp`: the tools by the Model Context Protocol, without sessions and streams.

Two eras of the protocol are served: with a handshake (versions until 2025-11-25), and 2026-07-28, in which every
request is complete in itself. Source: modelcontextprotocol.io/specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import msgspec
from werkzeug.datastructures import Headers

from sms_connector.api.body import parse_json, read_file
from sms_connector.api.handler import RequestContext
from sms_connector.api.problems import MethodNotAllowed, headers_of
from sms_connector.api.resources.entities import described
from sms_connector.api.resources.entity_tools import Tool, find_tool, general_tools, run_tool, type_tools
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.entity_answers import RpcMessage, RpcProblem, RpcResult
from sms_connector.api.services import Services
from sms_connector.errors import ConnectorError, Forbidden, InvalidRequest, NotFound

PATH = "/mcp"
MODERN = "2026-07-28"
HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
BODY_LIMIT = 1024 * 1024
KEPT_MILLIS = 300_000
_META = "io.modelcontextprotocol/"
_INFO = {"name": "sms-connector", "version": "1"}
_INSTRUCTIONS = "Begin with list_entity_types and describe_entity_type; send_message sends a real message."
_CAPABILITIES: Mapping[str, Any] = {"tools": {}}
PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
INTERNAL_ERROR = -32603
ALL_TOOLS = "all"
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022


class RpcError(Exception):
    """An error of the protocol; `status` is the HTTP status."""

    def __init__(self, code: int, message: str, *, status: int = 400, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.data = code, status, data


class Message(msgspec.Struct, frozen=True):
    """A request. `modern`: it is complete in itself."""

    method: str
    params: Mapping[str, Any]
    modern: bool


def respond(services: Services, context: RequestContext) -> Answer:
    """Answer a request of an agent's client."""
    request = context.request
    context.route, context.write_problem = PATH, _write_problem
    if request.method != "POST":
        raise MethodNotAllowed(("POST",))
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Forbidden("requests of web pages of other hosts are refused")
    stream = BytesIO(read_file(request, limit=BODY_LIMIT))
    path = {"project": "-", "location": "-", "connection": services.profile.name}
    return exchange_message(
        services, ParsedRequest(context.request_id, path, None, {}, request.headers, context.log, stream=stream)
    )


def exchange_message(services: Services, call: ParsedRequest) -> Answer:
    """Exchange a message of the Model Context Protocol."""
    document: Any = None
    try:
        document = _read_document(call.stream.read())
        if "id" not in document:
            return Answer(b"", 202)
        message = _read_message(document, call.headers)
        result = _run(services, call, message)
    except RpcError as error:
        given = document.get("id") if isinstance(document, dict) else None
        return _write_error(error, given)
    return Answer({"jsonrpc": "2.0", "id": document["id"], "result": result})


def _write_error(error: RpcError, given: Any, headers: Mapping[str, str] | None = None) -> Answer:
    said = {"code": error.code, "message": str(error)} | ({"data": dict(error.data)} if error.data else {})
    return Answer({"jsonrpc": "2.0", "id": given, "error": said}, error.status, headers or {})


def _write_problem(error: ConnectorError) -> Answer:
    return _write_error(RpcError(INVALID_REQUEST, str(error), status=error.http_status), None, headers_of(error))


def _read_document(raw: bytes) -> dict[str, Any]:
    try:
        document = parse_json(raw)
    except InvalidRequest as error:
        raise RpcError(PARSE_ERROR, str(error)) from None
    if (
        not isinstance(document, dict)
        or document.get("jsonrpc") != "2.0"
        or not isinstance(document.get("method"), str)
        or type(document.get("id", "")) not in (str, int)
    ):
        message = (
            'the body is not a JSON-RPC message: an object with jsonrpc "2.0", a method and a text or number as id'
        )
        raise RpcError(INVALID_REQUEST, message)
    if not isinstance(document.get("params", {}), dict):
        raise RpcError(INVALID_PARAMS, "params must be an object")
    return document


def _read_message(document: Mapping[str, Any], headers: Headers) -> Message:
    """Read the request. Raises RpcError where its headers say otherwise than its body."""
    method, params = document["method"], document.get("params", {})
    meta = params.get("_meta", {})
    version = meta.get(f"{_META}protocolVersion") if isinstance(meta, dict) else None
    if version is None and method != "server/discover":
        return Message(method, params, modern=False)
    named = {"MCP-Protocol-Version": version, "Mcp-Method": method}
    if method == "tools/call":
        named["Mcp-Name"] = params.get("name")
    for header, value in named.items():
        if headers.get(header) != value:
            raise RpcError(HEADER_MISMATCH, f"the header {header} does not say what the body says")
    if version != MODERN:
        data = {"supported": [MODERN], "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, f"protocol version {MODERN} is supported", data=data)
    if not isinstance(meta.get(f"{_META}clientCapabilities"), dict):
        raise RpcError(INVALID_PARAMS, f"params._meta is missing {_META}clientCapabilities")
    return Message(method, params, modern=True)


def _run(services: Services, call: ParsedRequest, message: Message) -> dict[str, Any]:
    match message.method:
        case "server/discover":
            return _complete(
                {
                    "supportedVersions": [MODERN],
                    "capabilities": dict(_CAPABILITIES),
                    "instructions": _INSTRUCTIONS,
                    "_meta": {f"{_META}serverInfo": _INFO},
                },
                cached=True,
            )
        case "initialize" if not message.modern:
            asked = message.params.get("protocolVersion")
            version = asked if asked in HANDSHAKE else HANDSHAKE[-1]
            said = {"protocolVersion": version, "capabilities": dict(_CAPABILITIES), "serverInfo": _INFO}
            return {**said, "instructions": _INSTRUCTIONS}
        case "ping" if not message.modern:
            return {}
        case "tools/list":
            tools = {"tools": [tool.write() for tool in _listed(services)]}
            return _complete(tools, cached=True) if message.modern else tools
        case "tools/call":
            called = _call(services, call, message)
            return _complete(called) if message.modern else called
        case _:
            status = 404 if message.modern else 200
            raise RpcError(UNKNOWN_METHOD, f"unknown method {message.method[:80]!r}", status=status)


def _listed(services: Services) -> list[Tool]:
    """Return the general tools and those of single types that the connection names. Raises RpcError."""
    entities, named = described(services), services.mcp_tools
    if ALL_TOOLS in named:
        return [*general_tools(entities), *type_tools(entities)]
    try:
        return [*general_tools(entities), *(find_tool(entities, name) for name in named)]
    except NotFound as error:
        raise RpcError(INTERNAL_ERROR, f"SMS_MCP_TOOLS: {error}", status=200) from None


def _complete(result: dict[str, Any], *, cached: bool = False) -> dict[str, Any]:
    kept = {"ttlMs": KEPT_MILLIS, "cacheScope": "private"} if cached else {}
    return {**result, **kept, "resultType": "complete"}


def _call(services: Services, call: ParsedRequest, message: Message) -> dict[str, Any]:
    """Call a tool. Its failure is a result: the model reads the fix."""
    name, given = message.params.get("name"), message.params.get("arguments") or {}
    status = 400 if message.modern else 200
    try:
        find_tool(described(services), str(name))
    except NotFound as error:
        raise RpcError(INVALID_PARAMS, str(error), status=status) from None
    if not isinstance(given, dict):
        raise RpcError(INVALID_PARAMS, "arguments must be an object", status=status)
    try:
        result, _ = run_tool(services, call, str(name), given)
    except ConnectorError as error:
        if error.http_status == 500:
            raise
        return {"content": [{"type": "text", "text": str(error)}], "isError": True}
    text = msgspec.json.encode(result).decode()
    return {"content": [{"type": "text", "text": text}], "structuredContent": dict(result), "isError": False}


ROUTES = (
    Route(
        "POST",
        PATH,
        exchange_message,
        RpcResult,
        body=RpcMessage,
        errors=(404,),
        also_answers=(202, None, "It was a notification."),
        problem=RpcProblem,
    ),
)
