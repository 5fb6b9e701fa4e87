"""The test of the connection, the secrets and the settings."""

from __future__ import annotations

import pytest

from sms_connector.errors import NotSent
from sms_connector.model.connection_status import ConnectionState
from sms_connector.provider import ProviderSettings
from sms_connector.providers.infobip.provider import InfobipProvider
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.doubles import Answer
from tests.providers.infobip import infobip_wire as wire
from tests.providers.infobip.conftest import InfobipWith

BALANCE = wire.answer(200, {"balance": 47.79, "currency": "EUR"})
PREVIEW = wire.answer(200, {"originalText": "x", "previews": []})
NO_SCOPE = wire.api_error(403, "Insufficient permissions to access the requested resource.")
CHECKS: list[tuple[str, tuple[Answer, ...], ConnectionState, str]] = [
    ("balance", (BALANCE,), ConnectionState.ACTIVE, "47.79 EUR"),
    ("may not read the balance", (NO_SCOPE, PREVIEW), ConnectionState.ACTIVE, "may not read the balance"),
    ("may do nothing", (NO_SCOPE, NO_SCOPE), ConnectionState.AUTH_ERROR, "sms:manage"),
    ("wrong key", (wire.api_error(401, "No valid credentials."),), ConnectionState.AUTH_ERROR, "api-key"),
    ("another server", (HttpResponse(404, {}, b"<html>"),), ConnectionState.ERROR, "404"),
    ("unreadable", (wire.answer(200, []),), ConnectionState.ERROR, "can't be read"),
    ("no answer", (NotSent("connection refused"),), ConnectionState.ERROR, "connection refused"),
    ("its own trouble", (NO_SCOPE, wire.api_error(500, "Something went wrong.")), ConnectionState.ERROR, "E500"),
]


@pytest.mark.parametrize(("answers", "state", "words"), [row[1:] for row in CHECKS], ids=[row[0] for row in CHECKS])
def test_the_connection(infobip: InfobipWith, answers: tuple[Answer, ...], state: ConnectionState, words: str) -> None:
    on = infobip(*answers)
    status = on.provider.check_connection()
    assert status.state is state
    assert words in status.description
    assert all("/sms/3/messages" not in request.url for request in on.requests)


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        pytest.param({"api-key": ""}, "'api-key' is missing", id="no key"),
        pytest.param({"api-key": f"App {wire.KEY}"}, "write it without 'App'", id="with its scheme"),
        pytest.param({"api-key": "a\tb"}, "printable ASCII", id="a tab"),
        pytest.param({"webhook-username": "u"}, "'webhook-password' is missing", id="a user without a password"),
        pytest.param({"webhook-password": "p"}, "'webhook-username' is missing", id="a password without a user"),
    ],
)
def test_secrets_that_are_wrong(infobip: InfobipWith, secrets: dict[str, str], words: str) -> None:
    (problem,) = infobip(secrets=secrets).provider.problems()
    assert words in problem
    assert wire.KEY not in problem


@pytest.mark.parametrize(
    ("base_url", "options", "words"),
    [
        pytest.param(None, {}, "SMS_PROVIDER_URL is missing", id="no address"),
        pytest.param(wire.BASE_URL, {"entityID": "x"}, "it has applicationId, entityId", id="another name"),
        pytest.param(wire.BASE_URL, {"entityId": "x" * 256}, "entityId", id="too long"),
    ],
)
def test_settings_that_are_wrong(base_url: str | None, options: dict[str, str], words: str) -> None:
    (problem,) = InfobipProvider.setting_problems(ProviderSettings(base_url=base_url, options=options))
    assert words in problem
