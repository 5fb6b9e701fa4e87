from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flask
import pytest
from msgspec.structs import replace
from werkzeug.routing import Rule
from werkzeug.test import Client

from sms_connector.api.dispatcher import build_api
from sms_connector.api.services import ConnectionProfile, Services
from sms_connector.entities.service import Entities
from sms_connector.model.phone_number import Sender, SenderKind
from sms_connector.model.senders import Senders
from sms_connector.provider import Capabilities
from sms_connector.structured_log import StructuredLog
from tests.fixtures.engine_double import NOW, EngineDouble

CAPABILITIES = Capabilities(
    reports_by_id=1,
    reports_per_page=1000,
    status_callbacks=True,
    callback_per_message=True,
    inbound=True,
    cancel=True,
    redact=True,
    max_validity_seconds=36_000,
    schedule_window=(300, 3_024_000),
    schedule_needs_pool=True,
    media_limit=10,
    sender_kinds=frozenset(SenderKind),
    channels=frozenset({"whatsapp"}),
)
DEFAULT_SENDER = Sender("+15551234567", SenderKind.LONG_CODE, default=True)
PROFILE = ConnectionProfile(name="sms", provider="twilio", senders=Senders((DEFAULT_SENDER,)))


def make_app(services: Services) -> flask.Flask:
    """The function as functions-framework serves it: every path and method to one callable."""
    app = flask.Flask("connector")
    app.config["MAX_CONTENT_LENGTH"] = 10 * 1024 * 1024  # functions-framework's own
    handle = build_api(services)
    # As functions_framework.configure_app does it: all methods, OPTIONS too.
    app.url_map.add(Rule("/", defaults={"path": ""}, endpoint="run"))
    app.url_map.add(Rule("/<path:path>", endpoint="run"))
    app.view_functions["run"] = lambda path: handle(flask.request)
    app.after_request(_read_the_rest)
    return app


def _read_the_rest(response: flask.Response) -> flask.Response:
    """functions_framework.read_request: the framework reads what we left, with its own limit."""
    flask.request.get_data()
    return response


@dataclass
class Api:
    """The API with an engine double behind it, called as a client calls it."""

    double: EngineDouble
    client: Client
    log: io.StringIO

    def send(self, document: Any, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/messages:send", json=document, headers=named)

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, document: Any = None) -> Any:
        return self.client.post(path, json=document) if document is not None else self.client.post(path)


def make_api(
    *,
    capabilities: Capabilities = CAPABILITIES,
    profile: ConnectionProfile = PROFILE,
    level: str = "info",
    make_entities: Callable[[], Entities] | None = None,
) -> Api:
    double, log = EngineDouble(), io.StringIO()
    services = Services(
        engine=double.engine,
        profile=profile,
        capabilities=capabilities,
        log=StructuredLog("sms", level, "a-project", stream=log, now=lambda: NOW),
        notifications=double.notifications,
        now=lambda: NOW,
        make_entities=make_entities,
    )
    return Api(double, make_app(services).test_client(), log)


@pytest.fixture
def api() -> Api:
    return make_api()


@pytest.fixture
def api_without_sender() -> Api:
    return make_api(profile=replace(PROFILE, senders=Senders()))


@pytest.fixture
def make() -> Callable[..., Api]:
    return make_api


@pytest.fixture
def profile() -> ConnectionProfile:
    return PROFILE
