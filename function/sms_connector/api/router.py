"""Match a request to its route. Custom verbs follow a colon (AIP-136)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from werkzeug.exceptions import MethodNotAllowed as WrongMethod
from werkzeug.exceptions import NotFound as WrongPath
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule

from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.routing import Route
from sms_connector.errors import ErrorKind, NotFound


class _Id(BaseConverter):
    """One of our ids: the colon after it begins a verb."""

    regex = r"[^/:]+"


class _Address(BaseConverter):
    """A recipient; channel addresses have a colon."""

    regex = r"[^/]+"


_CONVERTERS = {"id": _Id, "callback": _Id, "campaign": _Id, "template": _Id, "address": _Address}


class Router:
    """Matches a method and a path against the routes.

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
