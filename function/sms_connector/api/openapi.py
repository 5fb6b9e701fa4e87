"""Make the OpenAPI 3.1 document of the routes and of the payload types that check the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import msgspec

from sms_connector.api.examples import REQUESTS, example_of
from sms_connector.api.routing import PARAMETER, PARAMETERS, Answer, ParsedRequest, Route, resource_of
from sms_connector.api.schemas.base import ENTITY_TAGS, Payload, ProblemDocument
from sms_connector.api.services import Services

API_VERSION = "1.0.0"
EVERYWHERE = (400, 401, 403, 405, 500, 503)
_REFERENCE = "#/components/schemas/{name}"
_REASONS = {
    400: "Invalid request; every wrong field is named. Nothing was sent or kept.",
    401: "From the platform: no valid identity token.",
    403: "The caller may not call this function (from the platform), or not do this.",
    404: "Not found.",
    412: "The resource is not as `If-Match` or `If-None-Match` expects it; nothing was changed.",
    405: "The path is right, the method is not.",
    409: "The first request with this idempotency key is still running.",
    422: "Well-formed, but it can't be carried out as things stand: key reused, suspended, not supported.",
    429: "It could not start within the queue limit; nothing was sent.",
    500: "An internal error; the log has it under the request id.",
    502: "The provider refused, or could not be reached.",
    503: "The ledger is unavailable, or (from the platform) no instance is free: see `retry` in the details.",
    504: "The provider did not answer in time.",
}
_GOOGLE_REASONS = {
    400: "Conditions, values, page token or SQL are wrong, the provider refused, or the connection is suspended.",
    403: "The caller may not call this function (from the platform), or the operation is switched off.",
    409: "The outcome is unknown, or a change by condition ended in the middle: never repeat it blindly.",
    429: "No turn at the throttle, or the provider's own limit; nothing was done.",
    502: "The provider can't be reached; nothing was done.",
    504: "The provider did not answer in time; nothing was done.",
}
_VISIBLE = "^[!-~]+$"
_HEADER_PATTERNS = {"If-Match": ENTITY_TAGS, "If-None-Match": ENTITY_TAGS}
_REQUEST_ID = {"description": "The id of this request, also in the log.", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "Seconds until a repetition makes sense.", "schema": {"type": "integer", "minimum": 1}}


class OpenApiDocument(Payload):
    """This document."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    security: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]


