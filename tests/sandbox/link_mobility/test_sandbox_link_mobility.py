"""The simulated LINK Mobility: what it accepts, refuses and reports."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sandbox import AdminClient, Sandbox
from sandbox.client import AdminCallError
from sandbox.link_mobility.accounts import (
    CLIENT_ID,
    CLIENT_SECRET,
    INBOUND_GATE,
    PARTNER_ID,
    PASSWORD,
    PLATFORM_ID,
    REPORT_GATE,
    USERNAME,
)
from sandbox.link_mobility.codes import RESULTS
from sandbox.link_mobility.numbers import REFUSED, REPORTED
from tests.sandbox.support import Receiver

ACCOUNT = {"platformId": PLATFORM_ID, "platformPartnerId": PARTNER_ID}
QUIET = {**ACCOUNT, "useDeliveryReport": False}
REPORTED_TO_GATE = {**ACCOUNT, "deliveryReportGates": [REPORT_GATE]}
MESSAGE = {"source": "LINK", "destination": "+4799999999", "userData": "Hello world"}


class Link:
    """LINK's API as a plain client sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.auth = (USERNAME, PASSWORD)

    def post(self, path: str, document: Any, **arguments: Any) -> requests.Response:
        return self.session.post(self.url + path, json=document, timeout=10, **arguments)

    def send(self, envelope: dict[str, Any] = QUIET, **changes: Any) -> requests.Response:
        return self.post("/sms/send", {**envelope, **MESSAGE, **changes})

    def send_batch(self, *messages: dict[str, Any], envelope: dict[str, Any] = QUIET) -> requests.Response:
        return self.post("/sms/sendbatch", {**envelope, "sendRequestMessages": [{**MESSAGE, **m} for m in messages]})

    def gates(self, rest: str = "", partner: str = PARTNER_ID) -> requests.Response:
        path = f"/gate/partnergate/platform/{PLATFORM_ID}/partner/{partner}{rest}"
        return self.session.get(self.url + path, timeout=10)


@pytest.fixture
def link(sandbox: Sandbox) -> Link:
    return Link(sandbox.url)


@pytest.fixture
def gate(admin: AdminClient, receiver: Receiver) -> Receiver:
    for each in (REPORT_GATE, INBOUND_GATE):
        admin.post("link-mobility/gates", {"id": each, "url": f"{receiver.url}/gate", "username": "u", "password": "p"})
    return receiver


def wait_for_attempts(admin: AdminClient, count: int) -> None:
    """Until the simulator has noted the answer to so many attempts: what it repeats is planned from then on."""
    ends = time.monotonic() + 5.0
    while len(admin.callbacks()) < count and time.monotonic() < ends:
        time.sleep(0.002)


def reports(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in receiver.wait_for(count)]


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_message_is_queued(link: Link, admin: AdminClient) -> None:
    answer = link.send(refId="order-42", customParameters={"replySmsCount": "true"})
    assert answer.status_code == 200
    document = answer.json()
    assert document == {
        "messageId": document["messageId"],
        "resultCode": 1005,
        "description": "Queued",
        "smsCount": 1,
    }
    assert len(document["messageId"]) == 24
    (message,) = admin.messages()
    assert (message["id"], message["reference"], message["body"]) == (document["messageId"], "order-42", "Hello world")
    assert (message["to"], message["from"], message["status"], message["parts"]) == (
        "+4799999999",
        "LINK",
        "queued",
        1,
    )


def test_no_answer_is_given_to_whom_wants_none(link: Link, admin: AdminClient) -> None:
    for answer in (link.send(ignoreResponse=True), link.send_batch({}, envelope={**QUIET, "ignoreResponse": True})):
        assert (answer.status_code, answer.content) == (204, b"")
    assert len(admin.messages()) == 2


def test_a_batch_answers_for_each_message(link: Link, admin: AdminClient) -> None:
    answer = link.send_batch({"refId": "a"}, {"refId": "b", "destination": "+15005550004"}, {"refId": "c"})
    first, second, third = answer.json()
    assert (first["refId"], first["resultCode"], first["message"]) == ("a", 1005, "Queued")
    assert second == {"messageId": None, "refId": "b", "resultCode": 2105, "message": RESULTS[2105].text}
    assert third["refId"] == "c"
    assert [message["reference"] for message in admin.messages()] == ["a", "c"]
    assert len({first["messageId"], third["messageId"]}) == 2


