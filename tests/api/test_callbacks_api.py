"""`/v1/callbacks`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.api.services import ConnectionProfile
from sms_connector.notifications.delivery import Notification
from tests.fixtures.engine_double import NOW


def callback(number: int, **fields: Any) -> Notification:
    values: dict[str, Any] = {
        "id": f"cb_{number:026x}",
        "message": f"msg_{number:026x}",
        "campaign": None,
        "index": number,
        "url": "https://crm.example.com/sms",
        "created_at": NOW,
    }
    return Notification(**{**values, **fields})


GIVEN_UP = {"state": "given_up", "attempts": 9, "last_error": "the answer was 500"}


def test_each_with_what_became_of_it(api: Any) -> None:
    api.double.stored_callbacks = [callback(1, **GIVEN_UP)]
    assert api.get("/v1/callbacks").json == {
        "callbacks": [
            {
                "id": f"cb_{1:026x}",
                "message": f"msg_{1:026x}",
                "campaign": None,
                "index": 1,
                "url": "https://crm.example.com/sms",
                "state": "given_up",
                "attempts": 9,
                "createdAt": "2026-01-01T00:00:00.000Z",
                "nextAttemptAt": None,
                "deliveredAt": None,
                "lastError": "the answer was 500",
            }
        ],
        "nextPageToken": None,
    }


def test_page_by_page_of_one_state(api: Any) -> None:
    api.double.stored_callbacks = [callback(number, **GIVEN_UP) for number in range(3)] + [callback(3)]
    first = api.get("/v1/callbacks?state=given_up&pageSize=2").json
    second = api.get(f"/v1/callbacks?state=given_up&pageSize=2&pageToken={first['nextPageToken']}").json
    assert [each["index"] for each in (*first["callbacks"], *second["callbacks"])] == [0, 1, 2]
    assert second["nextPageToken"] is None
    assert api.get(f"/v1/callbacks?pageToken={first['nextPageToken']}").status_code == 400, "of another filter"


@pytest.mark.parametrize("query", ["state=lost", "state=", "status=pending", "pageSize=0"])
def test_a_wrong_question(api: Any, query: str) -> None:
    assert api.get(f"/v1/callbacks?{query}").status_code == 400
    assert api.double.calls == []


def test_a_replay_answers_with_it(api: Any) -> None:
    api.double.stored_callbacks = [callback(1, **GIVEN_UP)]
    told = api.post(f"/v1/callbacks/cb_{1:026x}:replay").json
    assert (told["id"], told["state"], told["attempts"]) == (f"cb_{1:026x}", "pending", 0)


def test_what_is_not_there(api: Any) -> None:
    answer = api.post("/v1/callbacks/cb_1:replay")
    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")


def test_the_connections_own_address_where_a_request_names_none(make: Any, profile: Any) -> None:
    api = make(profile=replace(profile, callback_url="https://crm.example.com/all"))
    api.send({"to": "+15558675310", "message": "x"})
    api.send({"to": "+15558675310", "message": "x", "callbackUrl": "https://crm.example.com/own"})
    assert [request.options.callback_url for request in api.double.requests] == [
        "https://crm.example.com/all",
        "https://crm.example.com/own",
    ]


@pytest.mark.parametrize("path", ["/v1/messages:send", "/v1/campaigns"])
def test_a_callback_url_needs_a_queue_to_post_from(make: Any, profile: ConnectionProfile, path: str) -> None:
    api = make(profile=replace(profile, has_queue=False))
    document = {"message": "x", "records": [{"to": "+15558675310"}], "callbackUrl": "https://crm.example.com/own"}
    answer = api.post(path, document)
    assert answer.status_code == 400
    assert answer.json["error"]["details"] == [{"field": "callbackUrl", "kind": "UNSUPPORTED"}]
    assert "SMS_QUEUE" in answer.json["error"]["message"]
    assert api.double.requests == []
