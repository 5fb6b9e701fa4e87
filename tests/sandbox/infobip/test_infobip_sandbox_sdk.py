"""The official SDK, unchanged but for the host, takes the sandbox for Infobip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import infobip_api_client as sdk
import pytest
from infobip_api_client.exceptions import ApiException

from sandbox import AdminClient, Sandbox
from sandbox.infobip.account import API_KEY
from tests.sandbox.infobip.conftest import FROM, TO


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return sdk.SmsApi(sdk.ApiClient(sdk.Configuration(host=sandbox.url, api_key=API_KEY)))


def request(*recipients: str, message_id: str | None = None, **schedule: Any) -> Any:
    return sdk.SmsRequest(
        messages=[
            sdk.SmsMessage(
                sender=FROM,
                destinations=[sdk.SmsDestination(to=to, message_id=message_id) for to in recipients],
                content=sdk.SmsMessageContent(sdk.SmsTextContent(text="Olá 👍")),
            )
        ],
        options=sdk.SmsMessageRequestOptions(
            schedule=sdk.SmsRequestSchedulingSettings(**schedule), include_sms_count_in_response=True
        ),
    )


def test_send_and_read_the_logs(client: Any, admin: AdminClient) -> None:
    made = client.send_sms_messages(request(TO, "+15005530001", bulk_id="bulk-1"))
    assert made.bulk_id == "bulk-1"
    assert [(each.destination, each.status.name, each.details.message_count) for each in made.messages] == [
        (TO, "PENDING_ACCEPTED", 1),
        ("15005530001", "PENDING_ACCEPTED", 1),
    ]
    admin.advance(200)
    logs = client.get_outbound_sms_message_logs(bulk_id=["bulk-1"], limit=1000).results
    assert [(each.status.name, each.error.name, each.error.permanent) for each in logs] == [
        ("UNDELIVERABLE_NOT_DELIVERED", "EC_UNKNOWN_SUBSCRIBER", True),
        ("DELIVERED_TO_HANDSET", "NO_ERROR", False),
    ]
    assert logs[1].content.actual_instance.text == "Olá 👍"
    assert logs[1].done_at > logs[1].sent_at


def test_every_id_of_a_query_and_the_cursor(client: Any) -> None:
    for name in ("a", "b", "c"):
        client.send_sms_messages(request(TO, message_id=name))
    named = client.get_outbound_sms_message_logs(message_id=["a", "c"]).results
    assert [each.message_id for each in named] == ["c", "a"]
    page = client.get_outbound_sms_message_logs(limit=2, use_cursor=True)
    rest = client.get_outbound_sms_message_logs(limit=2, use_cursor=True, cursor=page.cursor.next_cursor)
    assert [each.message_id for each in rest.results] == ["a"]


def test_a_refusal_is_the_sdks_exception(client: Any, sandbox: Sandbox) -> None:
    with pytest.raises(ApiException) as refused:
        client.send_sms_messages(request(TO, send_at=datetime.now(UTC) + timedelta(days=200)))
    assert refused.value.status == 400
    wrong = sdk.Configuration(host=sandbox.url, api_key="x")
    with pytest.raises(ApiException) as unknown:
        sdk.SmsApi(sdk.ApiClient(wrong)).get_outbound_sms_message_logs()
    assert unknown.value.status == 401


def test_preview(client: Any) -> None:
    assert client.preview_sms_message(sdk.SmsPreviewRequest(text="x" * 161)).previews[0].message_count == 2
