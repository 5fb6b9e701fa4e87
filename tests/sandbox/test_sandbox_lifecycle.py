from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from sandbox import AdminClient, Options, Sandbox
from sandbox.options import Settings
from sandbox.twilio.accounts import SERVICE_SID
from tests.sandbox.support import BASE, FROM, Api, OpenApiDocuments

# The delivery time of the sandbox of these tests is 100 s.
USUAL = {0: "queued", 26: "sending", 51: "sent", 101: "delivered", 9999: "delivered"}
STEPS: list[tuple[str, dict[str, Any], dict[int, str], int | None]] = [
    ("the usual way", {}, USUAL, None),
    (
        "from a messaging service",
        {"From": None, "MessagingServiceSid": SERVICE_SID},
        {0: "accepted", 11: "queued", 26: "sending", 51: "sent", 101: "delivered"},
        None,
    ),
    ("handset off", {"To": "+15005530003"}, {51: "sent", 101: "undelivered"}, 30003),
    ("blocked", {"To": "+15005530004"}, {51: "sent", 101: "undelivered"}, 30004),
    ("unknown handset", {"To": "+15005530005"}, {51: "sent", 101: "undelivered"}, 30005),
    ("landline", {"To": "+15005530006"}, {51: "sent", 101: "undelivered"}, 30006),
    ("filtered", {"To": "+15005530007"}, {51: "sent", 101: "undelivered"}, 30007),
    ("unknown error", {"To": "+15005530008"}, {26: "sending", 51: "sending", 101: "failed"}, 30008),
    ("no receipt ever", {"To": "+15005540001"}, {51: "sent", 101: "sent", 99999: "sent"}, None),
    ("ten times slower", {"To": "+15005540002"}, {101: "queued", 251: "sending", 501: "sent", 1001: "delivered"}, None),
    ("never leaves the queue", {"To": "+15005540003"}, {35999: "queued", 36001: "failed"}, 30036),
    (
        "a shorter validity",
        {"To": "+15005540003", "ValidityPeriod": "60"},
        {59: "queued", 61: "failed"},
        30036,
    ),
]