def test_the_same_reference_twice_is_two_messages(link: Link, admin: AdminClient) -> None:
    for _ in range(2):
        link.send(refId="once")
    assert len(admin.messages()) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"platformId": "X"}, 106200, id="platform"),
        pytest.param({"platformPartnerId": None}, 106201, id="partner"),
        pytest.param({"useDeliveryReport": True}, 106300, id="reports without a gate"),
        pytest.param({"useDeliveryReport": True, "deliveryReportGates": ["x"]}, 106301, id="an unknown gate"),
        pytest.param({"useDeliveryReport": True, "deliveryReportGates": 5}, 106301, id="a gate that is a number"),
        pytest.param({"relativeValidityTime": 0}, 106000, id="no validity"),
        pytest.param({"relativeValidityTime": 172_800_001}, 106000, id="over 48 hours"),
        pytest.param({"customParameters": {"scheduledTime": "soon"}}, 106000, id="no time"),
        pytest.param({"customParameters": {"scheduledTime": "2999-01-01T00:00:00Z"}}, 106000, id="over three months"),
        pytest.param({"source": None}, 2000, id="no sender"),
        pytest.param({"source": "TooLongASender"}, 2000, id="twelve letters"),
        pytest.param({"source": "2334", "sourceTON": "SHORTNUMBER"}, 2000, id="another's short number"),
        pytest.param({"source": "LINK", "sourceTON": "MSISDN"}, 2000, id="a name as a number"),
        pytest.param({"source": "LINK", "sourceTON": ["MSISDN"]}, 2000, id="a list as a type"),
        pytest.param({"destinationTON": "SHORTNUMBER"}, 2100, id="to a short number"),
        pytest.param({"destinationTON": "ALPHANUMERIC"}, 2101, id="to a name"),
        pytest.param({"destination": "4799999999"}, 2106, id="no plus"),
        pytest.param({"destination": 4799999999}, 2106, id="a number"),
        pytest.param({"userData": ""}, 4003, id="nothing"),
        pytest.param({"userData": "👍"}, 4003, id="outside the basic plane"),
        pytest.param({"userData": "x" * 38_863}, 4003, id="255 segments"),
        pytest.param({"userData": "xy", "dcs": "BINARY"}, 4003, id="not hexadecimal"),
        pytest.param({"dcs": "ASCII"}, 4005, id="coding"),
    ],
)
def test_what_is_refused(link: Link, admin: AdminClient, changes: dict[str, Any], code: int) -> None:
    answer = link.send(**changes)
    text = answer.json()["description"]
    assert (answer.status_code, answer.json()) == (
        400,
        {"status": code, "description": text, "translatedDescription": text},
    )
    assert admin.messages() == []


@pytest.mark.parametrize("to", [*REFUSED, "+15005562103"])
def test_numbers_that_are_refused(link: Link, to: str) -> None:
    assert link.send(destination=to).json()["status"] == REFUSED.get(to, 2103)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff", b"{}"],
    ids=["nothing", "half", "a list", "a text", "no UTF-8", "no fields"],
)
@pytest.mark.parametrize("path", ["/sms/send", "/sms/sendbatch"])
def test_a_body_that_is_none(link: Link, path: str, body: bytes) -> None:
    answer = link.session.post(link.url + path, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code == 400


@pytest.mark.parametrize("messages", [None, [], ["x"], [MESSAGE] * 1001], ids=["none", "empty", "texts", "1001"])
def test_a_batch_that_is_none(link: Link, admin: AdminClient, messages: Any) -> None:
    assert link.post("/sms/sendbatch", {**QUIET, "sendRequestMessages": messages}).json()["status"] == 106000
    assert admin.messages() == []


def test_a_bad_item_of_a_batch_stops_it_before_anything_is_accepted(link: Link, admin: AdminClient) -> None:
    assert link.send_batch({}, {"customParameters": {"scheduledTime": "soon"}}).status_code == 400
    assert admin.messages() == []


# --- credentials ------------------------------------------------------------------------------------------------------


def token_of(link: Link, **changes: str) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changes}
    return requests.post(f"{link.url}/auth/token", data=form, timeout=10)


def test_wrong_credentials(link: Link) -> None:
    link.session.auth = (USERNAME, "wrong")
    assert (link.send().status_code, link.send().json()["status"]) == (401, 106100)
    assert (link.gates().status_code, link.gates().json()["status"]) == (401, 103100)


