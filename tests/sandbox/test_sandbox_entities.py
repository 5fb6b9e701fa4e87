"""What resources do beyond being kept: a call's life, filters, pages, refusals, the switch, and the nine seed examples."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import requests

from sandbox import AdminClient
from sandbox.client import AdminCallError
from sandbox.twilio.accounts import ACCOUNT_SID, KEY_SECRET, KEY_SID
from sandbox.twilio.resources.behaviour import World
from sandbox.twilio.resources.description import addresses
from sandbox.twilio.resources.forms import date_bounds
from sandbox.twilio.resources.kinds import behaviours
from sandbox.twilio.resources.responses import BY_HAND
from tests.sandbox.support import BASE, FROM, TO, Api

DAY = 86_400
JULY_2 = 1_782_950_400  # 2026-07-02T00:00:00Z


@pytest.fixture
def plain(api: Api) -> Api:
    """Without the trimmed documents of messages; what fits the description is tried in test_sandbox_resources."""
    return Api(api.url, None)


def place_call(api: Api, to: str = TO, **form: str) -> requests.Response:
    return api.send("POST", f"{BASE}/Calls.json", data={"To": to, "From": FROM, "Url": "https://example.com/"} | form)


def listed(api: Api, path: str, key: str, **query: Any) -> list[Any]:
    answer = api.send("GET", f"{BASE}/{path}.json", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()[key])


def put(admin: AdminClient, kind: str, count: int = 1, **fields: Any) -> list[str]:
    return list(admin.post("twilio/resources", {"type": kind, "fields": fields, "count": count})["keys"])


STAGES = [(0, "queued"), (30, "ringing"), (60, "in-progress"), (110, "completed")]


def test_a_call_from_queue_to_end(plain: Api, admin: AdminClient) -> None:
    sid, passed = place_call(plain, Record="true").json()["sid"], 0
    for at, status in STAGES:
        admin.advance(at - passed)
        passed = at
        shown = plain.send("GET", f"{BASE}/Calls/{sid}.json").json()
        assert shown["status"] == status
        assert (shown["start_time"] is None) == (status == "queued")
        assert (shown["end_time"] is None) == (status != "completed")
        recordings = listed(plain, f"Calls/{sid}/Recordings", "recordings")
        assert [each["status"] for each in recordings] == {"in-progress": [status], "completed": [status]}.get(
            status, []
        )
    assert (shown["duration"], shown["price"]) == ("50", "-0.01300")
    assert [each["status"] for each in listed(plain, "Calls", "calls", Status="completed")] == ["completed"]


@pytest.mark.parametrize(
    ("to", "status"), [("+15005560001", "busy"), ("+15005560002", "no-answer"), ("+15005560003", "failed")]
)
def test_a_call_that_nobody_takes(plain: Api, admin: AdminClient, to: str, status: str) -> None:
    sid = place_call(plain, to, Record="true").json()["sid"]
    admin.advance(110)
    shown = plain.send("GET", f"{BASE}/Calls/{sid}.json").json()
    assert (shown["status"], shown["duration"], shown["end_time"]) == (status, "0", None)
    assert listed(plain, "Recordings", "recordings") == []


# seconds after its creation, the update, the status or the refusal after it
UPDATES = [
    (0, {"Status": "canceled"}, "canceled"),
    (0, {"Status": "completed"}, "canceled"),
    (60, {"Status": "completed"}, "completed"),
    (60, {"Status": "canceled"}, 21220),
    (60, {"Twiml": "<Response/>"}, "in-progress"),
    (0, {"Twiml": "<Response/>"}, 21220),
    (110, {"Status": "completed"}, "completed"),
    (110, {"Url": "https://example.com/"}, 21220),
    (60, {"Status": "busy"}, 20001),
]


@pytest.mark.parametrize(("after", "form", "outcome"), UPDATES, ids=[f"{after}s {form}" for after, form, _ in UPDATES])
def test_updates_of_a_call(plain: Api, admin: AdminClient, after: int, form: Any, outcome: Any) -> None:
    sid = place_call(plain, Record="true").json()["sid"]
    admin.advance(after)
    answer = plain.send("POST", f"{BASE}/Calls/{sid}.json", data=form).json()
    assert answer["status" if isinstance(outcome, str) else "code"] == outcome
    if outcome == "canceled":
        admin.advance(200)
        assert listed(plain, "Recordings", "recordings") == []


CALLS_REFUSED = [
    ({"To": "+15005550001"}, 21217),
    ({"To": "+15005550002"}, 21214),
    ({"To": "+15005550003"}, 21215),
    ({"To": "+15005550004"}, 21216),
    ({"To": "nobody"}, 21217),
    ({"From": "+15005550001"}, 21212),
    ({"From": "+15558675399"}, 21210),
    ({"From": ""}, 20001),
    ({"Url": ""}, 20001),
    ({"Url": "nowhere"}, 20001),
    ({"Timeout": "soon"}, 20001),
    ({"Record": "perhaps"}, 20001),
    ({"Method": "PUT"}, 20001),
    ({"ApplicationSid": "AP1"}, 20001),
]


@pytest.mark.parametrize(("form", "code"), CALLS_REFUSED, ids=[str(form) for form, _ in CALLS_REFUSED])
def test_calls_that_are_refused(plain: Api, form: dict[str, str], code: int) -> None:
    answer = place_call(plain, to=form.get("To", TO), **{k: v for k, v in form.items() if k != "To"})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert listed(plain, "Calls", "calls") == []


def test_a_running_call_stays_and_cannot_be_recorded_before_it_runs(plain: Api, admin: AdminClient) -> None:
    sid = place_call(plain).json()["sid"]
    recordings = f"{BASE}/Calls/{sid}/Recordings"
    assert plain.send("POST", f"{recordings}.json").json()["code"] == 21220
    admin.advance(60)
    assert plain.send("DELETE", f"{BASE}/Calls/{sid}.json").status_code == 409
    made = plain.send("POST", f"{recordings}.json", data={"RecordingChannels": "dual"}).json()
    assert (made["channels"], made["status"]) == (2, "in-progress")
    assert plain.send("DELETE", f"{recordings}/{made['sid']}.json").status_code == 409
    assert (
        plain.send("POST", f"{recordings}/Twilio.CURRENT.json", data={"Status": "paused"}).json()["status"] == "paused"
    )
    admin.advance(60)
    assert plain.send("GET", f"{recordings}/{made['sid']}.json").json()["status"] == "completed"
    assert plain.send("POST", f"{recordings}/{made['sid']}.json", data={"Status": "paused"}).json()["code"] == 21220


@pytest.mark.parametrize(
    ("name", "value", "span"),
    [
        pytest.param("StartTime", "2026-07-02", (JULY_2, JULY_2 + DAY), id="a day is all of it"),
        pytest.param("StartTime<", "2026-07-02", (None, JULY_2), id="of calls: before this date"),
        pytest.param("EndTime>", "2026-07-02", (JULY_2, None), id="on or after this date"),
        pytest.param("DateCreated<", "2026-07-02", (None, JULY_2 + 1), id="at or before midnight"),
        pytest.param("MessageDate>", "2026-07-02", (JULY_2, None), id="at or after midnight"),
        pytest.param("DateCreated>", "2026-07-02T02:00:00+02:00", (JULY_2, None), id="a moment with an offset"),
    ],
)
def test_date_filters_are_read_as_described(name: str, value: str, span: tuple[float | None, float | None]) -> None:
    bounds = date_bounds(name, value)
    assert (span[0] if span[0] is not None else float("-inf")) == bounds.start
    assert (span[1] if span[1] is not None else float("inf")) == bounds.end


def test_filters_of_calls_and_recordings(plain: Api, admin: AdminClient) -> None:
    midnight, noon = "2026-07-02T00:00:00Z", "2026-07-02T12:00:00Z"
    (first,) = put(admin, "Calls", start_time=midnight, status="completed", to=TO, **{"from": FROM})
    (second,) = put(admin, "Calls", start_time=noon, status="busy", to="+15558675311", parent_call_sid=first)

    def found(**query: str) -> list[str]:
        return [each["sid"] for each in listed(plain, "Calls", "calls", **query)]

    assert found(StartTime="2026-07-02") == [second, first]
    assert found(**{"StartTime<": "2026-07-02"}) == []
    assert found(**{"StartTime>": "2026-07-02T10:00:00Z", "StartTime<": "2026-07-03"}) == [second]
    assert found(EndTime="2026-07-02") == []
    assert found(Status="busy", To="(555) 867-5311") == found(ParentCallSid=first) == [second]
    assert found(From=FROM) == [first]
    put(admin, "Recordings", call_sid=first, date_created=midnight)
    assert len(listed(plain, "Recordings", "recordings", CallSid=first, **{"DateCreated<": "2026-07-02"})) == 1
    assert listed(plain, "Recordings", "recordings", CallSid=second) == []


LISTS_REFUSED = [
    ("Calls", {"PageSize": 0}, 20007),
    ("Calls", {"PageSize": 1001}, 20007),
    ("Calls", {"Page": "x"}, 20001),
    ("Calls", {"PageToken": "PACA" + "0" * 32}, 21481),
    ("Usage/Records", {"PageToken": "APx"}, 21481),
    ("Calls", {"Status": "asleep"}, 20001),
    ("Calls", {"StartTime": "yesterday"}, 20001),
    ("Usage/Records", {"StartDate": "yesterday"}, 20001),
    ("Participants", {}, 20404),
    (f"Queues/QU{'0' * 32}/Members", {}, 20404),
    ("AvailablePhoneNumbers/XX/Local", {}, 20404),
]


@pytest.mark.parametrize(("path", "query", "code"), LISTS_REFUSED, ids=[f"{row[0]} {row[1]}" for row in LISTS_REFUSED])
def test_lists_that_are_refused(plain: Api, path: str, query: dict[str, Any], code: int) -> None:
    assert plain.send("GET", f"{BASE}/{path}.json", params=query).json()["code"] == code


def test_pages_go_on_and_back_and_do_not_shift(plain: Api, admin: AdminClient) -> None:
    keys = put(admin, "Applications", 5, friendly_name="a")[::-1]
    put(admin, "Applications", friendly_name="b")
    first = plain.send("GET", f"{BASE}/Applications.json", params={"PageSize": 2, "FriendlyName": "a"}).json()
    assert f"FriendlyName=a&PageSize=2&Page=1&PageToken=PA{keys[1]}" in first["next_page_uri"]
    assert (first["page"], first["start"], first["end"], first["previous_page_uri"]) == (0, 0, 1, None)
    put(admin, "Applications", friendly_name="a")
    plain.send("DELETE", f"{BASE}/Applications/{keys[1]}.json")
    pages = [first]
    while pages[-1]["next_page_uri"]:
        pages.append(plain.send("GET", pages[-1]["next_page_uri"]).json())
    assert [row["sid"] for page in pages for row in page["applications"]] == keys
    for before, page in list(pairwise(pages))[1:]:
        assert plain.send("GET", page["previous_page_uri"]).json()["applications"] == before["applications"]


def test_pages_of_the_younger_api_are_whole_urls(plain: Api, admin: AdminClient) -> None:
    put(admin, "Services", 3, friendly_name="a")
    page = plain.send("GET", "/v1/Services", params={"PageSize": 3}).json()
    assert (page["meta"]["key"], len(page["services"])) == ("services", 3)
    rest = requests.get(page["meta"]["next_page_url"], auth=plain.session.auth, timeout=10).json()
    assert (len(rest["services"]), rest["meta"]["next_page_url"]) == (1, None)
    assert rest["services"][0]["date_created"].endswith("Z")


def test_an_update_changes_what_is_named_and_an_empty_value_clears(plain: Api) -> None:
    made = plain.send(
        "POST",
        f"{BASE}/Applications.json",
        data={"FriendlyName": "a", "VoiceUrl": "https://example.com/", "Other": "x"},
    ).json()
    address = f"{BASE}/Applications/{made['sid']}.json"
    changed = plain.send("POST", address, data={"VoiceUrl": "", "VoiceMethod": "get"}).json()
    same = ("friendly_name", "sid", "date_created", "sms_method")
    assert [changed[name] for name in same] == [made[name] for name in same]
    assert (changed["voice_url"], changed["voice_method"]) == (None, "GET")


def test_missing_fields_are_named(plain: Api) -> None:
    answer = plain.send("POST", f"{BASE}/Queues.json", data={"MaxSize": "3"})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "Missing required parameter FriendlyName in the post body",
    )


def test_a_standard_key_and_a_strange_account(plain: Api) -> None:
    standard = (KEY_SID, KEY_SECRET)
    assert plain.send("GET", f"{BASE}/Calls.json", auth=standard).status_code == 200
    assert plain.send("GET", f"{BASE}/SigningKeys.json", auth=standard).status_code == 403
    strange = BASE.replace(ACCOUNT_SID, "AC" + "9" * 32)
    assert plain.send("GET", f"{strange}/Calls.json").json()["code"] == 20003
    assert plain.send("PUT", f"{BASE}/Calls.json").json()["code"] == 20004


CALL = "CAdefbf2b4caa7df11dc48106385e32345"


def test_feedback_is_withdrawn_until_it_is_switched_on(plain: Api, admin: AdminClient) -> None:
    put(admin, "Calls", sid=CALL, status="completed")
    feedback, summary = f"{BASE}/Calls/{CALL}/Feedback.json", f"{BASE}/Calls/FeedbackSummary.json"
    for address in (feedback, summary):
        assert plain.send("POST", address, data={"QualityScore": 5}).json()["code"] == 20404
    admin.post("twilio/call-feedback", {"withdrawn": False})
    assert plain.send("POST", feedback, data={"QualityScore": 6}).json()["code"] == 20001
    assert plain.send("POST", feedback, data={"QualityScore": 5, "Issue": "noise"}).json()["code"] == 20001
    given = plain.send("POST", feedback, data={"QualityScore": 5, "Issue": ["dropped-call"]})
    assert (given.status_code, given.json()["sid"], given.json()["issues"]) == (200, CALL, ["dropped-call"])
    assert plain.send("GET", feedback).json()["quality_score"] == 5
    days = {"StartDate": "2020-01-01", "EndDate": "2100-01-01"}
    made = plain.send("POST", summary, data=days)
    assert (made.status_code, made.json()["call_feedback_count"], made.json()["quality_score_average"]) == (201, 1, 5)
    address = f"{BASE}/Calls/FeedbackSummary/{made.json()['sid']}.json"
    assert plain.send("GET", address).json() == made.json()
    assert plain.send("DELETE", address).status_code == 204
    assert plain.send("GET", address).status_code == 404
    assert plain.send("POST", summary, data={**days, "EndDate": "2019-01-01"}).json()["code"] == 20001


def test_the_nine_seed_examples(plain: Api, admin: AdminClient) -> None:
    """Google's connector page, as it stands, but for the digits that it masks."""
    recording, old_call = "RE2e915e78549694bd0a0742d2d39454e5", "CAaa4a99c300bd9d1bcc0d1ae9dcd248c6"
    message, number = "SM3ad97d41e786c02bca47c8ce1745053b", "PN4047ac009a15885690a50a1d388b8411"
    caller_id = "PN6f5f9bf39cb1801a6e21a5a80d274bdd"
    put(admin, "Recordings", sid=recording, status="completed")
    put(admin, "Calls", sid=old_call, status="completed")
    put(admin, "Calls", sid=CALL, status="completed")
    put(admin, "IncomingPhoneNumbers", sid=number, phone_number="+15558675309")
    put(admin, "OutgoingCallerIds", sid=caller_id, phone_number="+919902500000")
    admin.post("twilio/messages", {"sid": message, "to": TO, "from": FROM, "body": "secret"})
    admin.post("twilio/call-feedback", {"withdrawn": False})
    whatsapp = {"To": "whatsapp:+917892300000", "From": "whatsapp:+14155238886"}

    def post(path: str, **form: Any) -> requests.Response:
        return plain.send("POST", f"{BASE}/{path}.json", data=form)

    assert [each["sid"] for each in listed(plain, "Recordings", "recordings")] == [recording]
    assert plain.send("GET", f"{BASE}/Recordings/{recording}.json").json()["sid"] == recording
    assert plain.send("DELETE", f"{BASE}/Calls/{old_call}.json").status_code == 204
    assert post(f"Calls/{CALL}/Feedback", QualityScore=5).json()["sid"] == CALL
    summary = post("Calls/FeedbackSummary", StartDate="2014-06-01", EndDate="2014-06-04")
    assert summary.json()["sid"].startswith("FS")
    sent = post("Messages", Body="Message is sent from Google Cloud", **whatsapp)
    assert (sent.status_code, sent.json()["from"]) == (201, "whatsapp:+14155238886")
    assert (post(f"Messages/{message}", Body="").json()["sid"], plain.fetch(message)["body"]) == (message, "")
    name = "name of IncomingPhoneNumber is getting updated"
    assert post(f"IncomingPhoneNumbers/{number}", FriendlyName=name).json()["friendly_name"] == name
    name = "Name Updated for 9902500000"
    assert post(f"OutgoingCallerIds/{caller_id}", FriendlyName=name).json()["friendly_name"] == name


