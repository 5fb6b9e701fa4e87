"""The official SDK lists, gets, creates, updates and deletes every type, and the official description fits each exchange."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from sandbox import AdminClient, Sandbox
from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID
from sandbox.twilio.resources.description import TABLE
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.fixtures.openapi_witness import OpenApiWitness
from tests.openapi.describe_twilio import DOCUMENTS, HERE, table, written
from tests.sandbox.support import FROM, TO, OpenApiDocuments

WITNESSES = {
    "/2010-04-01": OpenApiWitness(HERE / DOCUMENTS[0], root="/2010-04-01"),
    "/v1/Services": OpenApiWitness(HERE / DOCUMENTS[1], root="/v1"),
}
STRICT = OpenApiDocuments.load(*DOCUMENTS)
TALKS = "+15005560004"
URL = "https://example.com/hook"


class WitnessedClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK is not typed
    """Sends what is meant for twilio.com to the sandbox, and holds each exchange against the description."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.last_text = ""
        self.seen: list[requests.PreparedRequest] = []

    def request(self, method: str, url: str, **named: Any) -> Response:
        parts = urlsplit(url)
        local = f"{self._url}{parts.path}?{parts.query}".rstrip("?")
        answer = super().request(method, local, **named)
        if answer.status_code < 300:
            sent = requests.Request(method, local, params=named.get("params"), data=named.get("data")).prepare()
            assert problems(sent, answer.status_code, answer.text) == []
            self.seen.append(sent)
            self.last_text = answer.text
        return answer


def problems(sent: requests.PreparedRequest, status: int, text: str) -> list[str]:
    """Return what the description has against an answer: what it forbids, and a field too few or too many.

    Requests are the SDK's, which is made from the same description.
    """
    path = sent.path_url.partition("?")[0]
    witness = next(each for root, each in WITNESSES.items() if path.startswith(root))
    asked = HttpRequest(sent.method or "", sent.url or "", {})
    got = HttpResponse(status, {"Content-Type": "application/json"}, text.encode())
    answer = requests.Response()
    answer.request, answer.status_code, answer._content = sent, status, text.encode()
    return [
        *witness.of_response(asked, got),
        *STRICT.problems(answer),
    ]


@pytest.fixture
def http(sandbox: Sandbox) -> WitnessedClient:
    return WitnessedClient(sandbox.url)


@pytest.fixture
def sdk(http: WitnessedClient) -> Client:
    return Client(ACCOUNT_SID, AUTH_TOKEN, http_client=http)


def put(admin: AdminClient, kind: str, **fields: Any) -> str:
    (key,) = admin.post("twilio/resources", {"type": kind, "fields": fields})["keys"]
    return str(key)


def list_of(sdk: Client, path: str, sid: str = "") -> Any:
    """`calls.recordings` with an id: what the SDK calls `calls(id).recordings`."""
    found: Any = sdk
    for name in path.split("."):
        found = getattr(found, name)(sid) if found is sdk and sid else getattr(found, name)
    return found


SID_OF_CALL, SID_OF_CONFERENCE = "CA" + "1" * 32, "CF" + "1" * 32
SID_OF_QUEUE, SID_OF_RECORDING = "QU" + "1" * 32, "RE" + "1" * 32
ADDRESS = {
    "customer_name": "A",
    "street": "1 Main St",
    "city": "Hilo",
    "region": "HI",
    "postal_code": "96720",
    "iso_country": "US",
}

