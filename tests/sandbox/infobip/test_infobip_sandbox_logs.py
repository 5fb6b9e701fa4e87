from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox import AdminClient
from tests.sandbox.infobip.conftest import TO, InfobipApi


def one_status(infobip: InfobipApi) -> str:
    return str(infobip.logs()[0]["status"]["name"])


def test_the_statuses_of_a_delivery(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.sent(TO)
    seen = []
    for seconds in (0, 25, 25, 50):
        admin.advance(seconds)
        seen.append(one_status(infobip))
    assert seen == ["PENDING_ACCEPTED", "PENDING_ENROUTE", "PENDING_WAITING_DELIVERY", "DELIVERED_TO_HANDSET"]


OUTCOMES: list[tuple[str, str, int]] = [
    ("+15005530007", "UNDELIVERABLE_NOT_DELIVERED", 7),
    ("+15005530001", "UNDELIVERABLE_NOT_DELIVERED", 1),
    ("+15005530603", "UNDELIVERABLE_REJECTED_OPERATOR", 603),
    ("+15005532050", "REJECTED_DND", 2050),
    ("+15005532052", "REJECTED_DESTINATION_BLOCKLISTED", 2052),
    ("+15005534101", "EXPIRED_EXPIRED", 4101),
    ("+15005540001", "PENDING_WAITING_DELIVERY", 0),
    ("+15005540002", "PENDING_ACCEPTED", 0),
    ("+15005540003", "PENDING_ACCEPTED", 0),
    ("+15005540004", "EXPIRED_DLR_UNKNOWN", 0),
    ("+15005540005", "DELIVERED_TO_OPERATOR", 0),
]


@pytest.mark.parametrize(("to", "status", "error"), OUTCOMES)
def test_numbers_that_choose_an_outcome(
    infobip: InfobipApi, admin: AdminClient, to: str, status: str, error: int
) -> None:
    assert infobip.sent(to)[0]["status"]["name"] == "PENDING_ACCEPTED"
    admin.advance(150)
    (log,) = infobip.logs()
    assert (log["status"]["name"], log["error"]["id"]) == (status, error)


def test_a_message_expires_with_its_validity(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.sent("+15005540003")
    admin.advance(48 * 3600 - 60)
    assert admin.messages()[0]["status"] == "PENDING_ACCEPTED"
    admin.advance(60)
    assert admin.messages()[0]["status"] == "EXPIRED_EXPIRED"


def test_a_log_has_what_infobip_describes(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.send(TO, ids=["ours-1"], options={"schedule": {"bulkId": "bulk-1"}})
    admin.advance(200)
    (log,) = infobip.logs()
    assert datetime.fromisoformat(log.pop("sentAt")) < datetime.fromisoformat(log.pop("doneAt"))
    assert log == {
        "destination": TO,
        "sender": "15551234567",
        "content": {"text": "Hello"},
        "bulkId": "bulk-1",
        "messageId": "ours-1",
        "messageCount": 1,
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": {
            "groupId": 3,
            "groupName": "DELIVERED",
            "id": 5,
            "name": "DELIVERED_TO_HANDSET",
            "description": "Message delivered to handset",
        },
        "error": {
            "groupId": 0,
            "groupName": "OK",
            "id": 0,
            "name": "NO_ERROR",
            "description": "No Error",
            "permanent": False,
        },
    }


def test_the_filters(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.send(TO, ids=["a"], options={"schedule": {"bulkId": "one"}})
    infobip.send(TO, "+447700900124", ids=["b", "c"], options={"schedule": {"bulkId": "two"}}, sender="InfoSMS")
    admin.advance(200)
    later = (datetime.now(UTC) + timedelta(seconds=100)).isoformat(timespec="milliseconds")

    def ids(**query: Any) -> list[str]:
        return [log["messageId"] for log in infobip.logs(**query)]

    assert ids() == ["c", "b", "a"]
    assert ids(bulkId="two") == ["c", "b"]
    assert ids(messageId="a,c") == ["c", "a"]
    assert ids(messageId=["a", "b"]) == ["b", "a"]
    assert ids(messageId="a", bulkId="two") == []
    assert ids(messageId="unknown") == []
    assert ids(destination="+447700900124") == ["c"]
    assert ids(sender="InfoSMS") == ["c", "b"]
    assert ids(generalStatus="PENDING") == []
    assert ids(sentSince=later) == []
    assert ids(limit=2) == ["c", "b"]


def test_the_entity_of_a_message(infobip: InfobipApi) -> None:
    body = {
        "messages": [
            {
                "destinations": [{"to": TO}],
                "sender": "InfoSMS",
                "content": {"text": "x"},
                "options": {"platform": {"entityId": "e", "applicationId": "a"}},
            }
        ]
    }
    assert infobip.call("POST", "/sms/3/messages", json=body).status_code == 200
    infobip.sent(TO)
    assert [log["platform"] for log in infobip.logs(entityId="e")] == [{"entityId": "e", "applicationId": "a"}]


def test_paging_by_cursor(infobip: InfobipApi) -> None:
    infobip.sent(*[TO] * 3, ids=["a", "b", "c"])
    first = infobip.call("GET", "/sms/3/logs", params={"limit": 2, "useCursor": "true"}).json()
    assert [log["messageId"] for log in first["results"]] == ["c", "b"]
    cursor = first["cursor"]["nextCursor"]
    second = infobip.call("GET", "/sms/3/logs", params={"limit": 2, "useCursor": "true", "cursor": cursor}).json()
    assert ([log["messageId"] for log in second["results"]], second["cursor"]) == (["a"], {"limit": 2})


@pytest.mark.parametrize(
    ("query", "name"),
    [
        pytest.param({"limit": 1001}, "limit", id="more than 1 000"),
        pytest.param({"limit": 0}, "limit", id="none"),
        pytest.param({"messageId": ",".join(["x" * 36] * 56)}, "messageId", id="more than 2 048 characters of ids"),
        pytest.param({"sentSince": "yesterday"}, "sentSince", id="no date"),
    ],
)
def test_queries_that_are_refused(infobip: InfobipApi, query: dict[str, Any], name: str) -> None:
    answer = infobip.call("GET", "/sms/3/logs", params=query)
    assert (answer.status_code, answer.json()["violations"][0]["property"]) == (400, name)


def test_what_is_gone(infobip: InfobipApi, admin: AdminClient) -> None:
    infobip.sent(TO)
    admin.advance(48 * 3600 + 1)
    assert infobip.logs() == []
    infobip.sent("+15005540006")
    assert infobip.logs() == []
    assert len(admin.messages()) == 2


def test_logs_are_asked_for_120_times_a_minute(infobip: InfobipApi, admin: AdminClient) -> None:
    admin.post("infobip/account", {"logsPerMinute": 2})
    answers = [infobip.call("GET", "/sms/3/logs") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    admin.advance(60)
    assert infobip.call("GET", "/sms/3/logs").status_code == 200
    assert admin.get("infobip/account")["logsPerMinute"] == 2


def test_a_scheduled_bulk_is_sent_in_time(infobip: InfobipApi, admin: AdminClient) -> None:
    at = datetime.fromtimestamp(admin.get("clock")["now"] + 1000, UTC).isoformat(timespec="milliseconds")
    infobip.send(TO, options={"schedule": {"sendAt": at}})
    admin.advance(900)
    assert one_status(infobip) == "PENDING_ACCEPTED"
    admin.advance(200)
    assert one_status(infobip) == "DELIVERED_TO_HANDSET"
