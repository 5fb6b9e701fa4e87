"""Find a request's route, and read and check what was sent before the route's function gets it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import flask
import msgspec
from werkzeug.exceptions import MethodNotAllowed as WrongMethod
from werkzeug.exceptions import NotFound as WrongPath
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule

from sms_connector.api.body import drain, parse_json, read_body, read_file, unlimited
from sms_connector.api.handler import Handle, RequestContext, RequestHandler
from sms_connector.api.openapi import with_document
from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.resources import campaigns, connection, health, messages, notifications, opt_outs, templates
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.conversion import convert, convert_query
from sms_connector.api.services import Services
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, NotFound

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
    """Build the HTTP function. `more_routes` are in the OpenAPI document too; `own_routes`, which the queue calls, are
    not."""
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


class _Id(BaseConverter):
    """One of our ids: the colon after it begins a verb."""

    regex = r"[^/:]+"


class _Address(BaseConverter):
    """A recipient; channel addresses have a colon."""

    regex = r"[^/]+"


_CONVERTERS = {"id": _Id, "callback": _Id, "campaign": _Id, "template": _Id, "address": _Address}


class Router:
    """Matches a method and a path against the routes. Custom verbs follow a colon (AIP-136).

    A resource's rules are compiled with the first request for it: half a millisecond each, of a cold start that takes
    some 250.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._of_resource: dict[str, list[Route]] = {}
        for route in self.routes:
            self._of_resource.setdefault(_resource(route.path), []).append(route)
        self._maps: dict[str, Map] = {}

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route and the parameters of its path. Raises NotFound (404) or MethodNotAllowed (405)."""
        try:
            return self._map(_resource(path)).bind("").match(path, method=method)
        except WrongMethod as error:
            raise MethodNotAllowed(tuple(sorted(error.valid_methods or ()))) from None
        except (WrongPath, RequestRedirect):
            raise NotFound(
                "there is nothing at this path; GET /openapi.json lists all paths", kind=ErrorKind.NOT_FOUND
            ) from None

    def _map(self, resource: str) -> Map:
        if resource not in self._of_resource:
            raise WrongPath
        found = self._maps.get(resource)
        if found is None:  # two requests may both make it: either will do
            rules = [Rule(each.path, methods=[each.method], endpoint=each) for each in self._of_resource[resource]]
            found = self._maps[resource] = Map(
                rules, converters=dict(_CONVERTERS), merge_slashes=False, strict_slashes=True
            )
        return found


def _resource(path: str) -> str:
    """Return the name after the version: `messages` of `/v1/messages:send` and of `/v1/messages/<id>`."""
    return re.split("[/:]", path.removeprefix("/").removeprefix("v1/"), maxsplit=1)[0]
