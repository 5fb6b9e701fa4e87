"""The connection test: whose fault it is, and what to do about it."""

from __future__ import annotations

import pytest

from sms_connector.model.connection_status import ConnectionState
from sms_connector.transport.http import HttpResponse
from tests.providers.twilio import twilio_wire as wire
from tests.providers.twilio.conftest import TwilioWith

KEY = {"account-sid": wire.ACCOUNT, "api-key-sid": "SK" + "2" * 32, "api-key-secret": "secret"}
ACTIVE, AUTH_ERROR, ERROR = ConnectionState.ACTIVE, ConnectionState.AUTH_ERROR, ConnectionState.ERROR
DENIED = wire.error(401, 20003, "Authenticate")
FORBIDDEN = wire.error(403, 20403, "403 Forbidden")
ACCOUNT, LIST = f"{wire.ACCOUNT}.json", f"{wire.ACCOUNT}/Messages.json?PageSize=1"


@pytest.mark.parametrize(
    ("answers", "secrets", "state", "says", "asked"),
    [
        ([wire.account()], wire.SECRETS, ACTIVE, "the Twilio account is active", [ACCOUNT]),
        ([wire.account(kind="Trial")], wire.SECRETS, ACTIVE, "it sends to verified numbers only", [ACCOUNT]),
        ([wire.account("suspended")], wire.SECRETS, ERROR, "the Twilio account is suspended", [ACCOUNT]),
        ([wire.account("closed")], wire.SECRETS, ERROR, "the Twilio account is closed", [ACCOUNT]),
        ([wire.answer(200, {})], wire.SECRETS, ERROR, "in an unknown state", [ACCOUNT]),
        ([DENIED], wire.SECRETS, AUTH_ERROR, "401, code 20003: Authenticate; check the secrets account-sid", [ACCOUNT]),
        ([FORBIDDEN], wire.SECRETS, AUTH_ERROR, "403 Forbidden", [ACCOUNT]),
        ([wire.error(401, 20005, "Account not active")], wire.SECRETS, ERROR, "Account not active", [ACCOUNT]),
        (
            [wire.error(403, 20008, "Resource not accessible with Test Account Credentials")],
            wire.SECRETS,
            ERROR,
            "these are Twilio's test credentials, which deliver nothing",
            [ACCOUNT],
        ),
        ([wire.error(404, 20404, "not found")], wire.SECRETS, ERROR, "404, code 20404", [ACCOUNT]),
        ([wire.account()], KEY, ACTIVE, "the Twilio account is active", [ACCOUNT]),
        ([DENIED, wire.page([])], KEY, ACTIVE, "accepts the API key (a standard key", [ACCOUNT, LIST]),
        ([FORBIDDEN, wire.page([])], KEY, ACTIVE, "accepts the API key", [ACCOUNT, LIST]),
        ([DENIED, DENIED], KEY, AUTH_ERROR, "code 20003", [ACCOUNT, LIST]),
        ([wire.html(407)], wire.SECRETS, AUTH_ERROR, "check the proxy's user name and password", [ACCOUNT]),
        ([HttpResponse(301, {}, b"")], wire.SECRETS, ERROR, "set it to the API itself", [ACCOUNT]),
        ([wire.account()], {}, AUTH_ERROR, "secret 'account-sid' is missing", []),
    ],
)
def test_the_state_and_what_to_do(
    twilio: TwilioWith, answers: list[HttpResponse], secrets: dict[str, str], state: ConnectionState, says: str, asked: list[str]
) -> None:  # fmt: skip
    on = twilio(*answers, secrets=dict(secrets))
    status = on.provider.check_connection()
    assert (status.state, says in status.description) == (state, True), status.description
    assert [request.url.partition("/Accounts/")[2] for request in on.requests] == asked