@pytest.mark.parametrize(("form", "steps", "code"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_statuses_in_time(
    api: Api, admin: AdminClient, form: dict[str, Any], steps: dict[int, str], code: int | None
) -> None:
    sid, passed = api.created(**form)["sid"], 0
    for at, status in steps.items():
        admin.advance(at - passed)
        passed = at
        assert (at, api.fetch(sid)["status"]) == (at, status)
    final = api.fetch(sid)
    assert final["error_code"] == code
    assert (final["error_message"] is None) == (code is None)


def test_what_is_filled_in_on_the_way(api: Api, admin: AdminClient) -> None:
    made = api.created(From=None, MessagingServiceSid=SERVICE_SID, Body="x" * 161)
    admin.advance(20)
    queued = api.fetch(made["sid"])
    assert (queued["from"], queued["num_segments"], queued["price"]) == ("+15017250604", "2", None)
    admin.advance(100)
    done = api.fetch(made["sid"])
    sent, updated = (parsedate_to_datetime(done[name]) for name in ("date_sent", "date_updated"))
    created = parsedate_to_datetime(done["date_created"])
    assert done["price"] == "-0.01500"
    assert timedelta(seconds=49) <= sent - created <= timedelta(seconds=51)
    assert timedelta(seconds=99) <= updated - created <= timedelta(seconds=101)


def test_instant_delivery_is_still_answered_queued(documents: OpenApiDocuments) -> None:
    with Sandbox(Options(settings=Settings(delivery_seconds=0.0))) as sandbox:
        api = Api(sandbox.url, documents)
        made = api.created()
        assert made["status"] == "queued"
        assert api.fetch(made["sid"])["status"] == "delivered"


def test_the_spread_of_delivery_times_is_repeatable() -> None:
    settings = Settings(delivery_seconds=10.0, delivery_spread_seconds=80.0)

    def statuses() -> list[str]:
        with Sandbox(Options(seed=3, settings=settings)) as sandbox:
            api = Api(sandbox.url, None)
            for _ in range(20):
                api.created()
            sandbox.admin.advance(50)
            return [message["status"] for message in sandbox.admin.messages()]

    first = statuses()
    assert first == statuses()
    assert len(set(first)) > 1


def iso(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def scheduled(api: Api, seconds: float) -> Any:
    return api.create(From=None, MessagingServiceSid=SERVICE_SID, ScheduleType="fixed", SendAt=iso(seconds))


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        pytest.param(800, 35114, id="less than 15 minutes ahead"),
        pytest.param(905, None, id="a little over 15 minutes"),
        pytest.param(35 * 86_400 - 5, None, id="a little under 35 days"),
        pytest.param(35 * 86_400 + 60, 35114, id="more than 35 days"),
        pytest.param(-60, 35114, id="in the past"),
    ],
)
def test_the_window_of_schedules(api: Api, seconds: int, code: int | None) -> None:
    assert scheduled(api, seconds).json().get("code") == code


def test_a_time_that_is_none(api: Api) -> None:
    answer = api.create(From=None, MessagingServiceSid=SERVICE_SID, ScheduleType="fixed", SendAt="tomorrow")
    assert answer.json()["code"] == 35114


def test_a_scheduled_message_waits_then_goes_its_way(api: Api, admin: AdminClient) -> None:
    made = scheduled(api, 1000).json()
    assert (made["status"], made["from"], made["num_segments"]) == ("scheduled", None, "0")
    admin.advance(900)
    assert api.fetch(made["sid"])["status"] == "scheduled"
    admin.advance(201)
    assert api.fetch(made["sid"])["status"] == "delivered"


def test_cancel(api: Api, admin: AdminClient) -> None:
    sid = scheduled(api, 1000).json()["sid"]
    answer = api.send("POST", f"{BASE}/Messages/{sid}.json", data={"Status": "canceled"})
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    admin.advance(5000)
    assert api.fetch(sid)["status"] == "canceled"
    assert api.fetch(sid)["date_sent"] is None


@pytest.mark.parametrize(
    ("form", "code"),
    [
        pytest.param({"Status": "canceled"}, 30409, id="only a scheduled message can be canceled"),
        pytest.param({"Status": "delivered"}, 20001, id="no other status can be set"),
        pytest.param({"Body": "other"}, 20001, id="a text can only be emptied"),
    ],
)
def test_updates_that_are_refused(api: Api, form: dict[str, str], code: int) -> None:
    sid = api.created()["sid"]
    assert api.send("POST", f"{BASE}/Messages/{sid}.json", data=form).json()["code"] == code
    assert api.fetch(sid)["body"] == "Hello"


def test_redact(api: Api) -> None:
    sid = api.created()["sid"]
    assert api.send("POST", f"{BASE}/Messages/{sid}.json", data={"Body": ""}).json()["body"] == ""
    assert api.fetch(sid)["body"] == ""


def test_delete_takes_finished_messages_only(api: Api, admin: AdminClient) -> None:
    sid = api.created()["sid"]
    address = f"{BASE}/Messages/{sid}.json"
    assert api.send("DELETE", address).json()["code"] == 20009
    admin.advance(200)
    assert api.send("DELETE", address).status_code == 204
    assert api.send("GET", address).status_code == 404
    assert api.list()["messages"] == []
    assert [message["deleted"] for message in admin.messages()] == [True]


def test_media(api: Api) -> None:
    sid = api.created(MediaUrl=["https://example.com/a.png", "https://example.com/b"])["sid"]
    listed = api.send("GET", f"{BASE}/Messages/{sid}/Media.json").json()
    assert [media["content_type"] for media in listed["media_list"]] == ["image/png", "image/jpeg"]
    assert (listed["start"], listed["end"], listed["next_page_uri"]) == (0, 1, None)
    first = listed["media_list"][0]
    assert api.send("GET", first["uri"]).json() == first
    assert api.send("DELETE", first["uri"]).status_code == 204
    assert api.send("GET", first["uri"]).status_code == 404
    assert api.fetch(sid)["num_media"] == "1"


@pytest.mark.parametrize(("asked", "status"), [("true", 200), (None, 404)])
def test_feedback_needs_to_be_asked_for(api: Api, asked: str | None, status: int) -> None:
    sid = api.created(ProvideFeedback=asked)["sid"]
    answer = api.send("POST", f"{BASE}/Messages/{sid}/Feedback.json", data={"Outcome": "unconfirmed"})
    assert answer.status_code == status
    assert answer.json().get("outcome") == ("unconfirmed" if asked else None)


def test_feedback_knows_two_outcomes(api: Api) -> None:
    sid = api.created(ProvideFeedback="true", From=FROM)["sid"]
    answer = api.send("POST", f"{BASE}/Messages/{sid}/Feedback.json", data={"Outcome": "maybe"})
    assert answer.json()["code"] == 20001
