"""Google's own client, unchanged, against the function in this process; each request is kept, and each answer is held
against the type by which the OpenAPI document describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import flask
import httplib2
import msgspec
from googleapiclient.discovery import build
from werkzeug.test import Client

from sms_connector import app
from sms_connector.api.dispatcher import Router
from sms_connector.api.google import OVERRIDE, ROUTES
from sms_connector.api.schemas.conversion import convert
from sms_connector.api.schemas.entity_answers import GoogleProblemDocument

PARENT = "projects/my-project/locations/europe-west3/connections/sms"
ROUTER = Router(ROUTES)


def check_answer(method: str, path: str, answer: Any) -> None:
    """Check an answer against its type, strictly: a member that the type does not have is as wrong as a missing one."""
    kind = ROUTER.match(method, path)[0].answer if answer.status_code == 200 else GoogleProblemDocument
    assert msgspec.to_builtins(convert(answer.json, kind)) == answer.json


@dataclass
class Wire:
    """What `httplib2.Http` does, over a client of the function."""

    client: Client
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
        redirections: int = 1,
        connection_type: Any = None,
    ) -> tuple[httplib2.Response, bytes]:
        parts = urlsplit(uri)
        sent = {**(headers or {}), **self.headers}
        sent.pop("content-length", None)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self.requests.append((method, path, sent))
        answer = self.client.open(path, method=method, data=body, headers=sent)
        self.answers.append(answer)
        check_answer(sent.get(OVERRIDE.lower(), method), parts.path, answer)
        return httplib2.Response({"status": answer.status_code, **dict(answer.headers.items())}), answer.data

    def close(self) -> None: ...


def make_client(client: Client) -> tuple[Any, Wire]:
    """Return the resource `connections`, and what goes over its wire."""
    wire = Wire(client)
    return build_locations(wire, "v2").connections(), wire


def build_locations(wire: Wire, version: str) -> Any:
    """Return the resource `locations` of a version."""
    options = {"api_endpoint": "http://connector.example"}
    service = build("connectors", version, http=wire, client_options=options, static_discovery=True)
    return service.projects().locations()


def open_connector(environ: Mapping[str, str]) -> Client:
    """Return a client of the function, made as it is deployed."""
    handle = app.build("connector", environ)
    web = flask.Flask("connector")
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    web.add_url_rule("/<path:path>", "run", lambda path: handle(flask.request), methods=methods)
    return web.test_client()
