from __future__ import annotations

import json
import time
from base64 import b64encode
from typing import Any

import pytest

from sandbox import AdminClient
from sandbox.client import AdminCallError
from tests.sandbox.infobip.conftest import FROM, TO, InfobipApi
from tests.sandbox.support import Receiver

# The reports of a message are sent, and their attempts over, before its send request is answered: no waiting.
AT_ONCE = {"beforeAnswer": 1}
THEM = "+447700900123"


def posted(admin: AdminClient, least: int = 0) -> list[dict[str, Any]]:
    """Return the bodies posted so far, once there are as many: an attempt is noted after its answer has come."""
    ends = time.monotonic() + 5
    while len(attempts := admin.callbacks()) < least and time.monotonic() < ends:
        time.sleep(0.005)
    return [json.loads(attempt["body"]) for attempt in attempts]


def report_to(url: str, **delivery: Any) -> dict[str, Any]:
    return {"webhooks": {"delivery": {"url": url, **delivery}, "callbackData": "our data"}}


def test_a_report_goes_to_the_address_of_its_message(
    infobip: InfobipApi, admin: AdminClient, receiver: Receiver
) -> None:
    admin.settings(callbacks=AT_ONCE)
    infobip.sent(TO, ids=["ours-1"], **report_to(f"{receiver.url}/status"))
    (got,) = receiver.received
    assert (got.method, got.path, got.headers["Content-Type"]) == ("POST", "/status", "application/json")
    assert "Authorization" not in got.headers
    ((report,),) = [body["results"] for body in posted(admin)]
    assert (report["messageId"], report["to"], report["callbackData"]) == ("ours-1", TO, "our data")
    assert (report["status"]["name"], report["error"]["name"]) == ("DELIVERED_TO_HANDSET", "NO_ERROR")


def test_reports_that_fall_due_together_travel_together(
    infobip: InfobipApi, admin: AdminClient, receiver: Receiver
) -> None:
    admin.settings(callbacks=AT_ONCE)
    admin.post("infobip/account", {"maxBucketSize": 3})
    infobip.sent(*[TO] * 4, "+15005530007", **report_to(receiver.url))
    sizes = sorted((body["results"][0]["status"]["id"], len(body["results"])) for body in posted(admin))
    assert sizes == [(5, 1), (5, 3), (9, 1)]


def test_intermediate_reports_where_they_are_asked_for(
    infobip: InfobipApi, admin: AdminClient, receiver: Receiver
) -> None:
    infobip.sent(TO, **report_to(receiver.url, intermediateReport=True))
    for count in range(1, 4):
        admin.advance(25 if count < 3 else 50)
        posted(admin, count)
    assert [body["results"][0]["status"]["id"] for body in posted(admin)] == [7, 3, 5]


def test_a_rejection_is_reported_too(infobip: InfobipApi, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE)
    infobip.sent(TO, "+15005550004", ids=["ours-1", "ours-2"], **report_to(receiver.url))
    infobip.sent(TO, ids=["ours-1"], **report_to(receiver.url))
    reports = [report for body in posted(admin) for report in body["results"]]
    assert sorted((report["messageId"], report["status"]["id"], report["error"]["id"]) for report in reports) == [
        ("ours-1", 5, 0),
        ("ours-1", 23, 5492),
        ("ours-2", 14, 2052),
    ]


def test_a_subscription_has_an_address_and_credentials(
    infobip: InfobipApi, admin: AdminClient, receiver: Receiver
) -> None:
    admin.settings(callbacks=AT_ONCE)
    admin.post("infobip/account", {"deliveryUrl": receiver.url, "username": "user", "password": "secret"})
    infobip.sent(TO)
    infobip.sent(TO, webhooks={"delivery": {"notify": False}})
    (got,) = receiver.received
    assert got.headers["Authorization"] == f"Basic {b64encode(b'user:secret').decode()}"


def test_a_report_is_repeated_until_it_is_taken(infobip: InfobipApi, admin: AdminClient, receiver: Receiver) -> None:
    receiver.answer = lambda _: (503 if len(receiver.received) == 1 else 200, "")
    admin.settings(callbacks=AT_ONCE)
    infobip.sent(TO, **report_to(receiver.url))
    assert [attempt["status"] for attempt in admin.callbacks()] == [503, 200]


def test_a_message_to_us_is_posted(admin: AdminClient, receiver: Receiver, infobip: InfobipApi) -> None:
    admin.post("infobip/account", {"inboundUrl": f"{receiver.url}/inbound", "username": "u", "password": "p"})
    answer = admin.inbound(provider="infobip", to=FROM, from_=THEM, body=" Grüße ")
    assert answer["webhook"] == {"status": 204, "error": None}
    (body,) = posted(admin)
    (message,) = body["results"]
    assert (body["messageCount"], body["pendingMessageCount"]) == (1, 0)
    assert (message["messageId"], message["from"], message["to"]) == (answer["sid"], THEM[1:], FROM[1:])
    assert (message["text"], message["smsCount"]) == (" Grüße ", 1)
    assert receiver.received[0].headers["Authorization"].startswith("Basic ")
    assert [kept["direction"] for kept in admin.messages()] == ["inbound"]


def test_stop_blocks_where_the_operator_set_that_up(admin: AdminClient, infobip: InfobipApi) -> None:
    admin.inbound(provider="infobip", to=FROM, from_=THEM, body="STOP")
    assert infobip.sent(THEM)[0]["status"]["id"] == 26
    admin.post("infobip/account", {"keywordRules": True})
    admin.inbound(provider="infobip", to=FROM, from_=THEM, body=" stop")
    assert infobip.sent(THEM)[0]["status"]["name"] == "REJECTED_DESTINATION_BLOCKLISTED"
    admin.inbound(provider="infobip", to=FROM, from_=THEM, body="START")
    assert infobip.sent(THEM)[0]["status"]["id"] == 26
    assert admin.post("infobip/account", {"blocklist": [THEM]})["blocklist"] == [THEM[1:]]
    assert infobip.sent(THEM)[0]["status"]["id"] == 14


@pytest.mark.parametrize(
    ("message", "word"),
    [
        pytest.param({"to": "+15550000000", "from_": THEM}, "to:", id="to a number that is not ours"),
        pytest.param({"to": FROM, "from_": "nobody"}, "from:", id="from no number"),
    ],
)
def test_messages_that_can_not_arrive(admin: AdminClient, message: dict[str, str], word: str) -> None:
    with pytest.raises(AdminCallError, match=word):
        admin.inbound(provider="infobip", **message)
