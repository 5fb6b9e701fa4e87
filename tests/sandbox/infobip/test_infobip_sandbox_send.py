from __future__ import annotations

from typing import Any

import pytest

from sandbox import AdminClient
from sandbox.infobip.account import SENDING_KEY
from sandbox.infobip.numbers import REJECTED
from tests.sandbox.infobip.conftest import TO, InfobipApi

NAMES = {
    6: "REJECTED_NETWORK",
    8: "REJECTED_PREFIX_MISSING",
    10: "REJECTED_DND",
    12: "REJECTED_NOT_ENOUGH_CREDITS",
    14: "REJECTED_DESTINATION_BLOCKLISTED",
    19: "REJECTED_ROUTE_NOT_AVAILABLE",
    20: "REJECTED_FLOODING_FILTER",
    52: "REJECTED_DESTINATION",
}


def test_an_accepted_message(infobip: InfobipApi, admin: AdminClient) -> None:
    answer = infobip.send(TO, ids=["ours-1"], options={"includeSmsCountInResponse": True}).json()
    (message,) = answer["messages"]
    assert message == {
        "messageId": "ours-1",
        "status": {
            "groupId": 1,
            "groupName": "PENDING",
            "id": 26,
            "name": "PENDING_ACCEPTED",
            "description": "Message sent to next instance",
        },
        "destination": TO,
        "details": {"messageCount": 1},
    }
    (kept,) = admin.messages()
    assert (kept["sid"], kept["to"], kept["from"], kept["bulkId"]) == (
        "ours-1",
        f"+{TO}",
        "+15551234567",
        answer["bulkId"],
    )


def test_ids_are_made_where_none_are_given(infobip: InfobipApi) -> None:
    first, second = infobip.sent(TO, TO)
    assert first["messageId"] != second["messageId"]
    assert "details" not in first


@pytest.mark.parametrize(("number", "status"), REJECTED.items())
def test_a_number_that_is_rejected_at_once(infobip: InfobipApi, admin: AdminClient, number: str, status: int) -> None:
    """One of a request alone: the others are taken."""
    rejected, taken = infobip.sent(f"+{number}", TO)
    assert (rejected["status"]["groupName"], rejected["status"]["id"]) == ("REJECTED", status)
    assert rejected["status"]["name"] == NAMES[status]
    assert taken["status"]["id"] == 26
    assert [message["to"] for message in admin.messages()] == [f"+{TO}"]


@pytest.mark.parametrize(
    ("to", "message", "status"),
    [
        pytest.param("", {}, 51, id="no destination"),
        pytest.param("nobody", {}, 52, id="no number"),
        pytest.param(TO, {"content": {"text": "x" * 4001}}, 25, id="more than 4 000 bytes"),
        pytest.param(TO, {"content": {"text": "я" * (67 * 25 + 1)}}, 25, id="more than 25 parts"),
        pytest.param(TO, {"sender": "+4912345678"}, 11, id="a number that isn't ours"),
        pytest.param(TO, {"sender": "UNREGISTERED"}, 11, id="an unregistered sender"),
        pytest.param(TO, {"sender": "BLOCKED"}, 13, id="a blocked sender"),
    ],
)
def test_what_is_rejected_at_once(infobip: InfobipApi, to: str, message: dict[str, Any], status: int) -> None:
    (rejected,) = infobip.sent(to, **message)
    assert rejected["status"]["id"] == status


def test_an_alphanumeric_sender_is_taken(infobip: InfobipApi) -> None:
    assert infobip.sent(TO, sender="InfoSMS")[0]["status"]["id"] == 26


