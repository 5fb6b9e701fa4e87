"""What a request to Vibes looks like, what its answers and receipts mean, and what XML is not read."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, InvalidRequest, NotSent, OutcomeUnknown, RetrySafety
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import ProviderSettings, RawCallback, SendReceipt
from sms_connector.providers.common import basic
from sms_connector.providers.vibes.provider import VibesProvider
from sms_connector.providers.vibes.xml_reader import NotXmlError, parse
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.clocks import FakeClock
from tests.providers.vibes import vibes_wire as wire

S = MessageStatus
TEXT = "Olá – <b> & \"50 %\"\r\n'2' ]]> 👍"
MESSAGE = OutboundMessage("msg_1", wire.RECIPIENT, wire.SENDER, TEXT, callback_url=wire.STATUS)
ID = wire.message_id(1)


class Vibes:
    """The provider with canned answers, and what it sent."""

    def __init__(self, *answers: Answer, secrets: dict[str, str] | None = None, **options: str) -> None:
        self.transport = CannedTransport(*answers)
        self.secrets = CannedSecrets(dict(wire.SECRETS if secrets is None else secrets))
        self.provider = VibesProvider(
            ProviderSettings(options=options), secrets=self.secrets, transport=self.transport, clock=FakeClock()
        )

    @property
    def last(self) -> HttpRequest:
        return self.transport.requests[-1]

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.last.body or b"")

    def read(self, text: str) -> DeliveryReport:
        (report,) = self.provider.read_status_callback(wire.callback(wire.STATUS, text))
        return report

    def fetch(self) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([ID])
        return report


# --- sending ----------------------------------------------------------------------------------------------------------


def test_one_message() -> None:
    on = Vibes(wire.accepted(ID))
    assert on.provider.send([MESSAGE]) == [SendReceipt(ID, S.ACCEPTED, "accepted")]
    assert (on.last.method, on.last.url, on.last.authorization) == ("POST", f"{wire.BASE}/messages", wire.AUTHORIZATION)
    assert on.last.headers["content-type"] == "text/xml; charset=utf-8"
    assert (on.xml.tag, on.xml.attrib) == ("mtMessage", {"submitterMessageId": "msg_1", "splitLongMessage": "true"})
    assert [(each.tag, each.attrib) for each in on.xml] == [
        ("destination", {"address": wire.RECIPIENT, "type": "MDN"}),
        ("source", {"address": wire.SENDER, "type": "SC"}),
        ("text", {}),
        ("receiptOption", {"callbackUrl": wire.STATUS}),
    ]
    assert (on.xml.findtext("text"), on.xml.findtext("receiptOption")) == (TEXT, "true")


def test_without_an_address_no_receipts_are_asked_for() -> None:
    on = Vibes(wire.accepted(ID))
    on.provider.send([replace(MESSAGE, callback_url=None)])
    assert on.xml.find("receiptOption") is None


def test_a_long_code() -> None:
    on = Vibes(wire.accepted(ID))
    on.provider.send([replace(MESSAGE, sender="+15551234567")])
    source = on.xml.find("source")
    assert source is not None
    assert source.attrib == {"address": "+15551234567", "type": "LC"}


def test_a_bundle_has_each_message_whole() -> None:
    messages = [replace(MESSAGE, id=f"msg_{n}", text=f"Text {n}") for n in range(100)]
    on = Vibes(wire.bundled())
    assert on.provider.send(messages) == [SendReceipt("", S.ACCEPTED, "accepted")] * 100
    assert (on.last.url, on.last.headers["x-vibesapi-bundleid"]) == (f"{wire.BASE}/messageBundles", "msg_0")
    assert (on.xml.tag, on.xml.attrib) == ("mtMessageBundle", {"submitterBundleId": "msg_0"})
    assert [(m.get("submitterMessageId"), m.findtext("text")) for m in on.xml.iter("mtMessage")] == [
        (f"msg_{n}", f"Text {n}") for n in range(100)
    ]
    assert len(on.last.body or b"") < 500_000


@pytest.mark.parametrize("answer", [wire.answer("<r><bundleId>7</bundleId></r>"), wire.answer('<r bundleId="7"/>')])
def test_a_bundles_id_wherever_it_stands(answer: HttpResponse) -> None:
    assert len(Vibes(answer).provider.send([MESSAGE, replace(MESSAGE, id="msg_2")])) == 2


@pytest.mark.parametrize("answer", [wire.answer('<r submitterBundleId="7"/>'), HttpResponse(200, {}, b"OK")])
def test_a_bundle_without_an_id_is_unknown(answer: HttpResponse) -> None:
    with pytest.raises(OutcomeUnknown):
        Vibes(answer).provider.send([MESSAGE, replace(MESSAGE, id="msg_2")])


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\ud800"], ids=ascii)
def test_a_text_that_xml_cannot_hold_is_refused_before_the_call(character: str) -> None:
    on = Vibes(wire.accepted(ID))
    good, bad = MESSAGE, replace(MESSAGE, id="msg_2", text=f"a{character}b")
    first, second = on.provider.send([good, bad])
    assert isinstance(first, SendReceipt)
    assert isinstance(second, FailureReason)
    assert (second.source, second.kind) == ("connector", ErrorKind.INVALID_MESSAGE)
    assert on.last.url.endswith("/messages")
    assert len(Vibes(wire.accepted(ID)).provider.send([bad])) == 1
    on = Vibes(NotSent("no call is made"))
    assert isinstance(on.provider.send([bad])[0], FailureReason)


def test_a_failure_in_a_200_is_a_refusal_of_each() -> None:
    for outcome in Vibes(wire.refused(None, "Wrong.")).provider.send([MESSAGE, replace(MESSAGE, id="msg_2")]):
        assert outcome == FailureReason("provider", ErrorKind.INVALID_REQUEST, "Wrong.")


# --- receipts ---------------------------------------------------------------------------------------------------------


def test_a_receipt_names_our_message() -> None:
    ours = "msg_0bd6cf24ae5a7d9c1e0a4b7c33"
    assert Vibes().read(wire.receipt(ID, "Handset", ours=ours)) == DeliveryReport(
        ID, S.DELIVERED, "Handset", message_id=ours, updated_at=wire.NOW
    )
    assert Vibes().read(wire.receipt(ID, "Handset", ours="order-42")).message_id is None


def test_a_receipt_as_vibes_was_seen_to_send_it() -> None:
    """Recorded in March 2025: of a single message, whose sender gave no id."""
    text = (
        '<mtMessageResponse messageId="2fe6d7da-9772-4c53-95a6-53f9220f562c" '
        'receiptDate="2025-03-03T09:24:47.008-06:00">\n'
        "        <type>Handset</type>\n"
        '        <status isError="false">\n'
        "            <description>MtMessage successfully delivered to the Handset</description>\n"
        "        </status>\n    </mtMessageResponse>"
    )
    report = Vibes().read(text)
    assert (report.provider_message_id, report.status) == ("2fe6d7da-9772-4c53-95a6-53f9220f562c", S.DELIVERED)
    assert (report.part, report.parts, report.message_id, report.failure) == (None, None, None, None)


def test_the_receipt_of_a_part() -> None:
    report = Vibes().read(wire.receipt(wire.message_id(2), "Carrier", part=(ID, 2, 3)))
    assert (report.provider_message_id, report.part, report.parts, report.status) == (ID, "2", 3, S.SENT)
    single = wire.receipt(ID, "Carrier", part=("other", 1, 1)).replace('isMultipart="true"', 'isMultipart="false"')
    assert Vibes().read(single).part is None
    assert Vibes().read(single).provider_message_id == ID


@pytest.mark.parametrize(
    ("stage", "codes", "status", "code", "kind", "retry"),
    [
        ("System", {"internal": 9}, S.FAILED, 9, ErrorKind.OPTED_OUT, RetrySafety.NEVER),
        ("System", {"internal": 12}, S.FAILED, 12, ErrorKind.RATE_LIMITED, RetrySafety.SAFE),
        ("System", {"internal": 26, "carrier": 100}, S.FAILED, 26, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER),
        ("Carrier", {"carrier": 107}, S.FAILED, 107, ErrorKind.DELIVERY, RetrySafety.NEVER),
        ("Carrier", {"carrier": 999}, S.FAILED, 999, ErrorKind.DELIVERY, RetrySafety.NEVER),
        ("Carrier", {"internal": 9, "carrier": 107}, S.FAILED, 9, ErrorKind.OPTED_OUT, RetrySafety.NEVER),
        ("Handset", {"internal": 7, "carrier": 107}, S.UNDELIVERED, 107, ErrorKind.DELIVERY, RetrySafety.NEVER),
        ("Handset", {"carrier": 100}, S.UNDELIVERED, 100, ErrorKind.DELIVERY, RetrySafety.UNKNOWN_OUTCOME),
        ("Handset", {"internal": 8}, S.UNDELIVERED, 8, ErrorKind.NOT_PERMITTED, RetrySafety.NEVER),
        ("Handset", {}, S.UNDELIVERED, None, ErrorKind.DELIVERY, RetrySafety.NEVER),
        ("Handset", {"carrier": "9" * 400}, S.UNDELIVERED, None, ErrorKind.DELIVERY, RetrySafety.NEVER),
        ("New", {"internal": 1}, S.FAILED, 1, ErrorKind.NOT_PERMITTED, RetrySafety.NEVER),
    ],
)
def test_why_it_did_not_arrive(
    stage: str, codes: dict[str, Any], status: MessageStatus, code: int | None, kind: ErrorKind, retry: RetrySafety
) -> None:
    report = Vibes().read(wire.receipt(ID, stage, wire.status_xml(error=True, **codes)))
    assert report.failure == FailureReason("provider", kind, "said so", code, retry=retry)
    assert (report.status, report.raw_status) == (status, f"{stage} error")


def test_carriers_receipts_may_count_as_nothing() -> None:
    quiet = Vibes(carrierReceipts="false")
    assert quiet.read(wire.worded(ID, "Carrier")).status is S.QUEUED
    assert quiet.read(wire.worded(ID, "Carrier error")).status is S.FAILED
    assert quiet.read(wire.worded(ID, "Handset")).status is S.DELIVERED
    told = VibesProvider.setting_problems(ProviderSettings(options={"carrierReceipts": "maybe"}))
    assert ["carrierReceipts: 'maybe' is not one of true, false" in line for line in told] == [True]


@pytest.mark.parametrize(
    ("receipts", "status", "word"),
    [
        ([], S.ACCEPTED, "accepted"),
        (["Carrier", "Handset"], S.DELIVERED, "Handset"),
        (["Handset", "Carrier"], S.DELIVERED, "Handset"),
        (["Carrier", "Carrier error"], S.FAILED, "Carrier error"),
        (["teleported"], S.ACCEPTED, "teleported"),
    ],
)
def test_all_receipts_of_a_message_together(receipts: list[str], status: MessageStatus, word: str) -> None:
    on = Vibes(wire.receipts(*(wire.worded(ID, each) for each in receipts)))
    report = on.fetch()
    assert (report.provider_message_id, report.status, report.raw_status, report.part) == (ID, status, word, None)
    assert on.last.url == f"{wire.BASE}/messages/{ID}/responses"


@pytest.mark.parametrize(
    ("stages", "status"),
    [
        pytest.param(["Handset", "Handset"], S.DELIVERED, id="all delivered"),
        pytest.param(["Handset", "Carrier"], S.SENT, id="the slowest counts"),
        pytest.param(["Handset", None], S.ACCEPTED, id="one has no receipt"),
        pytest.param(["Handset error", None], S.UNDELIVERED, id="one failed"),
        pytest.param(["Handset", "Carrier error"], S.FAILED, id="the other failed"),
    ],
)
def test_all_receipts_of_all_parts_together(stages: list[str | None], status: MessageStatus) -> None:
    each = [
        wire.receipt(
            wire.message_id(n), word.split()[0], wire.status_xml(error=word.endswith("error")), part=(ID, n, 2)
        )
        for n, word in enumerate(stages, start=1)
        if word is not None
    ]
    assert Vibes(wire.receipts(*each)).fetch().status is status


@pytest.mark.parametrize(
    "answer", [HttpResponse(200, {}, b""), wire.accepted(ID), wire.answer("<mtMessageResponses")], ids=range(3)
)
def test_an_answer_that_is_no_list_of_receipts(answer: HttpResponse) -> None:
    with pytest.raises(NotSent):
        Vibes(answer).fetch()


# --- XML that is not read ---------------------------------------------------------------------------------------------

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "an external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
    "a billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><mtMessageResponse>&l9;</mtMessageResponse>',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p;]><mtMessageResponse/>',
    "an external subset": '<!DOCTYPE x SYSTEM "http://evil.example/x.dtd"><mtMessageResponse/>',
    "an entity of nobody's": "<mtMessageResponse>&who;</mtMessageResponse>",
    "depth": "<a>" * 20_000,
    "closed depth": "<a>" * 17 + "</a>" * 17,
    "an unknown encoding": '<?xml version="1.0" encoding="martian"?><mtMessageResponse/>',
    "two roots": "<mtMessageResponse/><mtMessageResponse/>",
    "nothing": "",
    "JSON": '{"messageId": "x"}',
    "an attribute twice": '<mtMessageResponse messageId="a" messageId="b"/>',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_read(text: str) -> None:
    with pytest.raises(NotXmlError):
        parse(text.encode())
    for url, read in (
        (wire.STATUS, Vibes().provider.read_status_callback),
        (wire.INBOUND, Vibes().provider.read_inbound),
    ):
        with pytest.raises(InvalidRequest):
            read(RawCallback("POST", url, {}, text.encode(), wire.NOW))


def test_what_is_read() -> None:
    root = parse(
        '<?xml version="1.0" encoding="UTF-16"?><a b="&lt;ü">x<![CDATA[<&>]]><!-- c --><?p i?></a>'.encode("utf-16")
    )
    assert (root.tag, root.get("b"), root.text) == ("a", "<ü", "x<&>")
    assert parse(b"<a>" * 16 + b"</a>" * 16).tag == "a"


@pytest.mark.parametrize(
    "text",
    [
        wire.inbound("+1555", "x"),
        "<mtMessageResponse/>",
        '<mtMessageResponse messageId="x"/>',
        "<mtMessageResponse><type>Handset</type></mtMessageResponse>",
        '<x><mtMessageResponse messageId="x"><type>Handset</type></mtMessageResponse></x>',
        wire.receipt("x" * 256, "Handset"),
        wire.receipt("a b", "Handset"),
        wire.receipt(ID, "x" * 41),
        wire.receipt(ID, "Handset", part=("x" * 256, 1, 2)),
        wire.receipt(ID, "Handset", part=(ID, 1000, 2)),
        wire.receipt(ID, "Handset", part=(ID, -1, 2)),
    ],
)
def test_what_is_no_receipt(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Vibes().read(text)


# --- inbound, authenticity, connection --------------------------------------------------------------------------------


def test_an_inbound_message() -> None:
    text = wire.inbound(wire.RECIPIENT, "Stop & <go>")
    (message,) = Vibes().provider.read_inbound(wire.callback(wire.INBOUND, text))
    assert (message.provider_message_id, message.sender, message.to) == ("mo-1", wire.RECIPIENT, wire.SENDER)
    assert (message.text, message.received_at, message.keyword) == ("Stop & <go>", wire.NOW, None)


def test_a_long_reason_is_cut() -> None:
    report = Vibes().read(wire.receipt(ID, "System", wire.status_xml(error=True, text="x" * 10_000)))
    assert report.failure
    assert report.failure.message == "x" * 500


@pytest.mark.parametrize(
    "text",
    [
        wire.inbound("+" + "1" * 64, "x"),
        wire.inbound(wire.RECIPIENT, "x" * 10_001),
        wire.inbound(wire.RECIPIENT, "x", to="9" * 65),
        wire.inbound(wire.RECIPIENT, "x", vibes_id="x" * 256),
    ],
    ids=["sender", "text", "recipient", "id"],
)
def test_an_inbound_message_that_is_too_long(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Vibes().provider.read_inbound(wire.callback(wire.INBOUND, text))


@pytest.mark.parametrize("gone", ["source", "destination", "messageId", "address"])
def test_what_is_no_inbound_message(gone: str) -> None:
    text = wire.inbound(wire.RECIPIENT, "x").replace(gone, "gone")
    with pytest.raises(InvalidRequest):
        Vibes().provider.read_inbound(wire.callback(wire.INBOUND, text))


BASIC = {**wire.SECRETS, "webhook-username": "v", "webhook-password": "now", "webhook-password-previous": "before"}


@pytest.mark.parametrize(
    ("authorization", "accepted"),
    [(basic("v", "now"), True), (basic("v", "before"), True), (basic("v", "x"), False), ("é", False), (None, False)],
)
def test_basic_on_inbound_messages_alone(authorization: str | None, accepted: bool) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    on = Vibes(secrets=BASIC)
    inbound = replace(wire.callback(wire.INBOUND, wire.inbound("+1", "x")), headers=headers)
    receipt = replace(wire.callback(wire.STATUS, wire.worded(ID, "Handset")), headers=headers)
    assert (on.provider.verify_callback(inbound), on.provider.verify_callback(receipt)) == (accepted, True)
    assert Vibes().provider.verify_callback(inbound)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://h.example/webhooks/vibes/inbound/token", True),
        ("https://h.example/inbound/webhooks/vibes/status/token", False),
        ("https://h.example/webhooks/vibes/status/token?x=/inbound/y", False),
        ("https://h.example/a/b/webhooks/vibes/inbound/token?x=/status/y", True),
    ],
)
def test_which_address_it_came_to(url: str, asked: bool) -> None:
    callback = replace(wire.callback(url, ""), headers={})
    assert Vibes(secrets=BASIC).provider.verify_callback(callback) is not asked


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        ({}, ["'username'", "'password'"]),
        ({"username": "u"}, ["'password'"]),
        (BASIC, []),
        ({**wire.SECRETS, "webhook-username": "u"}, ["'webhook-password'"]),
    ],
)
def test_problems_of_secrets(secrets: dict[str, str], told: list[str]) -> None:
    problems = Vibes(secrets=secrets).provider.problems(callbacks=True)
    assert len(problems) == len(told)
    assert all(name in line for name, line in zip(told, problems, strict=True))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (HttpResponse(404, {"content-type": "text/html"}, b"<html>"), ConnectionState.ACTIVE),
        (HttpResponse(401, {}, b""), ConnectionState.AUTH_ERROR),
        (HttpResponse(403, {}, b""), ConnectionState.ERROR),
        (wire.accepted(ID), ConnectionState.ERROR),
    ],
)
def test_the_connection_test_asks_for_another_message_each_time(answer: HttpResponse, state: ConnectionState) -> None:
    on = Vibes(answer)
    assert [on.provider.check_connection().state for _ in range(2)] == [state, state]
    urls = {request.url for request in on.transport.requests}
    assert len(urls) == 2
    assert all(url.startswith(f"{wire.BASE}/messages/") for url in urls)
