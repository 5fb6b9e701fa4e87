from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from sandbox import AdminClient
from sandbox.callbacks import Outcome
from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID
from sandbox.twilio.webhooks import ConnectionPolicy, connection_policy
from tests.sandbox.support import BASE, FROM, TO, Api, Received, Receiver, always_204

# The callbacks of a message are sent, and their attempts over, before its create request is answered: no waiting.
AT_ONCE = {"beforeAnswer": 1}


def statuses(receiver: Receiver) -> list[str]:
    return [got.fields["MessageStatus"] for got in receiver.received]


def valid(receiver: Receiver, got: Received, token: str = AUTH_TOKEN) -> bool:
    signature = got.headers["X-Twilio-Signature"]
    return bool(RequestValidator(token).validate(f"{receiver.url}{got.path}", got.fields, signature))


def test_the_fields_of_a_status_callback(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    sid = api.created(StatusCallback=f"{receiver.url}/status?tenant=acme&x=%20")["sid"]
    (got,) = receiver.received
    assert (got.method, got.path) == ("POST", "/status?tenant=acme&x=%20")
    assert got.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert re.fullmatch(r"\d{10}", got.fields["RawDlrDoneDate"])
    assert got.fields == {
        "SmsSid": sid,
        "MessageSid": sid,
        "SmsStatus": "delivered",
        "MessageStatus": "delivered",
        "To": TO,
        "From": FROM,
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "RawDlrDoneDate": got.fields["RawDlrDoneDate"],
    }
    assert valid(receiver, got)


def test_a_failure_has_its_code_and_a_service_its_id(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE | {"statuses": ["sent", "undelivered"]})
    api.created(To="+15005530003", From=None, MessagingServiceSid=SERVICE_SID, StatusCallback=receiver.url)
    assert [got.fields.get("ErrorCode") for got in by_status(receiver)] == [None, "30003"]
    assert {got.fields["MessagingServiceSid"] for got in receiver.received} == {SERVICE_SID}


def by_status(receiver: Receiver) -> list[Received]:
    """Those sent before the answer go out side by side; in order of their status they can be compared."""
    return sorted(receiver.received, key=lambda got: got.fields["MessageStatus"])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param({}, ["sent", "delivered"], id="from a number: from the hand-over on"),
        pytest.param(
            {"From": None, "MessagingServiceSid": SERVICE_SID},
            ["queued", "sending", "sent", "delivered"],
            id="from a service: what leads to it too, but never the first status",
        ),
        pytest.param({"To": "+15005530005"}, ["sent", "undelivered"], id="undelivered"),
        pytest.param({"To": "+15005530008"}, ["failed"], id="failed"),
        pytest.param({"To": "+15005540001"}, ["sent"], id="never final"),
    ],
)
def test_which_statuses_are_called_back(
    api: Api, admin: AdminClient, receiver: Receiver, form: dict[str, Any], expected: list[str]
) -> None:
    api.created(StatusCallback=receiver.url, **form)
    for count, seconds in enumerate([15, 15, 30, 60]):
        # One step at a time, each waited for: two that are due together travel on two connections.
        admin.advance(seconds)
        due = {15: "queued", 30: "sending", 60: "sent", 120: "delivered"}
        reached = list(due.values())[: count + 1] + (["undelivered", "failed"] if count == 3 else [])
        receiver.wait_for(sum(status in reached for status in expected))
    assert statuses(receiver) == expected


def test_a_service_has_a_callback_of_its_own_and_the_message_comes_first(
    api: Api, admin: AdminClient, receiver: Receiver
) -> None:
    admin.post("services", {"sid": SERVICE_SID, "statusCallback": f"{receiver.url}/service"})
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    api.created(From=None, MessagingServiceSid=SERVICE_SID)
    api.created(From=None, MessagingServiceSid=SERVICE_SID, StatusCallback=f"{receiver.url}/own")
    assert [got.path for got in receiver.received] == ["/service", "/own"]


def test_before_the_answer_means_settled_before_the_answer(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE)
    made = api.created(StatusCallback=receiver.url)
    assert made["status"] == "queued"
    assert sorted(statuses(receiver)) == ["delivered", "sent"]
    assert api.fetch(made["sid"])["status"] == "delivered"


def test_a_canceled_message_is_called_back_once(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(deliverySeconds=0)
    send_at = datetime.fromtimestamp(admin.get("clock")["now"] + 1000, UTC).isoformat()
    form = {"From": None, "MessagingServiceSid": SERVICE_SID, "ScheduleType": "fixed", "SendAt": send_at}
    sid = api.created(StatusCallback=receiver.url, **form)["sid"]
    api.send("POST", f"{BASE}/Messages/{sid}.json", data={"Status": "canceled"})
    receiver.wait_for(1)
    admin.advance(2000)
    # The next message's callback is the proof that the canceled one had no more.
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    api.created(StatusCallback=receiver.url)
    assert statuses(receiver) == ["canceled", "delivered"]


BEHAVIOURS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("switched off", {"enabled": False}, []),
    ("statuses chosen", {"statuses": ["delivered"]}, ["delivered"]),
    ("repeated", {"repeat": 2, "statuses": ["delivered"]}, ["delivered"] * 3),
    ("repeated by chance", {"repeat": 2, "repeatChance": 0, "statuses": ["delivered"]}, ["delivered"]),
    ("dropped", {"drop": 1}, []),
]


