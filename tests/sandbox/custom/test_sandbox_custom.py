"""The simulated custom channel; the reference library of Standard Webhooks is the independent witness of signatures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox import AdminClient, Sandbox
from sandbox.custom.numbers import ENDS, REFUSED, REFUSED_SENDERS, SLOW, STAYS
from sandbox.custom.service import API_KEY, SECRET, SEND_PATH, SENDER, STATUS_PATH
from tests.sandbox.support import ROOT, Receiver

TO = "+15558675310"
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIGEgY2hhbm5lbA=="
AT_ONCE = {"beforeAnswer": 1}


@pytest.fixture
def receiver(admin: AdminClient) -> Iterator[Receiver]:
    with Receiver() as opened:
        admin.post("custom/channel", {"statusUrl": opened.url, "inboundUrl": opened.url})
        yield opened


def item(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "ChannelDefinitionId": "local",
        "RequestId": f"msg_{number}",
        "IdempotencyId": f"key_{number}",
        "From": SENDER,
        "To": TO,
        "Message": {"text": "Olá 👍"},
    } | changes


def call(
    sandbox: Sandbox,
    method: str,
    path: str,
    document: Any = None,
    *,
    secret: str = SECRET,
    age: timedelta = timedelta(),
    headers: dict[str, Any] | None = None,
) -> requests.Response:
    body = "" if document is None else json.dumps(document, ensure_ascii=False)
    moment = datetime.now(UTC) - age
    signed = {
        "Authorization": f"Bearer {API_KEY}",
        "webhook-id": "call-1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("call-1", moment, body),
    }
    return requests.request(
        method, sandbox.url + path, data=body.encode(), headers=signed | (headers or {}), timeout=10
    )


def send(sandbox: Sandbox, document: Any, **arguments: Any) -> Any:
    answer = call(sandbox, "POST", SEND_PATH, document, **arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_message_is_taken_once(sandbox: Sandbox, admin: AdminClient) -> None:
    first = send(sandbox, item())
    assert first == {"MessageId": first["MessageId"], "RequestId": "msg_1", "Status": "Sent", "Details": {}}
    assert send(sandbox, item()) == first
    (message,) = admin.messages()
    assert (message["reference"], message["to"], message["body"]) == ("msg_1", TO, "Olá 👍")


def test_an_array_is_answered_in_order(sandbox: Sandbox, admin: AdminClient) -> None:
    answers = send(sandbox, [item(1), item(2, To="+15005550004"), item(3, Message={}), item(4, From="+15005550007")])
    assert [answer["RequestId"] for answer in answers] == ["msg_1", "msg_2", "msg_3", "msg_4"]
    assert [answer["Status"] for answer in answers] == ["Sent", "NotSent", "NotSent", "NotSent"]
    reasons = [answer["Details"].get("Reason") for answer in answers]
    assert reasons == [None, "OptedOut", "BadRequest", "InvalidSender"]
    assert len(admin.messages()) == 1


@pytest.mark.parametrize(
    ("to", "status", "body"),
    [
        ("+15005550001", 200, "InvalidRecipient"),
        ("+15005550002", 422, "NoRoute"),
        ("+15005550003", 403, "this country is not served"),
    ],
)
def test_a_refused_recipient(sandbox: Sandbox, admin: AdminClient, to: str, status: int, body: str) -> None:
    answer = call(sandbox, "POST", SEND_PATH, item(To=to))
    assert (answer.status_code, body in answer.text, admin.messages()) == (status, True, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": OTHER_SECRET},
        {"age": timedelta(minutes=6)},
        {"age": timedelta(minutes=-6)},
        {"headers": {"webhook-signature": None}},
        {"headers": {"webhook-id": "another"}},
        {"headers": {"webhook-timestamp": "now"}},
        {"headers": {"Authorization": "Bearer other"}},
        {"headers": {"Authorization": None}},
    ],
)
def test_who_may_not(sandbox: Sandbox, admin: AdminClient, wrong: dict[str, Any]) -> None:
    answer = call(sandbox, "POST", SEND_PATH, item(), **wrong)
    assert (answer.status_code, answer.json()["Details"]["Reason"]) == (401, "Unauthorized")
    assert admin.messages() == []


def test_secrets_overlap(sandbox: Sandbox, admin: AdminClient, receiver: Receiver) -> None:
    admin.post("custom/channel", {"secrets": [OTHER_SECRET, SECRET], "apiKey": None})
    admin.settings(callbacks=AT_ONCE)
    send(sandbox, item(1), headers={"Authorization": None})
    send(sandbox, item(2), secret=OTHER_SECRET)
    for got in receiver.received:
        Webhook(OTHER_SECRET).verify(got.body, dict(got.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(got.body, dict(got.headers))


@pytest.mark.parametrize("body", [None, [], "text", [1], [item(n) for n in range(1001)]])
def test_a_body_that_is_none(sandbox: Sandbox, body: Any) -> None:
    assert call(sandbox, "POST", SEND_PATH, body).status_code == 400


def test_the_test_of_a_connection(sandbox: Sandbox) -> None:
    assert call(sandbox, "GET", SEND_PATH).status_code == 200
    assert call(sandbox, "GET", SEND_PATH, secret=OTHER_SECRET).status_code == 401
    assert call(sandbox, "DELETE", SEND_PATH).status_code == 405


def test_the_status_of_a_message(sandbox: Sandbox, admin: AdminClient) -> None:
    answer = send(sandbox, item(To="+15005530007"))
    path = f"{STATUS_PATH}/msg_1"
    assert call(sandbox, "GET", path).json()["Status"] == "Sent"
    admin.advance(200)
    report = call(sandbox, "GET", path).json()
    assert (report["MessageId"], report["RequestId"], report["Status"]) == (
        answer["MessageId"],
        "msg_1",
        "NotDelivered",
    )
    assert report["Details"]["Reason"] == "Filtered"
    assert call(sandbox, "GET", f"{STATUS_PATH}/msg_2").status_code == 404


def test_a_report_is_signed(sandbox: Sandbox, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE)
    answer = send(sandbox, item())
    (got,) = receiver.received
    report = Webhook(SECRET).verify(got.body, dict(got.headers))
    assert report == {
        "RequestId": "msg_1",
        "MessageId": answer["MessageId"],
        "Status": "Delivered",
        "Details": {},
    }


def test_reports_of_one_call_come_together(sandbox: Sandbox, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks={"statuses": ["Sent", "Delivered"]}, deliverySeconds=0.05)
    send(sandbox, [item(1), item(2)])
    bodies = [json.loads(got.body) for got in receiver.wait_for(2)]
    assert sorted([report["Status"] for report in body] for body in bodies) == [["Delivered"] * 2, ["Sent"] * 2]


def test_an_inbound_message(admin: AdminClient, receiver: Receiver) -> None:
    answer = admin.inbound(provider="custom", from_=TO, to=SENDER, body="STOP")
    assert (answer["webhook"], answer["replies"]) == ({"status": 204, "error": None}, [])
    (got,) = receiver.received
    message = Webhook(SECRET).verify(got.body, dict(got.headers))
    assert message == {"MessageId": answer["sid"], "To": SENDER, "From": TO, "Message": {"text": "STOP"}}


def test_it_is_busy_in_its_own_words(sandbox: Sandbox, admin: AdminClient) -> None:
    admin.fault("429", count=1, seconds=2, path=SEND_PATH)
    busy = call(sandbox, "POST", SEND_PATH, item())
    assert (busy.status_code, busy.headers["Retry-After"], admin.messages()) == (429, "2", [])
    admin.fault("503_retry_after", count=1, seconds=3, path=SEND_PATH)
    assert call(sandbox, "POST", SEND_PATH, item()).headers["Retry-After"] == "3"


@pytest.mark.parametrize("value", sorted({SECRET, API_KEY, SENDER, *REFUSED, *REFUSED_SENDERS, *ENDS, STAYS, SLOW}))
def test_the_readme_names_what_is_there(value: str) -> None:
    assert value in (ROOT / "sandbox" / "custom" / "README.md").read_text()