# path in the SDK, owner's id, what creates one, what an update changes (empty: cannot be updated).
MADE_BY_API: list[tuple[str, Callable[[Client], str], dict[str, Any], dict[str, Any]]] = [
    ("addresses", lambda _: "", ADDRESS, {"customer_name": "B"}),
    ("applications", lambda _: "", {"friendly_name": "a", "voice_url": URL}, {"friendly_name": "b"}),
    ("calls", lambda _: "", {"to": TALKS, "from_": FROM, "url": URL}, {"url": f"{URL}2"}),
    ("calls.recordings", lambda sdk: answered_call(sdk), {}, {"status": "paused"}),
    ("incoming_phone_numbers", lambda _: "", {"phone_number": "+15005550007"}, {"friendly_name": "b"}),
    ("queues", lambda _: "", {"friendly_name": "a", "max_size": 5}, {"max_size": 6}),
    ("sip.credential_lists", lambda _: "", {"friendly_name": "a"}, {"friendly_name": "b"}),
    ("sip.domains", lambda _: "", {"domain_name": "a.sip.twilio.com"}, {"friendly_name": "b"}),
    ("sip.ip_access_control_lists", lambda _: "", {"friendly_name": "a"}, {"friendly_name": "b"}),
    (
        "usage.triggers",
        lambda _: "",
        {"callback_url": URL, "trigger_value": "10", "usage_category": "sms"},
        {"friendly_name": "b"},
    ),
    ("messaging.v1.services", lambda _: "", {"friendly_name": "a"}, {"friendly_name": "b", "sticky_sender": False}),
]


def answered_call(sdk: Client) -> str:
    call = sdk.calls.create(to=TALKS, from_=FROM, url=URL)
    AdminClient(sdk.http_client._url).advance(60)
    return str(call.sid)


@pytest.mark.parametrize(("path", "owner", "make", "change"), MADE_BY_API, ids=[row[0] for row in MADE_BY_API])
def test_what_is_made_by_the_api(
    sdk: Client, admin: AdminClient, path: str, owner: Callable[[Client], str], make: Any, change: Any
) -> None:
    kind = list_of(sdk, path, owner(sdk))
    made = kind.create(**make)
    admin.advance(60)
    assert made.sid in [each.sid for each in kind.list()]
    assert kind(made.sid).fetch().sid == made.sid
    changed = kind(made.sid).update(**change)
    name, value = next(iter(change.items()))
    if hasattr(changed, name):
        assert getattr(changed, name) == value
        assert getattr(kind(made.sid).fetch(), name) == value
    if path == "calls":
        assert kind(made.sid).update(status="completed").status == "completed"
    if path == "calls.recordings":
        kind(made.sid).update(status="stopped")
    assert kind(made.sid).delete() is True
    assert made.sid not in [each.sid for each in kind.list()]
    with pytest.raises(TwilioRestException) as gone:
        kind(made.sid).fetch()
    assert (gone.value.status, gone.value.code) == (404, 20404)


def test_credentials_and_addresses_of_sip_lists(sdk: Client) -> None:
    people = sdk.sip.credential_lists(sdk.sip.credential_lists.create(friendly_name="a").sid)
    person = people.credentials.create(username="joe", password="Secret123456")
    assert people.credentials(person.sid).update(password="Secret1234567").username == "joe"
    assert [each.sid for each in people.credentials.list()] == [person.sid]
    assert people.credentials(person.sid).fetch().credential_list_sid == people.fetch().sid
    assert people.credentials(person.sid).delete()
    hosts = sdk.sip.ip_access_control_lists(sdk.sip.ip_access_control_lists.create(friendly_name="a").sid)
    host = hosts.ip_addresses.create(friendly_name="h", ip_address="203.0.113.1")
    assert hosts.ip_addresses(host.sid).update(cidr_prefix_length=24).cidr_prefix_length == 24
    assert hosts.ip_addresses.list()[0].ip_address == "203.0.113.1"
    assert hosts.ip_addresses(host.sid).fetch().friendly_name == "h"
    assert hosts.delete()
    with pytest.raises(TwilioRestException):
        hosts.ip_addresses(host.sid).fetch()
    second = people.credentials.create(username="ann", password="Secret123456")
    assert people.delete()
    assert second.sid


