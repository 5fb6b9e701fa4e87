"""Scheduled bulks, through the official SDK: read, rescheduled, paused, resumed, canceled."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import infobip_api_client as sdk
import pytest
from infobip_api_client.exceptions import ApiException

from sandbox import AdminClient, Sandbox
from sandbox.infobip.account import API_KEY, SENDING_KEY
from tests.sandbox.infobip.conftest import TO, InfobipApi
from tests.sandbox.support import Receiver

BULK, HOUR = "bulk-1", 3_600


def in_hours(hours: float) -> datetime:
    moment = datetime.now(UTC) + timedelta(hours=hours)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def client_of(sandbox: Sandbox, key: str = API_KEY) -> Any:
    return sdk.SmsApi(sdk.ApiClient(sdk.Configuration(host=sandbox.url, api_key=key)))


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return client_of(sandbox)


def schedule(infobip: InfobipApi, hours: float = 1, **message: Any) -> None:
    at = in_hours(hours).isoformat(timespec="milliseconds")
    infobip.sent(TO, ids=["ours-1"], options={"schedule": {"bulkId": BULK, "sendAt": at}}, **message)


def change(client: Any, status: str) -> str:
    request = sdk.SmsUpdateStatusRequest(status=status)
    return str(client.update_scheduled_sms_messages_status(BULK, request).status.value)


def status_of(client: Any) -> str:
    return str(client.get_scheduled_sms_messages_status(BULK).status.value)


def refused(call: Any, *arguments: Any) -> int:
    with pytest.raises(ApiException) as error:
        call(*arguments)
    return int(error.value.status)


def test_a_bulk_goes_out_at_its_time(infobip: InfobipApi, client: Any, admin: AdminClient) -> None:
    schedule(infobip)
    seen = [status_of(client)]
    for seconds in (HOUR + 30, 100):
        admin.advance(seconds)
        seen.append(status_of(client))
    assert seen == ["PENDING", "PROCESSING", "FINISHED"]
    assert client.get_scheduled_sms_messages(BULK).bulk_id == BULK


def test_a_new_time(infobip: InfobipApi, client: Any, admin: AdminClient) -> None:
    schedule(infobip)
    later = in_hours(48)
    assert client.reschedule_sms_messages(BULK, sdk.SmsBulkRequest(send_at=later)).send_at == later
    assert client.get_scheduled_sms_messages(BULK).send_at == later
    admin.advance(2 * HOUR)
    assert status_of(client) == "PENDING"
    assert refused(client.reschedule_sms_messages, BULK, sdk.SmsBulkRequest(send_at=in_hours(24 * 200))) == 400


def test_a_pause_holds_the_messages_back(infobip: InfobipApi, client: Any, admin: AdminClient) -> None:
    schedule(infobip)
    assert change(client, "PAUSED") == "PAUSED"
    admin.advance(2 * HOUR)
    assert (status_of(client), infobip.logs()[0]["status"]["name"]) == ("PAUSED", "PENDING_ACCEPTED")
    assert change(client, "PENDING") == "PROCESSING"
    admin.advance(100)
    assert (status_of(client), infobip.logs()[0]["status"]["name"]) == ("FINISHED", "DELIVERED_TO_HANDSET")


def test_a_canceled_bulk_ends(infobip: InfobipApi, client: Any, admin: AdminClient) -> None:
    schedule(infobip)
    assert change(client, "CANCELED") == "CANCELED"
    admin.advance(2 * HOUR)
    (log,) = infobip.logs()
    assert (log["status"]["name"], log["error"]["name"]) == ("UNDELIVERABLE_NOT_SENT", "EC_MESSAGE_CANCELED")
    assert refused(change, client, "PENDING") == 400


def test_what_can_t_be_changed(infobip: InfobipApi, client: Any, admin: AdminClient, sandbox: Sandbox) -> None:
    assert refused(status_of, client) == 404
    infobip.sent(TO, options={"schedule": {"bulkId": BULK}})
    assert refused(status_of, client) == 404
    schedule(infobip)
    assert refused(change, client, "FINISHED") == 400
    assert refused(change, client_of(sandbox, SENDING_KEY), "PAUSED") == 403
    admin.advance(2 * HOUR)
    assert refused(change, client, "PAUSED") == 400


def test_reports_follow_the_new_time(infobip: InfobipApi, client: Any, admin: AdminClient, receiver: Receiver) -> None:
    schedule(infobip, webhooks={"delivery": {"url": receiver.url}})
    client.reschedule_sms_messages(BULK, sdk.SmsBulkRequest(send_at=in_hours(3)))
    admin.advance(2 * HOUR)
    assert admin.callbacks() == []
    admin.advance(2 * HOUR)
    ends = time.monotonic() + 5
    while not admin.callbacks() and time.monotonic() < ends:
        time.sleep(0.005)
    assert [attempt["label"] for attempt in admin.callbacks()] == ["DELIVERED_TO_HANDSET"]


def test_logs_of_a_time_are_by_the_time_of_sending(infobip: InfobipApi) -> None:
    schedule(infobip)
    assert infobip.logs(sentSince=in_hours(0.5).isoformat(timespec="milliseconds"))[0]["messageId"] == "ours-1"
    assert infobip.logs(sentUntil=in_hours(0.5).isoformat(timespec="milliseconds")) == []
