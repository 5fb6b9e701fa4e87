"""Which route a request is for. Paths end in what they name; custom verbs follow a colon (AIP-136)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from werkzeug.exceptions import MethodNotAllowed as WrongMethod
from werkzeug.exceptions import NotFound as WrongPath
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule

from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.route import Route
from sms_connector.errors import Kind, NotFound


class _Id(BaseConverter):
    """One of our ids: the colon after it begins a verb."""

    regex = r"[^/:]+"


class _Address(BaseConverter):
    """A recipient; those of a channel have a colon."""

    regex = r"[^/]+"


class Router:
    """Matches a method and a path against the routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        rules = [Rule(route.path, methods=[route.method], endpoint=route) for route in self.routes]
        converters = {"id": _Id, "callback": _Id, "campaign": _Id, "address": _Address}
        self._map = Map(rules, converters=converters, merge_slashes=False, strict_slashes=True)

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and what its path holds. Raises NotFound (404) or MethodNotAllowed (405)."""
        try:
            return self._map.bind("").match(path, method=method)
        except WrongMethod as error:
            raise MethodNotAllowed(tuple(sorted(error.valid_methods or ()))) from None
        except (WrongPath, RequestRedirect):
            raise NotFound(
                "there is nothing at this path; GET /openapi.json lists all paths", kind=Kind.NOT_FOUND
            ) from None