@pytest.mark.parametrize(("behaviour", "expected"), [row[1:] for row in BEHAVIOURS], ids=[row[0] for row in BEHAVIOURS])
def test_behaviours(
    api: Api, admin: AdminClient, receiver: Receiver, behaviour: dict[str, Any], expected: list[str]
) -> None:
    admin.settings(callbacks=AT_ONCE | behaviour)
    api.created(StatusCallback=receiver.url)
    assert statuses(receiver) == expected


def test_a_repeated_callback_says_the_same_token(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE | {"repeat": 1})
    api.created(StatusCallback=receiver.url)
    tokens = {(got.fields["MessageStatus"], got.headers["I-Twilio-Idempotency-Token"]) for got in receiver.received}
    assert (len(receiver.received), len(tokens)) == (4, 2)


def test_the_last_first(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks={"reorder": 1})
    api.created(StatusCallback=receiver.url)
    admin.advance(100)
    receiver.wait_for(1)
    admin.advance(1)
    receiver.wait_for(2)
    assert statuses(receiver) == ["delivered", "sent"]


def test_late(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks={"delaySeconds": 1000, "statuses": ["delivered"]})
    sid = api.created(StatusCallback=receiver.url)["sid"]
    admin.advance(200)
    assert api.fetch(sid)["status"] == "delivered"
    assert receiver.received == []
    admin.advance(1000)
    receiver.wait_for(1)


def status(code: int) -> Callable[[Received], tuple[int, str]]:
    return lambda _: (code, "")


RETRIES: list[tuple[str, str, Callable[[Received], tuple[int, str]], int, str | int | None]] = [
    ("an answer is an answer", "", always_204, 1, 204),
    ("a 5xx is not retried by default", "", status(500), 1, 500),
    ("a cut connection is not retried by default", "", status(0), 1, "read"),
    ("4xx when asked", "#rc=2&rp=4xx", status(404), 3, 404),
    ("5xx when asked", "#rc=3&rp=4xx,5xx", status(503), 4, 503),
    ("a cut connection when asked", "#rc=1&rp=rt", status(0), 2, "read"),
    ("everything", "#rc=5&rp=all", status(500), 6, 500),
    ("never", "#rc=0&rp=all", status(500), 1, 500),
    ("a redirect is not followed", "", status(302), 1, 302),
]


@pytest.mark.parametrize(
    ("fragment", "answer", "attempts", "result"), [row[1:] for row in RETRIES], ids=[row[0] for row in RETRIES]
)
def test_retries(
    api: Api,
    admin: AdminClient,
    receiver: Receiver,
    fragment: str,
    answer: Callable[[Received], tuple[int, str]],
    attempts: int,
    result: str | int,
) -> None:
    receiver.answer = answer
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    api.created(StatusCallback=f"{receiver.url}/x?a=1{fragment}")
    assert [got.path for got in receiver.received] == ["/x?a=1"] * attempts
    assert all(valid(receiver, got) for got in receiver.received)
    assert len({got.headers["I-Twilio-Idempotency-Token"] for got in receiver.received}) == 1
    journal = admin.callbacks()
    assert [attempt["attempt"] for attempt in journal] == list(range(1, attempts + 1))
    assert {attempt["status"] or attempt["error"] for attempt in journal} == {result}


def test_a_refused_connection_is_retried_once(api: Api, admin: AdminClient) -> None:
    with Receiver() as gone:
        url = gone.url
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    api.created(StatusCallback=url)
    assert [(attempt["attempt"], attempt["error"]) for attempt in admin.callbacks()] == [(1, "connect"), (2, "connect")]


def test_strangers_are_not_called(api: Api, admin: AdminClient) -> None:
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    api.created(StatusCallback="https://sms.example.com/x")
    assert [attempt["error"] for attempt in admin.callbacks()] == ["external"]


def test_the_primary_token_signs(api: Api, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE | {"statuses": ["delivered"]})
    second = api.send("POST", "/v1/AuthTokens/Secondary").json()["secondary_auth_token"]
    api.created(StatusCallback=f"{receiver.url}/x")
    api.send("POST", "/v1/AuthTokens/Promote")
    api.session.auth = (ACCOUNT_SID, second)
    api.created(StatusCallback=f"{receiver.url}/x")
    assert [(valid(receiver, got), valid(receiver, got, second)) for got in receiver.received] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    ("fragment", "policy"),
    [
        pytest.param("", ConnectionPolicy(), id="the defaults"),
        pytest.param(
            "#rc=3&rp=all&ct=2000&rt=3000&tt=9000",
            ConnectionPolicy(2.0, 3.0, 9.0, 3, frozenset({"4xx", "5xx", "ct", "rt"})),
            id="everything said",
        ),
        pytest.param("#rc=99&ct=1&rt=99999", ConnectionPolicy(0.1, 15.0, 15.0, 5), id="moved into the range"),
        pytest.param("#rc=x&foo=bar&e=ashburn", ConnectionPolicy(), id="unreadable and unknown ones"),
    ],
)
def test_connection_overrides(fragment: str, policy: ConnectionPolicy) -> None:
    assert connection_policy(f"https://h/x?rc=4{fragment}") == policy


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        pytest.param(Outcome(error="connect"), True, id="no connection"),
        pytest.param(Outcome(error="read"), False, id="no answer"),
        pytest.param(Outcome(error="external"), False, id="not allowed"),
        pytest.param(Outcome(status=500), False, id="an error"),
        pytest.param(Outcome(status=200), False, id="fine"),
    ],
)
def test_what_is_retried_by_default(outcome: Outcome, again: bool) -> None:
    assert ConnectionPolicy().retries_on(outcome) is again
