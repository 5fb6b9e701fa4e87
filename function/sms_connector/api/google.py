"""Answer Google's clients: their method override, the query parameters that every method of Google's takes, and errors
in the form they read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sms_connector.api.body import parse_json, read_body, read_file
from sms_connector.api.dispatcher import Router
from sms_connector.api.handler import RequestContext
from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.resources import entities, entity_actions, entity_agents, entity_tools
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.conversion import convert, convert_query
from sms_connector.api.schemas.entity import STANDARD
from sms_connector.api.services import Services
from sms_connector.errors import (
    BackendUnavailable,
    CallError,
    ConnectorError,
    ErrorKind,
    FieldProblem,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ProviderRefused,
    RequestError,
    RetrySafety,
)

DOMAIN = "sms-connector"
OVERRIDE = "X-HTTP-Method-Override"
_FORM = "application/x-www-form-urlencoded"
_TYPE = "type.googleapis.com/google.rpc."


ROUTES = (*entities.ROUTES, *entity_actions.ROUTES, *entity_tools.ROUTES, *entity_agents.ROUTES)


@cache
def _router() -> Router:
    return Router(ROUTES)


def respond(services: Services, context: RequestContext) -> Answer:
    """Answer a request of one of Google's clients."""
    context.write_problem = write_problem
    request = context.request
    method, query = request.method, request.query_string
    if method == "POST" and request.headers.get(OVERRIDE, "").upper() == "GET":
        # The client sends a GET whose address is over 2 048 characters as a form. As a POST it would create something.
        if request.mimetype != _FORM:
            raise InvalidRequest(FieldProblem(OVERRIDE, f"needs the query as a form ({_FORM})"))
        method, query = "GET", b"&".join(part for part in (query, read_file(request, limit=64 * 1024)) if part)
    route, path = _router().match(method, request.path)
    context.route = route.path
    _check_connection(services, path)
    typed, given = convert_query(_without_standard(query), route.query)
    document, body = _read_body(context, route) if method != "GET" else (None, None)
    parsed = ParsedRequest(
        context.request_id, path, typed, given, request.headers, context.log, body=body, document=document
    )
    return route.handler(services, parsed)


def _check_connection(services: Services, path: Mapping[str, str]) -> None:
    if path.get("connection", services.profile.name) != services.profile.name:
        raise NotFound(f"no connection {path['connection'][:80]!r} here; this is {services.profile.name}")


def _without_standard(query: bytes) -> bytes:
    """Return the query without what every method takes. Raises InvalidRequest where it asks for another form."""
    pairs = parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True)
    for name, value in pairs:
        if name == "callback" or (name == "alt" and value != "json"):
            raise InvalidRequest(FieldProblem(name, "is not offered; answers are JSON (alt=json)"))
    return urlencode([pair for pair in pairs if pair[0] not in STANDARD]).encode("ascii")


def _read_body(context: RequestContext, route: Route) -> tuple[Any, Any]:
    if route.body is None:
        return None, None
    raw = read_body(context.request, limit=route.body_limit)
    document = parse_json(raw) if raw else {}
    return document, convert(document, route.body)


def write_problem(error: ConnectorError) -> Answer:
    """Return an error as Google's client reads it: programs branch on `status` and on the details' `reason`.

    The client repeats 429 and every status from 500 on, POST too: what may be done already is 409.
    """
    status, code = _status_of(error)
    headers = {}
    details = _write_details(error)
    after = getattr(error, "retry_after", None)
    if after is not None and status in (429, 502, 503):
        headers["Retry-After"] = str(max(1, math.ceil(after)))
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{math.ceil(after)}s"})
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    document = {"error": {"code": status, "status": code, "message": str(error), "details": details}}
    return Answer(document, status, headers)


def _status_of(error: ConnectorError) -> tuple[int, str]:
    if isinstance(error, OutcomeUnknown) or (
        isinstance(error, BackendUnavailable) and error.retry is RetrySafety.UNKNOWN_OUTCOME
    ):
        return 409, "ABORTED"
    if isinstance(error, ProviderRefused):
        return _status_of_refusal(error)
    if isinstance(error, CallError):
        if error.kind is ErrorKind.RATE_LIMITED:
            return 429, "RESOURCE_EXHAUSTED"
        return (504, "DEADLINE_EXCEEDED") if error.kind is ErrorKind.TIMEOUT else (502, "UNAVAILABLE")
    if error.http_status in (412, 413, 422):
        return 400, error.rpc_status
    return error.http_status, error.rpc_status


def _status_of_refusal(error: ProviderRefused) -> tuple[int, str]:
    """Refused credentials are ours to mend, and then a repetition is right."""
    if error.kind is ErrorKind.AUTHENTICATION:
        return 502, "UNAVAILABLE"
    if error.kind is ErrorKind.RATE_LIMITED:
        return 429, "RESOURCE_EXHAUSTED"
    if error.status == 404:
        return 404, "NOT_FOUND"
    return (409, "ABORTED") if error.status == 409 else (400, "INVALID_ARGUMENT")


def _write_details(error: ConnectorError) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if isinstance(error, RequestError) and error.problems:
        violations = [{"field": each.field, "description": each.message} for each in error.problems[:100]]
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": violations})
    metadata = {}
    reason = str(error.kind)
    if isinstance(error, OutcomeUnknown | BackendUnavailable) and _status_of(error)[0] == 409:
        reason = "OUTCOME_UNKNOWN"
    elif isinstance(error, ProviderRefused):
        reason = "PROVIDER_WITHDRAWN" if error.kind is ErrorKind.UNSUPPORTED else "PROVIDER_REFUSED"
        named = {"code": error.code, "moreInfo": error.more_info}
        metadata = {name: str(value) for name, value in named.items() if value is not None}
    details.append({"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": DOMAIN, "metadata": metadata})
    return details