def test_a_repeated_id_is_rejected_and_nothing_is_sent(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.sent(TO, ids=["ours-1"])
    (again,) = infobip.sent(TO, ids=["ours-1"])
    assert (again["messageId"], again["status"]["name"]) == ("ours-1", "REJECTED_DUPLICATE_MESSAGE_ID")
    assert len(admin.messages()) == 1
    assert [log["status"]["id"] for log in infobip.logs(messageId="ours-1")] == [23, 26]


def test_a_rejected_message_has_used_its_id_too(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.sent("+15005550005", ids=["ours-1"])
    assert infobip.sent(TO, ids=["ours-1"])[0]["status"]["id"] == 23
    assert admin.messages() == []


INVALID: list[tuple[str, dict[str, Any], str, str]] = [
    ("no messages", {"messages": []}, "messages", "must not be empty"),
    ("messages that are none", {"messages": "x"}, "messages", "must not be empty"),
    ("a message that is none", {"messages": ["x"]}, "messages[0]", "must be an object"),
    (
        "no destinations",
        {"messages": [{"content": {"text": "x"}, "destinations": []}]},
        "messages[0].destinations",
        "must not be empty",
    ),
    (
        "no text",
        {"messages": [{"content": {}, "destinations": [{"to": TO}]}]},
        "messages[0].content.text",
        "must not be null",
    ),
    (
        "too long an id",
        {"messages": [{"content": {"text": "x"}, "destinations": [{"to": TO, "messageId": "x" * 201}]}]},
        "messages[0].destinations[0].messageId",
        "size must be between 0 and 200",
    ),
    (
        "too long a bulk id",
        {
            "messages": [{"content": {"text": "x"}, "destinations": [{"to": TO}]}],
            "options": {"schedule": {"bulkId": "x" * 101}},
        },
        "options.schedule.bulkId",
        "size must be between 0 and 100",
    ),
    (
        "too late a time",
        {
            "messages": [{"content": {"text": "x"}, "destinations": [{"to": TO}]}],
            "options": {"schedule": {"sendAt": "2099-01-01T00:00:00.000+0000"}},
        },
        "options.schedule.sendAt",
        "must be at most 180 days in the future",
    ),
    (
        "too long a validity",
        {
            "messages": [
                {
                    "content": {"text": "x"},
                    "destinations": [{"to": TO}],
                    "options": {"validityPeriod": {"amount": 49, "timeUnit": "HOURS"}},
                }
            ]
        },
        "messages[0].options.validityPeriod.amount",
        "must be within 48 hours",
    ),
]


@pytest.mark.parametrize(("body", "name", "violation"), [row[1:] for row in INVALID], ids=[row[0] for row in INVALID])
def test_a_request_that_is_refused_whole(
    infobip: InfobipApi, admin: AdminClient, body: dict[str, Any], name: str, violation: str
) -> None:
    answer = infobip.call("POST", "/sms/3/messages", json=body)
    assert answer.status_code == 400
    error = answer.json()
    assert (error["errorCode"], error["description"]) == ("E400", "Request cannot be processed.")
    assert {"property": name, "violation": violation} in error["violations"]
    assert admin.messages() == []


def test_a_body_that_is_no_json(infobip: InfobipApi) -> None:
    assert infobip.call("POST", "/sms/3/messages", data=b"to=1").json()["errorCode"] == "E400"


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="none"),
        pytest.param("App 0000", id="unknown key"),
        pytest.param("Basic c2FuZGJveDp4", id="wrong password"),
        pytest.param(f"Bearer {SENDING_KEY}", id="wrong scheme"),
    ],
)
def test_wrong_credentials(infobip: InfobipApi, admin: AdminClient, authorization: str) -> None:
    infobip.session.headers["Authorization"] = authorization
    answer = infobip.send(TO)
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "E401")
    assert admin.messages() == []


def test_a_key_may_do_what_its_scopes_say(infobip: InfobipApi) -> None:
    infobip.session.headers["Authorization"] = f"App {SENDING_KEY}"
    assert infobip.send(TO).status_code == 200
    for method, path in (("GET", "/sms/3/logs"), ("GET", "/account/1/balance"), ("POST", "/sms/1/preview")):
        answer = infobip.call(method, path)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "E403")


def test_balance_and_preview(infobip: InfobipApi) -> None:
    assert infobip.call("GET", "/account/1/balance").json() == {"balance": 100.0, "currency": "EUR"}
    preview = infobip.call("POST", "/sms/1/preview", json={"text": "Grüße 👍"}).json()
    assert (preview["originalText"], preview["previews"][0]["messageCount"]) == ("Grüße 👍", 1)


def test_addresses_and_methods_that_do_not_exist(infobip: InfobipApi) -> None:
    assert infobip.call("GET", "/sms/3/nothing").json()["errorCode"] == "E404"
    assert infobip.call("DELETE", "/sms/3/messages").json()["errorCode"] == "E405"


def test_limits_and_server_errors_have_infobips_form(infobip: InfobipApi, admin: AdminClient) -> None:
    admin.fault("429", seconds=2, count=1)
    answer = infobip.send(TO)
    assert (answer.status_code, answer.json()["errorCode"], answer.headers["Retry-After"]) == (429, "E429", "2")
    admin.fault("500_before_accept", count=1)
    assert infobip.send(TO).json()["description"] == "Something went wrong."
