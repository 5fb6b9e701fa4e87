"""The official SDK, unchanged but for the host, takes the sandbox for Twilio."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from sandbox import AdminClient, Sandbox
from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID
from tests.sandbox.support import FROM, TO


class HostRewriter(TwilioHttpClient):  # type: ignore[misc]  # the SDK is not typed
    """Sends what is meant for twilio.com to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Response:
        parts = urlsplit(url)
        return super().request(method, f"{self._url}{parts.path}?{parts.query}".rstrip("?"), *arguments, **named)


@pytest.fixture
def sdk(sandbox: Sandbox) -> Client:
    return Client(ACCOUNT_SID, AUTH_TOKEN, http_client=HostRewriter(sandbox.url))


def test_create_and_fetch(sdk: Client, admin: AdminClient) -> None:
    made = sdk.messages.create(to=TO, from_=FROM, body="Olá 👍")
    assert (made.status, made.num_segments, made.date_sent) == ("queued", "1", None)
    admin.advance(200)
    found = sdk.messages(made.sid).fetch()
    assert (found.status, found.body, found.price) == ("delivered", "Olá 👍", "-0.00750")
    assert isinstance(found.date_sent, datetime)


def test_a_refusal_is_the_sdks_exception(sdk: Client) -> None:
    with pytest.raises(TwilioRestException) as refused:
        sdk.messages.create(to="+15005550001", from_=FROM, body="x")
    assert (refused.value.status, refused.value.code) == (400, 21211)
    assert refused.value.msg.endswith("The 'To' number +15005550001 is not a valid phone number.")


def test_paging_through_a_list(sdk: Client) -> None:
    sids = [sdk.messages.create(to=TO, from_=FROM, body=str(n)).sid for n in range(7)]
    assert [message.sid for message in sdk.messages.list(page_size=3)] == sids[::-1]
    assert [message.sid for message in sdk.messages.stream(page_size=2, limit=5)] == sids[:1:-1]


def test_the_filters_of_the_list(sdk: Client, admin: AdminClient) -> None:
    sdk.messages.create(to=TO, from_=FROM, body="x")
    sdk.messages.create(to="+15558675311", from_=FROM, body="x")
    admin.advance(200)
    now = datetime.now(UTC) + timedelta(seconds=200)
    assert len(sdk.messages.list(to=TO)) == 1
    assert len(sdk.messages.list(from_=FROM)) == 2
    assert len(sdk.messages.list(date_sent_after=now - timedelta(hours=1))) == 2
    assert sdk.messages.list(date_sent_before=now - timedelta(hours=1)) == []


def test_cancel_redact_and_delete(sdk: Client, admin: AdminClient) -> None:
    made = sdk.messages.create(
        to=TO,
        messaging_service_sid=SERVICE_SID,
        body="x",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert made.status == "scheduled"
    assert sdk.messages(made.sid).update(status="canceled").status == "canceled"
    assert sdk.messages(made.sid).update(body="").body == ""
    assert sdk.messages(made.sid).delete() is True
    assert sdk.messages.list() == []
    assert len(admin.messages()) == 1


def test_media_and_feedback(sdk: Client) -> None:
    made = sdk.messages.create(to=TO, from_=FROM, media_url=["https://example.com/a.png"], provide_feedback=True)
    (media,) = sdk.messages(made.sid).media.list()
    assert media.content_type == "image/png"
    assert sdk.messages(made.sid).feedback.create(outcome="confirmed").outcome == "confirmed"


def test_account_balance_keys_and_rotation(sdk: Client, sandbox: Sandbox) -> None:
    assert sdk.api.v2010.accounts(ACCOUNT_SID).fetch().status == "active"
    assert sdk.balance.fetch().currency == "USD"
    key = sdk.new_keys.create(friendly_name="k")
    with_key = Client(key.sid, key.secret, ACCOUNT_SID, http_client=HostRewriter(sandbox.url))
    assert with_key.messages.list() == []
    assert key.sid in [one.sid for one in sdk.keys.list()]
    assert sdk.accounts.v1.secondary_auth_token().create().secondary_auth_token
    promoted = sdk.accounts.v1.auth_token_promotion().update().auth_token
    renewed = Client(ACCOUNT_SID, promoted, http_client=HostRewriter(sandbox.url))
    assert renewed.messages.list() == []