def test_senders_of_a_messaging_service(sdk: Client) -> None:
    service = sdk.messaging.v1.services(SERVICE_SID)
    number = next(each for each in sdk.incoming_phone_numbers.list() if each.phone_number == FROM)
    code = sdk.short_codes.list()[0]
    assert service.phone_numbers.create(phone_number_sid=number.sid).sid == number.sid
    assert service.short_codes.create(short_code_sid=code.sid).short_code == "12345"
    assert {each.phone_number for each in service.phone_numbers.list()} == {FROM, "+15017250604"}
    assert service.phone_numbers(number.sid).fetch().service_sid == SERVICE_SID
    assert service.short_codes(code.sid).fetch().capabilities == ["SMS"]
    with pytest.raises(TwilioRestException) as taken:
        service.phone_numbers.create(phone_number_sid=number.sid)
    assert taken.value.code == 21710
    assert service.phone_numbers(number.sid).delete()
    assert service.short_codes(code.sid).delete()
    assert service.short_codes.list() == []
    name = service.alpha_senders.create(alpha_sender="ACME")
    assert [each.alpha_sender for each in service.alpha_senders.list()] == ["ACME"]
    assert service.alpha_senders(name.sid).fetch().sid == name.sid
    assert service.alpha_senders(name.sid).delete()


def test_a_messaging_service_made_by_the_api_sends(sdk: Client) -> None:
    service = sdk.messaging.v1.services.create(
        friendly_name="a", status_callback=URL, use_inbound_webhook_on_number=True
    )
    number = next(each for each in sdk.incoming_phone_numbers.list() if each.phone_number == FROM)
    sdk.messaging.v1.services(service.sid).phone_numbers.create(phone_number_sid=number.sid)
    assert sdk.messages.create(to=TO, messaging_service_sid=service.sid, body="x").status == "accepted"
    assert sdk.messaging.v1.services(service.sid).fetch().status_callback == URL
    assert sdk.messaging.v1.services(service.sid).delete()
    with pytest.raises(TwilioRestException) as unknown:
        sdk.messages.create(to=TO, messaging_service_sid=service.sid, body="x")
    assert unknown.value.code == 21701


