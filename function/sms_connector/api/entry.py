"""The door: one request in, one answer out, whatever happens in between.

Here is the one broad `except` of the connector. What it catches is a fault of ours: the caller gets a request id, the
log the place in the code.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import flask
import msgspec

from sms_connector.api import connection, consent, health, messages
from sms_connector.api.body import parse_json, read_body
from sms_connector.api.conversion import convert, convert_query
from sms_connector.api.openapi import with_document
from sms_connector.api.problems import write_internal_error, write_problem
from sms_connector.api.route import Answer, Call, Route, Services
from sms_connector.api.router import Router
from sms_connector.errors import ConnectorError, FieldProblem, InvalidRequest, Kind
from sms_connector.structured_log import StructuredLog

ROUTES = (*messages.ROUTES, *connection.ROUTES, *consent.ROUTES, *health.ROUTES)

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_JSON = "application/json"

Handle = Callable[[flask.Request], flask.Response]


def build_api(services: Services, *, more_routes: Iterable[Route] = ()) -> Handle:
    """The HTTP function. `more_routes` are served beside ours and stand in the same OpenAPI document."""
    return Entry(services, Router(with_document((*ROUTES, *more_routes)))).handle


@dataclass(frozen=True, slots=True)
class Entry:
    """Reads a request, has its route answer it, and writes down how it went."""

    services: Services
    router: Router

    def handle(self, request: flask.Request) -> flask.Response:
        begun = time.perf_counter()
        request_id = _read_request_id(request)
        log = self.services.log.bind_request(request.headers, request_id=request_id)
        route: Route | None = None
        kind: Kind | None = None
        try:
            route, path = self.router.match(request.method, request.path)
            answer = route.handler(self.services, _read_call(request, route, path, request_id=request_id, log=log))
        except ConnectorError as error:
            ours = error.http_status == 500
            answer = write_internal_error(request_id) if ours else write_problem(error)
            kind = getattr(error, "kind", None)
            if answer.status >= 500:
                log.error("request failed", exception=error, kind=kind)
        except Exception as error:  # noqa: BLE001  # the entry: whatever it is, the caller gets an answer and the log the place
            answer = write_internal_error(request_id)
            log.error("unexpected failure", exception=error)
        taken = round((time.perf_counter() - begun) * 1000, 1)
        _log_request(log, request.method, route, status=answer.status, durationMillis=taken, kind=kind)
        return _write_response(answer, request_id)


def _read_call(
    request: flask.Request, route: Route, path: Mapping[str, str], *, request_id: str, log: StructuredLog
) -> Call:
    query = convert_query(request.query_string, route.query)
    document, body = _read_body(request, route)
    return Call(request_id, path, query, body, document, request.headers, log)


def _read_body(request: flask.Request, route: Route) -> tuple[Any, msgspec.Struct | None]:
    if route.body is None:
        return None, None
    raw = read_body(request, limit=route.body_limit)
    if raw:
        document = parse_json(raw)
        return document, convert(document, route.body)
    if route.body_required:
        raise InvalidRequest(FieldProblem("", "the body is missing; send a JSON object", Kind.MISSING_VALUE))
    return {}, convert({}, route.body)


def _read_request_id(request: flask.Request) -> str:
    """The caller's own id where it is fit for a header and a log; else one of ours."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _log_request(log: StructuredLog, method: str, route: Route | None, **how: Any) -> None:
    """One line a request, with its route and not its path, which may hold a number. A probe every second is no news."""
    write = log.debug if route is not None and route.path == "/health" else log.info
    told = {name: value for name, value in how.items() if value is not None}
    write("request", method=method, route=route.path if route else None, **told)


def _write_response(answer: Answer, request_id: str) -> flask.Response:
    content = answer.content if isinstance(answer.content, bytes) else msgspec.json.encode(answer.content)
    headers = {REQUEST_ID_HEADER: request_id, "Cache-Control": "no-store", **answer.headers}
    return flask.Response(content, answer.status, headers, content_type=_JSON)
