"""Find a request's route, and read and check what was sent before the route's function gets it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from io import BytesIO
from typing import Any

import flask
import msgspec

from sms_connector.api.body import drain, parse_json, read_body, read_file, unlimited
from sms_connector.api.handler import Handle, RequestContext, RequestHandler
from sms_connector.api.openapi import with_document
from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.resources import (
    campaigns,
    connection,
    custom_channel,
    health,
    messages,
    notifications,
    opt_outs,
    templates,
)
from sms_connector.api.routing import PARAMETER, PARAMETERS, Answer, ParsedRequest, Route, resource_of
from sms_connector.api.schemas.conversion import convert, convert_query
from sms_connector.api.services import Services
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, NotFound

ROUTES = (
    *messages.ROUTES,
    *campaigns.ROUTES,
    *templates.ROUTES,
    *connection.ROUTES,
    *custom_channel.ROUTES,
    *opt_outs.ROUTES,
    *notifications.ROUTES,
    *health.ROUTES,
)

# The wire of Google's Integration Connectors.
GOOGLE_PREFIXES = ("/v2/", "/v1/projects/")
# The Model Context Protocol.
AGENTS_PATH = "/mcp"


def build_api(services: Services, *, own_routes: Iterable[Route] = ()) -> Handle:
    """Build the HTTP function. `own_routes`, which the queue calls, are not in the OpenAPI document."""
    return serve(services, (*with_document(ROUTES, entity_routes), *own_routes))


def entity_routes() -> tuple[Route, ...]:
    """Return the routes of the provider's data, which are loaded apart."""
    from sms_connector.api import google, mcp

    return (*google.ROUTES, *mcp.ROUTES)


def serve(services: Services, routes: Iterable[Route]) -> Handle:
    """Build an HTTP function of these routes alone."""
    return RequestHandler(services.log, Dispatcher(services, Router(routes)).respond).handle


class Dispatcher(msgspec.Struct, frozen=True):
    """Calls the function of a request's route."""

    services: Services
    router: Router

    def respond(self, context: RequestContext) -> Answer:
        if self.services.make_entities is not None:
            # The first request for the provider's data loads what answers it.
            if context.request.path.startswith(GOOGLE_PREFIXES):
                from sms_connector.api import google

                return google.respond(self.services, context)
            if context.request.path == AGENTS_PATH:
                from sms_connector.api import mcp

                return mcp.respond(self.services, context)
        route, path = self.router.match(context.request.method, context.request.path)
        context.route = route.path
        try:
            parsed = _parse_request(context, route, path)
            for name, value in path.items():
                PARAMETERS[name].check(value)
            return route.handler(self.services, parsed)
        finally:
            if route.streamed:
                drain(context.request)


def _parse_request(context: RequestContext, route: Route, path: Mapping[str, str]) -> ParsedRequest:
    request = context.request
    query, given = convert_query(request.query_string, route.query)
    parsed = partial(ParsedRequest, context.request_id, path, query, given, request.headers, context.log)
    if route.streamed:
        return parsed(stream=unlimited(request))
    if request.mimetype in route.files:
        return parsed(stream=BytesIO(read_file(request, limit=route.body_limit)))
    document, body = _read_body(request, route)
    return parsed(document=document, body=body)


def _read_body(request: flask.Request, route: Route) -> tuple[Any, msgspec.Struct | None]:
    if route.body is None:
        return None, None
    raw = read_body(request, limit=route.body_limit)
    if not raw and route.body_required:
        raise InvalidRequest(FieldProblem("", "the body is missing; send a JSON object", ErrorKind.MISSING_VALUE))
    document = parse_json(raw) if raw else {}
    return document, convert(document, route.body)


class Router:
    """Matches a method and a path against the routes. Custom verbs follow a colon (AIP-136).

    Only the patterns of the path's resource are tried, and compiled when they are first needed (by `re`, which keeps
    them): a cold start does not pay for the others.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._of_resource: dict[str, list[tuple[str, Route]]] = {}
        for route in routes:
            pattern = PARAMETER.sub(
                lambda match: f"(?P<{match[1]}>{PARAMETERS[match[1]].segment})", route.path.replace(".", r"\.")
            )
            self._of_resource.setdefault(resource_of(route.path), []).append((pattern, route))

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route and the parameters of its path. Raises NotFound (404) or MethodNotAllowed (405)."""
        found: dict[str, tuple[Route, Mapping[str, str]]] = {}
        for pattern, route in self._of_resource.get(resource_of(path), ()):
            if match := re.fullmatch(pattern, path):
                methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
                found |= dict.fromkeys(methods, (route, match.groupdict()))
        if not found:
            raise NotFound("there is nothing at this path; GET /openapi.json lists all paths")
        if method not in found:
            allowed = sorted(name for name, (route, _) in found.items() if route.documented)
            raise MethodNotAllowed(tuple(allowed or sorted(found)))
        return found[method]