def with_document(routes: Sequence[Route], entity_routes: Callable[[], Sequence[Route]] = tuple) -> tuple[Route, ...]:
    """Add the route that serves the document of all routes, made when it is first asked for: a cold start does not pay
    for it, nor for the routes of the provider's data."""

    @cache
    def document(has_entities: bool) -> bytes:
        return msgspec.json.encode(build_document((*every, *(entity_routes() if has_entities else ()))))

    def get_open_api_document(services: Services, _call: ParsedRequest) -> Answer:
        """Get this document."""
        return Answer(document(services.make_entities is not None))

    every = (*routes, Route("GET", "/openapi.json", get_open_api_document, OpenApiDocument))
    return every


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document as plain data."""
    routes = [route for route in routes if route.documented]
    named = {each for route in routes for each in (route.answer, route.body, route.query, route.problem) if each}
    also = {route.also_answers[1] for route in routes if route.also_answers and route.also_answers[1]}
    types = sorted(named | also, key=lambda it: it.__name__)
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    paths: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for route in routes:
        item = paths.setdefault(route.path, {})
        item[route.method.lower()] = _describe(route, components)
        if route.shared:
            shared |= {_key_of(name): _describe_query(name, text) for name, text in route.shared.items()}
            item["parameters"] = [{"$ref": f"#/components/parameters/{_key_of(name)}"} for name in route.shared]
    queries = {route.query.__name__ for route in routes if route.query}
    kept = {name: schema for name, schema in components.items() if name not in queries}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SMS connector",
            "version": API_VERSION,
            "description": "Send text messages and follow each to a final status. Rules and examples: "
            "docs/http-api.md.",
        },
        "servers": [
            {"url": "/", "description": "The connector that served this document."},
            {"url": "http://127.0.0.1:8080", "description": "A local run (`make serve`)."},
        ],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "security": [{"identityToken": []}, {}],
        "paths": paths,
        "components": {
            "schemas": kept,
            "parameters": shared,
            "responses": _failures(routes, components),
            "securitySchemes": {
                "identityToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An identity token of a caller who may invoke the function; a local run needs none.",
                }
            },
        },
    }


def _describe(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    resource = resource_of(route.path)
    described: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [_BELONGS_TO.get(resource, resource)],
        "summary": route.summary,
        "parameters": list(_parameters(route, components)),
        "responses": dict(_responses(route, components)),
    }
    if route.body is not None:
        example = REQUESTS.get(route.operation) or example_of(_refer(route.body), components)
        content = _content(route.body, example or None, *route.streamed, *route.files)
        described["requestBody"] = {"required": route.body_required, "content": content}
    return described


def _key_of(name: str) -> str:
    return name.removeprefix("$.")


def _describe_query(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": ["json"]} if name == "alt" else {"type": "string"}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _parameters(route: Route, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Describe the parameters: what a schema says of one stands beside the schema."""
    schema: dict[str, Any]
    for name in PARAMETER.findall(route.path):
        known = PARAMETERS[name]
        described = {"description": known.description} if known.description else {}
        schema = {"type": "string", "pattern": known.pattern}
        yield {"name": name, "in": "path", "required": True, "schema": schema, "example": known.example, **described}
    query = components[route.query.__name__] if route.query else {"properties": {}}
    for name, field in query["properties"].items():
        described = {"description": field["description"]} if "description" in field else {}
        schema = {key: value for key, value in field.items() if key != "description" and (key != "default" or value)}
        required = name in query.get("required", ())
        yield {"name": name, "in": "query", "required": required, "schema": schema, **described}
    for name, description in route.headers.items():
        pattern = _HEADER_PATTERNS.get(name, _VISIBLE)
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": pattern}
        yield {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


def _responses(route: Route, components: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID}
    content = _content(route.answer, example_of(_refer(route.answer), components), *route.also_as)
    yield str(route.status), {"description": "Done.", "headers": headers, "content": content}
    if route.also_answers is not None:
        status, kind, when = route.also_answers
        yield str(status), {"description": when, "headers": headers} | ({"content": _content(kind)} if kind else {})
    for status in _error_statuses(route):
        yield str(status), {"$ref": f"#/components/responses/{_name_failure(route, status)}"}


def _error_statuses(route: Route) -> list[int]:
    return sorted({*EVERYWHERE, *route.errors})


def _name_failure(route: Route, status: int) -> str:
    return f"{route.problem.__name__.removesuffix('Document')}{status}"


def _failures(routes: Sequence[Route], components: dict[str, Any]) -> dict[str, Any]:
    """Describe how requests fail, once for each form of an error and each status."""
    described: dict[str, Any] = {}
    for route in routes:
        reasons = _REASONS | (_GOOGLE_REASONS if route.shared else {})
        for status in _error_statuses(route):
            retried = {"Retry-After": _RETRY_AFTER} if status in (409, 429, 502, 503, 504) else {}
            kind = ProblemDocument if status == 500 else route.problem
            example = example_of(_refer(kind), components) if status == 400 else None
            described[_name_failure(route, status)] = {
                "description": reasons[status],
                "headers": {"X-Request-Id": _REQUEST_ID, **retried},
                "content": _content(kind, example),
            }
    return described


def _refer(kind: type) -> dict[str, Any]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _content(kind: type, example: Any = None, *also_as: str) -> dict[str, Any]:
    """Describe a body: a document, or text of other content types."""
    document = {"schema": _refer(kind)} | ({} if example is None else {"example": example})
    return {"application/json": document, **{form: {"schema": {"type": "string"}} for form in also_as}}


# Resources of another's module, and what is none.
_BELONGS_TO = {
    "v2": "entities",
    "projects": "entities",
    "limits": "connection",
    "senders": "connection",
    "health": "service",
    "openapi.json": "service",
}

TAGS = {
    "messages": "Send, preview, look up, list, cancel and redact messages.",
    "campaigns": "Send up to 1 000 000 records, carried out by workers.",
    "templates": "Messages with their mapping, sender and options, saved under a name.",
    "connection": "Describe, test, suspend and resume the connection; show its senders and limits.",
    "optOuts": "Recipients who receive no messages.",
    "inboundMessages": "Messages that recipients sent.",
    "customChannel": "This connector as a custom channel of Customer Insights - Journeys.",
    "callbacks": "Results posted to your callback addresses, and failed attempts.",
    "entities": "The provider's data, on the wire of Google's Integration Connectors (docs/entities.md).",
    "mcp": "Tools for agents, by the Model Context Protocol.",
    "service": "The process and this document.",
}
