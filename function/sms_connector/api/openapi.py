"""Make the OpenAPI 3.1 document of the routes and of the payload types that check the requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def with_document(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Add the route that serves the document of all routes, made when it is first asked for: a cold start does not pay
    for it."""

    @cache
    def document() -> bytes:
        return msgspec.json.encode(build_document(every))

    def get_open_api_document(_services: Services, _call: ParsedRequest) -> Answer:
        """Get this document."""
        return Answer(document())

    every = (*routes, Route("GET", "/openapi.json", get_open_api_document, OpenApiDocument))
    return every


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document as plain data."""
    named = {each for route in routes for each in (route.answer, route.body, route.query) if each} | {ProblemDocument}
    types = sorted(
        named | {route.also_answers[1] for route in routes if route.also_answers}, key=lambda it: it.__name__
    )
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    references = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe(route, references, components)
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
            "securitySchemes": {
                "identityToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An identity token of a caller who may invoke the function; a local run needs none.",
                }
            },
        },
    }


def _describe(route: Route, references: dict[type, Any], components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [tag_of(route)],
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route, components), *_header_parameters(route)],
        "responses": dict(_responses(route, references, components)),
    }
    if route.body is not None:
        content: dict[str, Any] = {"application/json": {"schema": references[route.body]}}
        if example := REQUESTS.get(route.operation) or example_of(references[route.body], components):
            content["application/json"]["example"] = example
        content |= {form: {"schema": {"type": "string"}} for form in (*route.streamed, *route.files)}
        described["requestBody"] = {"required": route.body_required, "content": content}
    return described


def _path_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in PARAMETER.findall(route.path):
        known = PARAMETERS[name]
        schema = {"type": "string", "pattern": known.pattern, "description": known.description}
        yield _parameter("path", name, schema, required=True) | {"example": known.example}


def _query_parameters(route: Route, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    schema = components[route.query.__name__] if route.query else {"properties": {}}
    for name, described in schema["properties"].items():
        bare = {key: value for key, value in described.items() if key != "default" or value}
        yield _parameter("query", name, bare, required=name in schema.get("required", ()))


def _header_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name, description in route.headers.items():
        pattern = _HEADER_PATTERNS.get(name, _VISIBLE)
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": pattern, "description": description}
        yield _parameter("header", name, schema)


def _parameter(place: str, name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """Describe a parameter: what its schema says of it, if anything, stands beside the schema."""
    bare = {key: value for key, value in schema.items() if key != "description"}
    parameter = {"name": name, "in": place, "required": required, "schema": bare}
    description = schema.get("description")
    return parameter | ({"description": description} if description else {})


def _responses(route: Route, references: dict[type, Any], components: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID}
    schema = references[route.answer] if route.answer else {}
    done = _response("Done.", schema, headers, example_of(schema, components))
    done["content"] |= {form: {"schema": {"type": "string"}} for form in route.also_as}
    yield str(route.status), done
    if route.also_answers is not None:
        status, kind, when = route.also_answers
        yield str(status), _response(when, references[kind], headers)
    for status in sorted({*EVERYWHERE, *route.errors}):
        more = {"Retry-After": _RETRY_AFTER} if status in (409, 429, 502, 503, 504) else {}
        example = example_of(references[ProblemDocument], components) if status == 400 else None
        yield str(status), _response(_REASONS[status], references[ProblemDocument], headers | more, example)


def _response(description: str, schema: Any, headers: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "headers": headers, "content": {"application/json": content}}


# Resources of another's module, and what is none.
_BELONGS_TO = {"limits": "connection", "health": "service", "openapi.json": "service"}

TAGS = {
    "messages": "Send, preview, look up, list, cancel and redact messages.",
    "campaigns": "Send up to 1 000 000 records, carried out by workers.",
    "templates": "Messages with their mapping, sender and options, saved under a name.",
    "connection": "Describe, test, suspend and resume the connection; show its limits.",
    "optOuts": "Recipients who receive no messages.",
    "inboundMessages": "Messages that recipients sent.",
    "customChannel": "This connector as a custom channel of Customer Insights - Journeys.",
    "callbacks": "Results posted to your callback addresses, and failed attempts.",
    "service": "The process and this document.",
}


def tag_of(route: Route) -> str:
    resource = resource_of(route.path)
    return _BELONGS_TO.get(resource, resource)