def test_numbers_are_found_bought_and_given_back(sdk: Client) -> None:
    assert {each.country_code for each in sdk.available_phone_numbers.list()} >= {"US", "GB"}
    us = sdk.available_phone_numbers("US")
    assert us.fetch().country == "United States"
    offer = us.local.list(area_code=510, contains="5551*", limit=1)[0]
    assert offer.phone_number.startswith("+15105551")
    assert len(us.local.list(sms_enabled=True)) == 50
    assert us.local.list(fax_enabled=True) == us.local.list(in_region="NY") == us.mobile.list() == []
    assert us.toll_free.list(limit=1)[0].phone_number.startswith("+1800")
    for kind in ("national", "shared_cost", "voip", "machine_to_machine", "mobile"):
        assert isinstance(getattr(sdk.available_phone_numbers("GB"), kind).list(limit=2), list)
    bought = sdk.incoming_phone_numbers.create(phone_number=offer.phone_number, sms_url=URL)
    assert sdk.messages.create(to=TO, from_=offer.phone_number, body="x").sid
    assert (bought.sms_url, bought.capabilities["sms"], bought.type) == (URL, True, "local")
    assert sdk.incoming_phone_numbers.create(area_code="510").phone_number != offer.phone_number
    assert bought.sid in [each.sid for each in sdk.incoming_phone_numbers.local.list()]
    assert sdk.incoming_phone_numbers.toll_free.list() == sdk.incoming_phone_numbers.mobile.list() == []
    assert sdk.incoming_phone_numbers.list(phone_number="510555")[0].phone_number.startswith("+1510555")
    assert sdk.incoming_phone_numbers(bought.sid).update(sms_url="").sms_url is None
    assert sdk.incoming_phone_numbers(bought.sid).delete()
    with pytest.raises(TwilioRestException) as gone:
        sdk.messages.create(to=TO, from_=offer.phone_number, body="x")
    assert gone.value.code == 21606


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"phone_number": "+15005550000"}, 21422),
        ({"phone_number": "+15005550001"}, 21421),
        ({"phone_number": FROM}, 21422),
        ({"phone_number": "nothing"}, 21421),
        ({"area_code": "533"}, 21452),
        ({"area_code": "1"}, 21451),
        ({}, 20001),
        ({"phone_number": "+15005550006", "sms_url": "nowhere"}, 20001),
    ],
    ids=str,
)
def test_numbers_that_cannot_be_bought(sdk: Client, form: dict[str, str], code: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        sdk.incoming_phone_numbers.create(**form)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_a_caller_id_is_validated_by_a_call(sdk: Client, admin: AdminClient) -> None:
    asked = sdk.validation_requests.create(phone_number=TO, friendly_name="mine")
    assert len(asked.validation_code) == 6
    assert sdk.calls(asked.call_sid).fetch().to == TO
    assert sdk.outgoing_caller_ids.list() == []
    admin.advance(200)
    (caller_id,) = sdk.outgoing_caller_ids.list(phone_number=TO)
    assert sdk.outgoing_caller_ids(caller_id.sid).update(friendly_name="x").friendly_name == "x"
    assert sdk.outgoing_caller_ids(caller_id.sid).fetch().phone_number == TO
    assert sdk.calls.create(to="+15558675311", from_=TO, url=URL).from_formatted == "(555) 867-5310"
    with pytest.raises(TwilioRestException) as again:
        sdk.validation_requests.create(phone_number=TO)
    assert again.value.code == 21450
    assert sdk.outgoing_caller_ids(caller_id.sid).delete()
    sdk.validation_requests.create(phone_number="+15005560001")
    admin.advance(200)
    assert sdk.outgoing_caller_ids.list() == []


def test_conferences_and_participants(sdk: Client, admin: AdminClient) -> None:
    first = sdk.conferences("room").participants.create(to=TALKS, from_=FROM, label="joe", end_conference_on_exit=True)
    (conference,) = sdk.conferences.list(status="in-progress")
    assert (conference.friendly_name, conference.reason_conference_ended) == ("room", None)
    people = sdk.conferences(conference.sid).participants
    assert first.status == "queued"
    admin.advance(60)
    assert people("joe").fetch().status == "connected"
    assert people(first.call_sid).update(muted=True, hold=True).muted
    second = people.create(to=TALKS, from_=FROM)
    assert [each.call_sid for each in people.list(muted=True)] == [first.call_sid]
    assert len(people.list()) == 2
    assert people(second.call_sid).delete()
    assert sdk.conferences(conference.sid).fetch().status == "in-progress"
    assert people("joe").delete()
    ended = sdk.conferences(conference.sid).fetch()
    assert (ended.status, ended.call_sid_ending_conference) == ("completed", first.call_sid)
    assert sdk.conferences.list(status="in-progress") == []
    other = put(admin, "Conferences", friendly_name="other")
    assert sdk.conferences(other).update(status="completed").reason_conference_ended == "conference-ended-via-api"


def test_recordings_of_a_conference(sdk: Client, admin: AdminClient) -> None:
    conference = put(admin, "Conferences", friendly_name="room")
    sid = put(admin, "Recordings", conference_sid=conference, source="Conference", status="in-progress", duration="5")
    recordings = sdk.conferences(conference).recordings
    assert [each.sid for each in recordings.list()] == [sid]
    assert recordings(sid).fetch().source == "Conference"
    assert recordings(sid).delete()
    assert sdk.recordings.list(include_soft_deleted=True)[0].status == "deleted"


def test_queues_and_members(sdk: Client, admin: AdminClient) -> None:
    queue = sdk.queues.create(friendly_name="q")
    waiting = [put(admin, "Members", queue_sid=queue.sid, call_sid=f"CA{n:032x}") for n in range(3)]
    admin.advance(100)
    members = sdk.queues(queue.sid).members
    assert [(each.call_sid, each.position) for each in members.list()] == [(sid, n) for n, sid in enumerate(waiting, 1)]
    shown = sdk.queues(queue.sid).fetch()
    assert (shown.current_size, shown.average_wait_time, shown.max_size) == (3, 100, 1000)
    assert members("Front").update(url=URL).call_sid == waiting[0]
    assert members("Front").fetch().call_sid == waiting[1]
    assert members(waiting[2]).fetch().wait_time == 100
    with pytest.raises(TwilioRestException) as refused:
        sdk.queues(queue.sid).update(max_size=5001)
    assert refused.value.code == 20001


def test_a_recording_with_its_transcriptions_and_results(sdk: Client, admin: AdminClient) -> None:
    recording = put(admin, "Recordings", status="completed", duration="4", price="-0.00250")
    text = put(
        admin, "Transcriptions", recording_sid=recording, status="completed", transcription_text="hi", price=-0.05
    )
    result = put(admin, "AddOnResults", reference_sid=recording, status="completed")
    assert (
        sdk.transcriptions.list()[0].transcription_text == sdk.transcriptions(text).fetch().transcription_text == "hi"
    )
    one = sdk.recordings(recording)
    assert (one.transcriptions.list()[0].sid, one.transcriptions(text).fetch().sid) == (text, text)
    assert (one.add_on_results.list()[0].sid, one.add_on_results(result).fetch().status) == (result, "completed")
    assert one.transcriptions(text).delete()
    assert sdk.transcriptions.list() == []
    assert one.add_on_results(result).delete()
    second = put(admin, "Transcriptions", recording_sid=recording, status="failed")
    assert sdk.transcriptions(second).delete()
    assert one.fetch().media_url.endswith(recording)
    assert one.delete()


def test_notifications_of_account_and_call(sdk: Client, admin: AdminClient) -> None:
    call = put(admin, "Calls", status="completed", to=TO, **{"from": FROM})
    sids = [
        put(
            admin, "Notifications", call_sid=call, log="0", error_code="11200", message_date=f"2026-07-0{day}T12:00:00Z"
        )
        for day in (1, 2, 3)
    ]
    assert len(sdk.notifications.list(log=0)) == 3
    assert sdk.notifications.list(log=1) == []
    assert [each.sid for each in sdk.notifications.list(message_date="2026-07-02")] == [sids[1]]
    assert [each.sid for each in sdk.calls(call).notifications.list(message_date_after="2026-07-02")] == sids[:0:-1]
    # "at or before midnight" of the parameter's description
    assert [each.sid for each in sdk.calls(call).notifications.list(message_date_before="2026-07-02")] == [sids[0]]
    assert sdk.calls(call).notifications(sids[0]).fetch().error_code == sdk.notifications(sids[0]).fetch().error_code


def test_events_of_a_call(sdk: Client) -> None:
    call = sdk.calls.create(to=TO, from_=FROM, url=URL, sip_auth_password="hidden")
    (event,) = sdk.calls(call.sid).events.list()
    assert event.request["parameters"]["to"] == TO
    assert "hidden" not in json.dumps(event.request)
    assert event.response["response_code"] == 201


def test_connect_apps(sdk: Client, admin: AdminClient) -> None:
    app = put(admin, "ConnectApps", friendly_name="a", permissions=["get-all"])
    authorized = put(admin, "AuthorizedConnectApps", connect_app_sid="CN" + "1" * 32, connect_app_company_name="c")
    assert sdk.connect_apps.list()[0].sid == sdk.connect_apps(app).fetch().sid == app
    assert sdk.connect_apps(app).update(friendly_name="b", permissions=["get-all", "post-all"]).friendly_name == "b"
    assert sdk.connect_apps(app).delete()
    assert sdk.authorized_connect_apps.list()[0].connect_app_sid == authorized
    assert sdk.authorized_connect_apps(authorized).fetch().connect_app_company_name == "c"


def test_numbers_that_depend_on_an_address(sdk: Client) -> None:
    address = sdk.addresses.create(**ADDRESS)
    assert sdk.addresses(address.sid).dependent_phone_numbers.list() == []
    number = sdk.incoming_phone_numbers.create(phone_number="+15005550006".replace("6", "8"), address_sid=address.sid)
    assert [each.sid for each in sdk.addresses(address.sid).dependent_phone_numbers.list()] == [number.sid]


def test_short_codes_and_keys(sdk: Client) -> None:
    (code,) = sdk.short_codes.list(short_code="12345")
    assert sdk.short_codes(code.sid).update(sms_url=URL).sms_url == URL
    assert sdk.short_codes(code.sid).fetch().sms_url == URL
    for new, kept in ((sdk.new_keys, sdk.keys), (sdk.new_signing_keys, sdk.signing_keys)):
        made = new.create(friendly_name="k")
        assert made.secret
        assert kept(made.sid).update(friendly_name="l").friendly_name == "l"
        assert kept(made.sid).fetch().sid in [each.sid for each in kept.list()]
        assert kept(made.sid).delete()


def test_accounts(sdk: Client) -> None:
    child = sdk.api.v2010.accounts.create(friendly_name="child")
    assert [each.sid for each in sdk.api.v2010.accounts.list(friendly_name="child")] == [child.sid]
    theirs = Client(child.sid, child.auth_token, http_client=sdk.http_client)
    assert theirs.applications.create(friendly_name="a").account_sid == child.sid
    assert sdk.applications.list() == []
    assert sdk.api.v2010.accounts(child.sid).update(status="suspended").status == "suspended"
    assert sdk.api.v2010.accounts.list(status="suspended")[0].sid == child.sid
    assert sdk.api.v2010.accounts(child.sid).update(status="closed").status == "closed"
    with pytest.raises(TwilioRestException):
        sdk.api.v2010.accounts(child.sid).update(status="active")
    assert sdk.balance.fetch().currency == "USD"


def test_usage_adds_up(sdk: Client, admin: AdminClient) -> None:
    sdk.messages.create(to=TO, from_=FROM, body="x" * 200)
    sdk.messages.create(to=TO, from_=FROM, body="x")
    sdk.calls.create(to=TO, from_=FROM, url=URL, record=True)
    admin.advance(200)
    by_name = {each.category: each for each in sdk.usage.records.today.list()}
    assert (by_name["sms"].count, by_name["sms"].usage, by_name["sms"].price) == ("2", "3", 0.0225)
    assert (by_name["calls"].count, by_name["calls"].usage, by_name["recordings"].count) == ("1", "1", "1")
    assert by_name["sms-inbound"].count == "0"
    for name in ("all_time", "daily", "last_month", "monthly", "this_month", "today", "yearly", "yesterday"):
        records = getattr(sdk.usage.records, name).list(category="totalprice", page_size=1)
        assert {each.category for each in records} == {"totalprice"}
    assert len(sdk.usage.records.daily.list(category="sms", start_date="-9days", page_size=3)) == 10
    (whole,) = sdk.usage.records.list(category="sms", include_subaccounts=False)
    assert whole.count == "2"


def test_messages_with_media_and_feedback(sdk: Client, admin: AdminClient) -> None:
    made = sdk.messages.create(to=TO, from_=FROM, media_url=["https://example.com/a.png"], provide_feedback=True)
    admin.advance(200)
    assert sdk.messages.list(to=TO)[0].sid == sdk.messages(made.sid).fetch().sid == made.sid
    (media,) = sdk.messages(made.sid).media.list(date_created_after="2020-01-01T00:00:00Z")
    assert sdk.messages(made.sid).media.list(date_created_before="2020-01-01T00:00:00Z") == []
    assert sdk.messages(made.sid).media(media.sid).fetch().content_type == "image/png"
    assert sdk.messages(made.sid).feedback.create(outcome="confirmed").outcome == "confirmed"
    assert sdk.messages(made.sid).media(media.sid).delete()
    assert sdk.messages(made.sid).update(body="").body == ""
    assert sdk.messages(made.sid).delete()


def test_the_table_is_what_the_documents_say() -> None:
    documents = [json.loads((HERE / name).read_bytes()) for name in DOCUMENTS]
    assert TABLE.read_text() == written(table(documents)), "run python -m tests.openapi.describe_twilio"
    assert all(path.stat().st_size < 300_000 for path in (TABLE, *map(HERE.joinpath, DOCUMENTS)))


def test_the_witness_is_not_blind(http: WitnessedClient, sdk: Client) -> None:
    queue = sdk.queues.create(friendly_name="q", max_size=3)
    (sent,) = http.seen
    shown = json.loads(http.last_text)
    assert shown["sid"] == queue.sid
    assert problems(sent, 201, json.dumps(shown)) == []
    for wrong in ({"max_size": "3"}, {"extra": 1}, {"sid": "QU1"}):
        assert problems(sent, 201, json.dumps(shown | wrong)) != []
    assert problems(sent, 200, json.dumps(shown)) != []
