"""Make the OpenAPI 3.1 document of the routes and of the payload types that check the requests.

Names of operations follow from method and path, as a generated client names its functions and modules: `POST
/v1/messages:send` is `sendMessages` of `messages`, `GET /v1/campaigns/{id}/results` is `listCampaignResults` of
`campaigns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from sms_connector.api import examples
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.base import ENTITY_TAGS, Payload, ProblemDocument
from sms_connector.api.services import Services

API_VERSION = "1.0.0"
EVERYWHERE = (400, 401, 403, 405, 500, 503)
_PARAMETER = re.compile(r"<(\w+):(\w+)>")
_REFERENCE = "#/components/schemas/{name}"
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "id": {"schema": {"type": "string", "pattern": "^msg_[A-Za-z0-9_-]+$", "maxLength": 68}},
    "campaign": {"schema": {"type": "string", "pattern": "^cmp_c[0-9a-f]{20}$"}},
    "callback": {"schema": {"type": "string", "pattern": "^cb_[0-9a-f]{26}$"}},
    "template": {"schema": {"type": "string", "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"}},
    "address": {
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9+:._@-]+$", "maxLength": 100},
        "description": "A number in E.164 form, or a channel address.",
    },
}
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


class _Server(msgspec.Struct):
    """Makes the document when it is first asked for: a cold start does not pay for it."""

    routes: Sequence[Route]
    content: bytes | None = None

    def answer(self, _services: Services, _call: ParsedRequest) -> Answer:
        if self.content is None:
            self.content = msgspec.json.encode(build_document(self.routes))
        return Answer(self.content)


def with_document(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Add the route that serves the document of all routes."""
    server = _Server(())
    own = Route("GET", "/openapi.json", server.answer, "This document", OpenApiDocument)
    server.routes = (*routes, own)
    return (*routes, own)


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document as plain data."""
    named = {
        kind
        for route in routes
        for kind in (route.answer, route.also_answers and route.also_answers[1], route.body, route.query)
        if kind is not None
    }
    types = sorted(named | {ProblemDocument}, key=lambda each: each.__name__)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    references = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\2}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _describe(route, references, components)
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
    name = operation_id(route)
    described: dict[str, Any] = {
        "operationId": name,
        "tags": [tag_of(route)],
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route, components), *_header_parameters(route)],
        "responses": dict(_responses(route, references)),
    }
    if route.body is not None:
        content: dict[str, Any] = {"application/json": {"schema": references[route.body]}}
        if name in examples.REQUESTS:
            content["application/json"]["example"] = examples.REQUESTS[name]
        content |= {form: {"schema": {"type": "string"}} for form in (*route.streamed, *route.files)}
        described["requestBody"] = {"required": route.body_required, "content": content}
    return described


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "example": examples.PARAMETERS[name],
            **_PATH_PARAMETERS[converter],
        }
        for converter, name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if route.query is None:
        return
    schema = components[route.query.__name__]
    for name, described in schema["properties"].items():
        bare = {key: value for key, value in described.items() if key not in ("default", "description")}
        if described.get("default"):
            bare["default"] = described["default"]
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": bare}
        yield parameter | ({"description": described["description"]} if "description" in described else {})


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": _HEADER_PATTERNS.get(name, _VISIBLE),
            },
        }
        for name, description in route.headers.items()
    ]


def _responses(route: Route, references: dict[type, Any]) -> Iterator[tuple[str, Any]]:
    schema = references[route.answer] if route.answer else {}
    done = _response("Done.", schema, {"X-Request-Id": _REQUEST_ID}, examples.ANSWERS.get(operation_id(route)))
    done["content"] |= {form: {"schema": {"type": "string"}} for form in route.also_as}
    yield str(route.status), done
    if route.also_answers is not None:
        status, kind, when = route.also_answers
        yield str(status), _response(when, references[kind], {"X-Request-Id": _REQUEST_ID})
    for status in sorted({*EVERYWHERE, *route.errors}):
        headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID}
        if status in (409, 429, 502, 503, 504):
            headers["Retry-After"] = _RETRY_AFTER
        reason = _REASONS.get(status, HTTPStatus(status).phrase)
        example = examples.PROBLEM if status == 400 else None
        yield str(status), _response(reason, references[ProblemDocument], headers, example)


def _response(description: str, schema: Any, headers: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "headers": headers, "content": {"application/json": content}}


_VERBS = {"GET": "get", "POST": "create", "PUT": "save", "DELETE": "delete"}
_SERVICE = {"/health": "getHealth", "/openapi.json": "getOpenApiDocument"}
# Resources of another's module.
_BELONGS_TO = {"limits": "connection", "senders": "connection"}

TAGS = {
    "messages": "Send, preview, look up, list, cancel and redact messages.",
    "campaigns": "Send up to 1 000 000 records, carried out by workers.",
    "templates": "Messages with their mapping, sender and options, saved under a name.",
    "connection": "Describe, test, suspend and resume the connection; show its limits.",
    "optOuts": "Recipients who receive no messages.",
    "inboundMessages": "Messages that recipients sent.",
    "callbacks": "Results posted to your callback addresses, and failed attempts.",
    "service": "The process and this document.",
}


def operation_id(route: Route) -> str:
    """Return a name such as `getCampaign`, unique among all routes."""
    if route.path in _SERVICE:
        return _SERVICE[route.path]
    path, _, verb = _PARAMETER.sub("{}", route.path).removeprefix("/v1/").partition(":")
    parts = path.split("/")
    nouns = [part for part in parts if part != "{}"]
    is_item = parts[-1] == "{}"
    is_list = not is_item and _has_pages(route)
    verb = verb or ("list" if is_list else _VERBS[route.method])
    keeps_plural = is_list or (not is_item and verb != "create")
    words = [_singular(noun) for noun in nouns[:-1]] + [nouns[-1] if keeps_plural else _singular(nouns[-1])]
    return verb + "".join(word[0].upper() + word[1:] for word in words)


def tag_of(route: Route) -> str:
    if route.path in _SERVICE:
        return "service"
    resource = re.split("[/:]", route.path.removeprefix("/v1/"), maxsplit=1)[0]
    return _BELONGS_TO.get(resource, resource)


def _has_pages(route: Route) -> bool:
    return "next_page_token" in getattr(route.answer, "__struct_fields__", ())


def _singular(noun: str) -> str:
    return noun.removesuffix("s")
