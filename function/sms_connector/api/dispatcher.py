"""Find a request's route, and read and check what was sent before the route's function gets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import flask
import msgspec

from sms_connector.api.body import drain, parse_json, read_body, read_file, unlimited
from sms_connector.api.handler import Handle, RequestContext, RequestHandler
from sms_connector.api.openapi import with_document
from sms_connector.api.resources import campaigns, connection, health, messages, notifications, opt_outs, templates
from sms_connector.api.router import Router
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.conversion import convert, convert_query
from sms_connector.api.services import Services
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest

ROUTES = (
    *messages.ROUTES,
    *campaigns.ROUTES,
    *templates.ROUTES,
    *connection.ROUTES,
    *opt_outs.ROUTES,
    *notifications.ROUTES,
    *health.ROUTES,
)


def build_api(services: Services, *, more_routes: Iterable[Route] = (), own_routes: Iterable[Route] = ()) -> Handle:
    """Build the HTTP function. `more_routes` are in the OpenAPI document too; `own_routes`, which the queue calls, are not."""
    return serve(services, (*with_document((*ROUTES, *more_routes)), *own_routes))


def serve(services: Services, routes: Iterable[Route]) -> Handle:
    """Build an HTTP function of these routes alone."""
    return RequestHandler(services.log, Dispatcher(services, Router(routes)).respond).handle


class Dispatcher(msgspec.Struct, frozen=True):
    """Calls the function of a request's route."""

    services: Services
    router: Router

    def respond(self, context: RequestContext) -> Answer:
        route, path = self.router.match(context.request.method, context.request.path)
        context.route = route.path
        try:
            return route.handler(self.services, _parse_request(context, route, path))
        finally:
            if route.streamed:
                drain(context.request)


def _parse_request(context: RequestContext, route: Route, path: Mapping[str, str]) -> ParsedRequest:
    request = context.request
    query = convert_query(request.query_string, route.query)
    if route.streamed:
        return ParsedRequest(
            context.request_id, path, query, None, None, request.headers, context.log, unlimited(request)
        )
    if route.files and request.mimetype in route.files:
        file = BytesIO(read_file(request, limit=route.body_limit))
        return ParsedRequest(context.request_id, path, query, None, None, request.headers, context.log, file)
    document, body = _read_body(request, route)
    return ParsedRequest(context.request_id, path, query, body, document, request.headers, context.log)


def _read_body(request: flask.Request, route: Route) -> tuple[Any, msgspec.Struct | None]:
    if route.body is None:
        return None, None
    raw = read_body(request, limit=route.body_limit)
    if raw:
        document = parse_json(raw)
        return document, convert(document, route.body)
    if route.body_required:
        raise InvalidRequest(FieldProblem("", "the body is missing; send a JSON object", ErrorKind.MISSING_VALUE))
    return {}, convert({}, route.body)