def test_a_token_admits_until_it_ends(link: Link, admin: AdminClient) -> None:
    granted = token_of(link).json()
    assert granted == {"access_token": granted["access_token"], "token_type": "Bearer", "expires_in": 3600}
    link.session.auth = None
    link.session.headers["Authorization"] = f"Bearer {granted['access_token']}"
    assert link.send().status_code == 200
    admin.advance(3601)
    assert link.send().status_code == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "x"}, "invalid_client"),
        ({"client_id": "x"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_tokens_that_are_not_granted(link: Link, changes: dict[str, str], error: str) -> None:
    assert token_of(link, **changes).json() == {"error": error}


def test_rotated_credentials(link: Link, admin: AdminClient) -> None:
    token = token_of(link).json()["access_token"]
    admin.post("link-mobility/account", {"password": "new", "clientSecret": "new"})
    assert link.send().status_code == 401
    assert link.send().request.headers["Authorization"] != f"Bearer {token}"
    assert requests.post(f"{link.url}/sms/send", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    link.session.auth = (USERNAME, "new")
    assert link.send().status_code == 200


# --- gates ------------------------------------------------------------------------------------------------------------


def test_the_gates(link: Link, gate: Receiver) -> None:
    first, _ = link.gates().json()
    assert (first["id"], first["destinations"][0]["url"]) == (REPORT_GATE, f"{gate.url}/gate")
    assert link.gates(f"/id/{INBOUND_GATE}").json()["id"] == INBOUND_GATE
    assert link.gates("/id/x").json()["status"] == 103304


def test_gates_that_are_not_ours(link: Link, admin: AdminClient) -> None:
    assert (link.gates(partner="1").status_code, link.gates(partner="1").json()["status"]) == (403, 103101)
    admin.post("link-mobility/account", {"gateApi": False})
    assert link.gates().status_code == 403
    assert link.send().status_code == 200


# --- reports ----------------------------------------------------------------------------------------------------------


def test_a_report(link: Link, admin: AdminClient, gate: Receiver) -> None:
    message_id = link.send(REPORTED_TO_GATE, refId="order-42").json()["messageId"]
    admin.advance(100)
    (report,) = reports(gate, 1)
    assert report == {
        "refId": "order-42",
        "id": message_id,
        "operator": "no.telenor",
        "sentTimestamp": report["sentTimestamp"],
        "timestamp": report["timestamp"],
        "resultCode": 1001,
        "operatorResultCode": "2",
        "segments": 1,
        "gateCustomParameters": {},
        "customParameters": {"received": report["timestamp"].replace("T", " ").rstrip("Z")},
    }
    (got,) = gate.received
    assert (got.path, got.headers["Content-Type"]) == ("/gate", "application/json")
    assert got.headers["Authorization"] == "Basic dTpw"


def test_a_report_for_each_part(link: Link, admin: AdminClient, gate: Receiver) -> None:
    message_id = link.send(REPORTED_TO_GATE, destination="+15005540004", userData="x" * 307).json()["messageId"]
    admin.advance(100)
    got = {(each["id"], each["resultCode"], each["segments"]) for each in reports(gate, 3)}
    assert got == {(f"{message_id}$0", 1001, 3), (f"{message_id}$1", 1001, 3), (f"{message_id}$2", 1006, 3)}
    assert admin.messages()[0]["status"] == "undelivered"


def test_a_code_that_is_not_final_comes_first(link: Link, admin: AdminClient, gate: Receiver) -> None:
    link.send(REPORTED_TO_GATE, destination="+15005571007")
    admin.advance(50)
    assert reports(gate, 1)[0]["resultCode"] == 1007
    assert admin.messages()[0]["status"] == "delivered"
    admin.advance(50)
    assert reports(gate, 2)[1]["resultCode"] == 1001


@pytest.mark.parametrize("to", [*REPORTED, "+15005570104"])
def test_numbers_that_choose_a_report(link: Link, admin: AdminClient, gate: Receiver, to: str) -> None:
    link.send(REPORTED_TO_GATE, destination=to)
    admin.advance(100)
    code = REPORTED.get(to, 104)
    assert reports(gate, 1)[0]["resultCode"] == code
    assert (admin.messages()[0]["status"], admin.messages()[0]["resultCode"]) == (RESULTS[code].status, code)


def test_numbers_that_take_their_time(link: Link, admin: AdminClient, gate: Receiver) -> None:
    for to in ("+15005540001", "+15005540002", "+15005540003"):
        link.send({**REPORTED_TO_GATE, "relativeValidityTime": 1_500_000}, destination=to)
    admin.advance(999)
    assert [message["status"] for message in admin.messages()] == ["queued", "queued", "queued"]
    admin.advance(1)
    assert reports(gate, 1)[0]["resultCode"] == 1001
    admin.advance(500)
    assert reports(gate, 2)[1]["resultCode"] == 1002
    assert [message["status"] for message in admin.messages()] == ["queued", "delivered", "undelivered"]


def test_a_scheduled_message_waits(link: Link, admin: AdminClient, gate: Receiver) -> None:
    now = admin.get("clock")["now"]
    at = datetime.fromtimestamp(now + 3600, UTC).isoformat()
    link.send(REPORTED_TO_GATE, customParameters={"scheduledTime": at})
    admin.advance(3600)
    assert admin.messages()[0]["status"] == "queued"
    admin.advance(101)
    assert reports(gate, 1)[0]["resultCode"] == 1001


def test_no_reports_without_a_gate(link: Link, admin: AdminClient, gate: Receiver) -> None:
    link.send()
    link.send(REPORTED_TO_GATE)
    admin.advance(100)
    reports(gate, 1)
    assert admin.messages()[0]["status"] == "delivered"
    assert len(admin.callbacks()) == 1


def test_a_report_is_repeated_until_it_is_acknowledged(link: Link, admin: AdminClient, gate: Receiver) -> None:
    answers = iter([(500, ""), (200, ""), (200, "OK")])
    gate.answer = lambda _: next(answers)
    admin.post("link-mobility/gates", {"id": REPORT_GATE, "url": gate.url, "acknowledge": True})
    link.send(REPORTED_TO_GATE)
    admin.advance(100)
    for count in (1, 2, 3):
        assert len({each["id"] for each in reports(gate, count)}) == 1
        wait_for_attempts(admin, count)
        admin.advance(10)
    assert [each["status"] for each in admin.callbacks()] == [500, 200, 200]


def test_reports_may_arrive_before_the_answer(link: Link, admin: AdminClient, gate: Receiver) -> None:
    admin.settings(callbacks={"beforeAnswer": 1})
    link.send_batch({"refId": "a"}, {"refId": "b"}, envelope=REPORTED_TO_GATE)
    assert {json.loads(each.body)["refId"] for each in gate.received} == {"a", "b"}


# --- inbound ----------------------------------------------------------------------------------------------------------


def test_an_inbound_message(link: Link, admin: AdminClient, gate: Receiver) -> None:
    answer = admin.inbound(provider="link-mobility", to="2333", from_="+4741560067", body="Stop nå")
    (got,) = gate.received
    document = json.loads(got.body)
    assert answer == {"id": document["messageId"], "webhook": {"status": 204, "error": None}, "replies": []}
    assert (document["destination"], document["source"]) == ("NO-2333", "+4741560067")
    assert document["content"] == {"type": "SMS", "userData": "Stop nå", "encoding": "TEXT"}
    assert (document["route"]["keyword"], document["route"]["shared"]) == ("STOP", True)
    assert got.headers["Authorization"] == "Basic dTpw"
    assert link.send(destination="+4741560067").status_code == 200
    assert [message["status"] for message in admin.messages()] == ["received", "queued"]


def test_an_inbound_message_without_an_address(admin: AdminClient) -> None:
    answer = admin.inbound(provider="link-mobility", to="+15551234567", from_="+4741560067", body="Hi")
    assert answer["webhook"] is None


@pytest.mark.parametrize(("to", "sender"), [("1", "+4741560067"), ("2333", "somebody")])
def test_inbound_messages_that_cannot_be(admin: AdminClient, to: str, sender: str) -> None:
    with pytest.raises(AdminCallError, match=r"to:|from:"):
        admin.inbound(provider="link-mobility", to=to, from_=sender, body="Hi")


def test_gates_that_cannot_be(admin: AdminClient) -> None:
    with pytest.raises(AdminCallError, match="id, url"):
        admin.post("link-mobility/gates", {"id": "x"})


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "status"), [("429", 429), ("503_retry_after; seconds=7", 503)])
def test_faults_in_links_shape(link: Link, admin: AdminClient, fault: str, status: int) -> None:
    answer = link.post("/sms/send", {**QUIET, **MESSAGE}, headers={"X-Sandbox-Fault": fault})
    assert (answer.status_code, answer.json()["status"]) == (status, 106000)
    assert int(answer.headers["Retry-After"]) >= 1
    assert admin.messages() == []
