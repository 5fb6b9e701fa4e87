"""The simulated Vibes Connect: what it accepts, refuses and reports."""

from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
import requests

from sandbox import AdminClient, Sandbox
from sandbox.client import AdminCallError
from sandbox.vibes.codes import INTERNAL
from sandbox.vibes.numbers import OUTCOMES, REFUSED
from sandbox.vibes.service import PASSWORD, USERNAME
from tests.sandbox.support import Receiver

TO, FROM = "+15558675310", "98765"
GUID = 36


class Connect:
    """Vibes Connect as a plain client sees it."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/MessageApi/mt"
        self.session = requests.Session()
        self.session.auth = (USERNAME, PASSWORD)

    def post(self, path: str, xml: str | bytes, content_type: str = "text/xml", **headers: str) -> requests.Response:
        body = xml.encode() if isinstance(xml, str) else xml
        return self.session.post(
            self.url + path, data=body, headers={"Content-Type": content_type, **headers}, timeout=10
        )

    def send(self, **changes: Any) -> requests.Response:
        return self.post("/messages", message(**changes))

    def sent(self, **changes: Any) -> str:
        """The id of an accepted message."""
        return ElementTree.fromstring(self.send(**changes).content).attrib["messageId"]

    def responses(self, message_id: str) -> list[ElementTree.Element]:
        answer = self.session.get(f"{self.url}/messages/{message_id}/responses", timeout=10)
        return list(ElementTree.fromstring(answer.content))


def message(
    to: str = TO,
    sender: str = FROM,
    text: str = "Hello",
    *,
    reference: str | None = "order-42",
    split: bool = False,
    receipts: str = "true",
    callback: str | None = None,
    kind: str = "SC",
) -> str:
    ours = "" if reference is None else f' submitterMessageId="{reference}"'
    url = "" if callback is None else f' callbackUrl="{callback}"'
    return (
        f'<mtMessage{ours} splitLongMessage="{str(split).lower()}"><destination address="{to}" type="MDN"/>'
        f'<source address="{sender}" type="{kind}"/><text>{escape(text)}</text>'
        f"<receiptOption{url}>{receipts}</receiptOption></mtMessage>"
    )


@pytest.fixture
def connect(sandbox: Sandbox) -> Connect:
    return Connect(sandbox.url)


def wait_for_attempts(admin: AdminClient, count: int) -> None:
    """Until the simulator has noted the answer to so many attempts: what it repeats is planned from then on."""
    ends = time.monotonic() + 5.0
    while len(admin.callbacks()) < count and time.monotonic() < ends:
        time.sleep(0.002)


def receipts(receiver: Receiver, count: int) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(each.body) for each in receiver.wait_for(count)]


def told(receipt: ElementTree.Element) -> tuple[str | None, str | None, str | None]:
    status = receipt.find("status")
    assert status is not None
    code = status.findtext("internalErrorCode") or status.findtext("errorCode")
    return receipt.findtext("type"), status.get("isError"), code


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_message_is_queued(connect: Connect, admin: AdminClient) -> None:
    answer = connect.send(text="Olá <b> & 'c'")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml;charset=UTF-8")
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "mtMessageRsp"
    assert {**root.attrib, "messageId": ""} == {
        "messageId": "",
        "submitterMessageId": "order-42",
        "carrier": "102",
        "splitLongMessage": "false",
    }
    (seen,) = admin.messages()
    assert (seen["id"], len(seen["id"]), seen["reference"]) == (root.get("messageId"), GUID, "order-42")
    assert (seen["to"], seen["from"], seen["body"], seen["status"]) == (TO, FROM, "Olá <b> & 'c'", "queued")


def test_the_same_reference_twice_is_two_messages(connect: Connect, admin: AdminClient) -> None:
    assert connect.sent() != connect.sent()
    assert len(admin.messages()) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"to": "15558675310"}, "26", id="no plus"),
        pytest.param({"to": "+15005550001"}, "26", id="a reserved number"),
        pytest.param({"to": "+15005560008"}, "8", id="a number with its code"),
        pytest.param({"sender": "12345"}, "16", id="another's code"),
        pytest.param({"kind": "XX"}, "16", id="a short code by another type"),
        pytest.param({"reference": "x" * 41}, None, id="41 characters of a reference"),
        pytest.param({"text": "x" * 161}, None, id="161 characters that may not be split"),
        pytest.param({"text": "x" * 901, "split": True}, None, id="901 characters"),
        pytest.param({"text": ""}, None, id="no text"),
    ],
)
def test_what_is_refused(connect: Connect, admin: AdminClient, changes: dict[str, Any], code: str | None) -> None:
    answer = connect.send(**changes)
    root = ElementTree.fromstring(answer.content)
    assert (answer.status_code, root.get("messageId")) == (200, None)
    status = root.find("status")
    assert status is not None
    assert (status.get("isError"), status.findtext("internalErrorCode")) == ("true", code)
    assert admin.messages() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/messages", b""),
        ("/messages", b"{}"),
        ("/messages", b"<x/>"),
        ("/messages", b"<mtMessage/>"),
        ("/messages", b"<mtMessage><destination/></mtMessage>"),
        ("/messageBundles", b"<mtMessage/>"),
        ("/messageBundles", b"<mtMessageBundle/>"),
        ("/messageBundles", b"<mtMessageBundle>" + b" " * 500_000 + b"</mtMessageBundle>"),
        ("/messageBundles", f"<mtMessageBundle>{message() * 101}</mtMessageBundle>".encode()),
    ],
    ids=["nothing", "JSON", "another element", "no destination", "no address", "no bundle", "empty", "500 KB", "101"],
)
def test_a_body_that_is_none(connect: Connect, admin: AdminClient, path: str, body: bytes) -> None:
    answer = connect.post(path, body)
    assert answer.status_code == 200
    assert b'isError="true"' in answer.content
    assert admin.messages() == []


def test_only_xml_is_taken(connect: Connect) -> None:
    assert connect.post("/messages", message(), "application/json").status_code == 415
    assert connect.post("/messages", message(), "application/xml").status_code == 200


def test_credentials(connect: Connect, admin: AdminClient) -> None:
    connect.session.auth = (USERNAME, "wrong")
    assert connect.send().status_code == 401
    admin.post("vibes/account", {"password": "wrong"})
    assert connect.send().status_code == 200


def test_a_bundle_answers_with_its_own_id_alone(connect: Connect, admin: AdminClient) -> None:
    listed = (
        '<mtMessageList><destination submitterMessageId="a" address="+15558675310"/>'
        '<destination submitterMessageId="b" address="+15005550001"/>'
        '<source address="98765" type="SC"/><text>Hi</text><receiptOption>true</receiptOption></mtMessageList>'
    )
    bundle = f'<mtMessageBundle submitterBundleId="B1">{listed}{message(reference="c")}</mtMessageBundle>'
    root = ElementTree.fromstring(connect.post("/messageBundles", bundle).content)
    assert (len(root.attrib["bundleId"]), root.get("submitterBundleId"), root.get("messageId")) == (GUID, "B1", None)
    admin.advance(100)
    seen = [(each["reference"], each["status"], each["errorCode"], each["body"]) for each in admin.messages()]
    assert seen == [
        ("a", "delivered", None, "Hi"),
        ("b", "failed", 26, "Hi"),
        ("c", "delivered", None, "Hello"),
    ]
    assert {each["bundle"] for each in admin.messages()} == {root.get("bundleId")}


# --- receipts ---------------------------------------------------------------------------------------------------------


def test_receipts_go_to_the_address_of_the_message(connect: Connect, admin: AdminClient, receiver: Receiver) -> None:
    message_id = connect.sent(callback=f"{receiver.url}/receipts/x")
    admin.advance(50)
    (first,) = receipts(receiver, 1)
    assert (first.tag, first.get("messageId"), first.get("submitterMessageId")) == (
        "mtMessageResponse",
        message_id,
        "order-42",
    )
    assert (told(first), first.find("multipart")) == (("Carrier", "false", None), None)
    admin.advance(50)
    assert told(receipts(receiver, 2)[1]) == ("Handset", "false", None)
    got = receiver.received[0]
    assert (got.path, got.headers["Content-Type"]) == ("/receipts/x", "text/xml;charset=UTF-8")
    assert "Authorization" not in got.headers


def test_receipts_of_each_part(connect: Connect, admin: AdminClient, receiver: Receiver) -> None:
    message_id = connect.sent(to="+15005540004", text="x" * 307, split=True, callback=receiver.url)
    admin.advance(100)
    got = receipts(receiver, 6)
    parts = [(each.get("messageId"), each.find("multipart"), *told(each)) for each in got]
    assert {multipart.get("originalMessageId") for _, multipart, *_ in parts if multipart is not None} == {message_id}
    seen = {
        (multipart.get("partNumber"), multipart.get("noOfParts"), stage, code)
        for _, multipart, stage, _, code in parts
        if multipart is not None
    }
    assert seen == {
        *((part, "3", "Carrier", None) for part in "123"),
        *((part, "3", "Handset", None) for part in "12"),
        ("3", "3", "Handset", "103"),
    }
    assert len({each for each, *_ in parts}) == 3
    assert (admin.messages()[0]["status"], admin.messages()[0]["partIds"][0]) == ("undelivered", message_id)


STATES = {"System": "failed", "Carrier": "failed", "Handset": "undelivered"}


@pytest.mark.parametrize("to", [to for to, outcome in OUTCOMES.items() if outcome.code])
def test_numbers_that_choose_an_error(connect: Connect, admin: AdminClient, receiver: Receiver, to: str) -> None:
    outcome = OUTCOMES[to]
    connect.send(to=to, receipts="ERROR", callback=receiver.url)
    admin.advance(100)
    assert told(receipts(receiver, 1)[0]) == (outcome.stage, "true", str(outcome.code))
    (seen,) = admin.messages()
    assert (seen["status"], seen["errorCode"]) == (STATES[str(outcome.stage)], outcome.code)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("+15005570009", ("System", "true", "9")),
        ("+15005580107", ("Carrier", "true", "107")),
        ("+15005590105", ("Handset", "true", "105")),
        ("+15005570099", ("Handset", "false", None)),
    ],
)
def test_numbers_with_their_code(connect: Connect, admin: AdminClient, to: str, expected: tuple[Any, ...]) -> None:
    message_id = connect.sent(to=to)
    admin.advance(100)
    assert told(connect.responses(message_id)[-1]) == expected


def test_numbers_that_take_their_time(connect: Connect, admin: AdminClient) -> None:
    for to in ("+15005540001", "+15005540002", "+15005540003"):
        connect.send(to=to)
    admin.advance(100)
    assert [each["status"] for each in admin.messages()] == ["sent", "queued", "queued"]
    admin.advance(900)
    assert [each["status"] for each in admin.messages()] == ["sent", "delivered", "queued"]


@pytest.mark.parametrize(("wanted", "count"), [("true", 2), ("ALL", 2), ("ERROR", 0), ("NONE", 0), ("", 0)], ids=str)
def test_which_receipts_are_wanted(
    connect: Connect, admin: AdminClient, receiver: Receiver, wanted: str, count: int
) -> None:
    connect.send(receipts=wanted, callback=receiver.url, reference="this")
    connect.send(callback=receiver.url, reference="other")
    admin.advance(100)
    got = receipts(receiver, count + 2)
    assert [each.get("submitterMessageId") for each in got].count("this") == count


def test_receipts_without_an_address_go_to_the_accounts(
    connect: Connect, admin: AdminClient, receiver: Receiver
) -> None:
    admin.post("vibes/account", {"receiptUrl": receiver.url})
    connect.send()
    admin.advance(100)
    assert len(receipts(receiver, 2)) == 2


def test_a_receipt_is_repeated_five_times(connect: Connect, admin: AdminClient, receiver: Receiver) -> None:
    receiver.answer = lambda _: (500, "")
    connect.send(to="+15005550004", callback=receiver.url)
    admin.advance(100)
    for count in range(1, 7):
        receipts(receiver, count)
        wait_for_attempts(admin, count)
        admin.advance(299)
        assert len(receiver.received) == count
        admin.advance(1)
    assert [each["attempt"] for each in admin.callbacks()] == [1, 2, 3, 4, 5, 6]


def test_receipts_may_arrive_before_the_answer(connect: Connect, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks={"beforeAnswer": 1})
    connect.send(callback=receiver.url)
    assert len(receiver.received) == 2


# --- look-ups ---------------------------------------------------------------------------------------------------------


def test_a_message_and_its_responses(connect: Connect, admin: AdminClient) -> None:
    message_id = connect.sent(text="x" * 161, split=True)
    answer = connect.session.get(f"{connect.url}/messages/{message_id}", timeout=10)
    root = ElementTree.fromstring(answer.content)
    assert (root.tag, root.get("isMultipart"), root.get("noOfParts"), root.findtext("text")) == (
        "mtMessage",
        "true",
        "2",
        "x" * 161,
    )
    assert connect.responses(message_id) == []
    admin.advance(50)
    assert [told(each) for each in connect.responses(message_id)] == [("Carrier", "false", None)] * 2


@pytest.mark.parametrize("rest", ["/nothing", "/nothing/responses", ""])
def test_an_unknown_message(connect: Connect, rest: str) -> None:
    assert connect.session.get(f"{connect.url}/messages{rest}", timeout=10).status_code == 404


# --- inbound ----------------------------------------------------------------------------------------------------------


def test_an_inbound_message(connect: Connect, admin: AdminClient, receiver: Receiver) -> None:
    admin.post("vibes/account", {"inboundUrl": receiver.url, "inboundUsername": "u", "inboundPassword": "p"})
    answer = admin.inbound(provider="vibes", to=FROM, from_=TO, body="STOP & <go>")
    (got,) = receiver.received
    root = ElementTree.fromstring(got.body)
    assert answer == {"id": root.get("messageId"), "webhook": {"status": 204, "error": None}, "replies": []}
    source, destination = root.find("source"), root.find("destination")
    assert source is not None
    assert destination is not None
    assert (root.tag, root.get("attemptNumber"), root.findtext("message")) == ("moMessage", "1", "STOP & <go>")
    assert (source.get("address"), destination.get("address"), destination.get("type")) == (TO, FROM, "SC")
    assert got.headers["Authorization"] == "Basic dTpw"
    assert connect.sent()
    assert [each["status"] for each in admin.messages()] == ["received", "queued"]


def test_an_inbound_message_without_an_address(admin: AdminClient) -> None:
    assert admin.inbound(provider="vibes", to=FROM, from_=TO, body="Hi")["webhook"] is None


@pytest.mark.parametrize(("to", "sender"), [("1", TO), (FROM, "somebody")])
def test_inbound_messages_that_cannot_be(admin: AdminClient, to: str, sender: str) -> None:
    with pytest.raises(AdminCallError, match=r"to:|from:"):
        admin.inbound(provider="vibes", to=to, from_=sender, body="Hi")


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "wait"),
    [("429", 429, "1"), ("503_retry_after; seconds=7", 503, "7"), ("500_before_accept", 500, None)],
)
def test_faults(connect: Connect, admin: AdminClient, fault: str, status: int, wait: str | None) -> None:
    answer = connect.post("/messages", message(), **{"X-Sandbox-Fault": fault})
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, wait)
    assert admin.messages() == []


def test_every_internal_code_has_a_number() -> None:
    assert set(REFUSED.values()) <= set(INTERNAL)