ADMIN_REFUSED = [
    ("twilio/resources", {"type": "Calendars"}, "type: one of"),
    ("twilio/resources", {"type": "Calls", "fields": {"colour": "red"}}, "fields.colour: unknown"),
    ("twilio/resources", {"type": "Calls", "fields": {"start_time": "soon"}}, "fields.start_time: a moment"),
    ("twilio/resources", {"type": "Calls", "fields": []}, "fields: an object"),
    ("twilio/resources", {"type": "Calls", "count": 0}, "count: a whole number"),
    ("twilio/resources", {"type": "Members"}, "fields.call_sid"),
    ("twilio/resources", {"type": "Calls", "accountSid": "AC1"}, "accountSid: AC1 is unknown"),
    ("twilio/call-feedback", {}, "withdrawn: true or false"),
    ("twilio/messages", {"to": TO, "from": FROM}, "refuses such a message with 21602"),
]


@pytest.mark.parametrize(("path", "body", "words"), ADMIN_REFUSED, ids=[row[2] for row in ADMIN_REFUSED])
def test_admin_calls_that_are_refused(admin: AdminClient, path: str, body: dict[str, Any], words: str) -> None:
    with pytest.raises(AdminCallError, match=words):
        admin.post(path, body)


def test_a_reset_brings_back_the_start(plain: Api, admin: AdminClient) -> None:
    put(admin, "Calls", status="completed")
    before = [each["sid"] for each in listed(plain, "IncomingPhoneNumbers", "incoming_phone_numbers")]
    admin.reset()
    assert listed(plain, "Calls", "calls") == []
    assert [each["sid"] for each in listed(plain, "IncomingPhoneNumbers", "incoming_phone_numbers")] == before


def test_every_described_address_has_a_behaviour() -> None:
    world: World = None  # type: ignore[assignment]  # no behaviour needs it before a request
    assert {each.role for each in addresses() if each.kind not in BY_HAND} <= set(behaviours(world))
