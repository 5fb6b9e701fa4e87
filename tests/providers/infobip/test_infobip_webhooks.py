"""Who may call back, and what a callback can do at most."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.provider import RawCallback
from sms_connector.providers.infobip.wire import read_callback, read_inbound, read_reports
from tests.contract.providers.case import NOW
from tests.providers.infobip import infobip_wire as wire
from tests.providers.infobip.conftest import InfobipWith

URL = "https://sms.example.com/webhooks/infobip/status/0123456789abcdef"
BASIC = {"webhook-username": "acme", "webhook-password": "new", "webhook-password-previous": "old"}


def read_status(callback: RawCallback) -> list[DeliveryReport]:
    return read_reports(read_callback(callback))


def header(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "accepted"),
    [
        pytest.param(header("acme", "new"), True, id="the password"),
        pytest.param(header("acme", "old"), True, id="the one before, while a rotation overlaps"),
        pytest.param(header("acme", "older"), False, id="another password"),
        pytest.param(header("acme", ""), False, id="no password"),
        pytest.param(header("other", "new"), False, id="another user"),
        pytest.param(header("acme", "new").lower(), False, id="another case"),
        pytest.param("Basic é", False, id="no base64"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_basic_where_it_is_set(infobip: InfobipWith, authorization: str, accepted: bool) -> None:
    provider = infobip(secrets=BASIC).provider
    callback = wire.callback(URL, [wire.report("msg_1", "DELIVERED_TO_HANDSET")], authorization=authorization)
    assert provider.verify_callback(callback) is accepted


def test_without_basic_the_token_is_enough(infobip: InfobipWith) -> None:
    assert infobip().provider.verify_callback(wire.callback(URL, []))


def test_a_user_without_a_password_accepts_nobody(infobip: InfobipWith) -> None:
    provider = infobip(secrets={"webhook-username": "acme"}).provider
    assert not provider.verify_callback(wire.callback(URL, [], authorization=header("acme", "")))


def test_a_report_of_a_repetition_is_left_out() -> None:
    """It says nothing of the message that was sent under the id, which may be delivered."""
    duplicate = wire.report("msg_1", "REJECTED_DUPLICATE_MESSAGE_ID", wire.error(5492, "EC_DUPLICATE_MESSAGE"))
    delivered = wire.report("msg_1", "DELIVERED_TO_HANDSET")
    (report,) = read_status(wire.callback(URL, [duplicate, delivered]))
    assert report.raw_status == "DELIVERED_TO_HANDSET"


def test_our_id_comes_back() -> None:
    (report,) = read_status(wire.callback(URL, [wire.report("msg_1", "DELIVERED_TO_HANDSET")]))
    assert (report.message_id, report.provider_message_id, report.updated_at) == ("msg_1", "msg_1", NOW)


MALICIOUS: list[tuple[str, object]] = [
    ("nothing", {}),
    ("no id", {"status": {"groupId": 3, "name": "DELIVERED_TO_HANDSET"}}),
    ("an empty id", {"messageId": "", "status": {"groupId": 3, "name": "DELIVERED_TO_HANDSET"}}),
    ("a list for an id", {"messageId": ["msg_1"]}),
    ("a text for a group", {"messageId": "msg_1", "status": {"groupId": "3", "name": "x"}}),
    ("a number for a name", {"messageId": "msg_1", "status": {"groupId": 3, "name": 5}}),
    ("null", None),
    ("a deep list", json.loads("[" * 50 + "]" * 50)),
    ("another application's id", {"messageId": "2250be2d4219-3af1-78856-aabe", "status": {"groupId": 3, "name": "x"}}),
    ("an id that no ledger takes", {"messageId": "msg_../__x__", "status": {"groupId": 3, "name": "x"}}),
    ("an endless id", {"messageId": "msg_" + "0" * 5000, "status": {"groupId": 3, "name": "x"}}),
]


@pytest.mark.parametrize("entry", [row[1] for row in MALICIOUS], ids=[row[0] for row in MALICIOUS])
def test_what_cannot_be_read_is_left_out(entry: object) -> None:
    assert read_status(wire.callback(URL, [entry])) == []


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"results":' * 5_000, b'{"results": {}}', b'{"results": null}'])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_status(RawCallback("POST", URL, {}, body, NOW))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({"results": [text]}).encode()))
def test_no_content_breaks_the_reader(body: bytes) -> None:
    for read in (read_status, read_inbound):
        with suppress(InvalidRequest):
            assert list(read(RawCallback("POST", URL, {}, body, NOW))) == []


def test_endless_texts_are_cut() -> None:
    """A report is kept in the message's document."""
    status = {"groupId": 2, "id": 9, "name": "N" * 10_000, "description": "d" * 100_000}
    (report,) = read_status(wire.callback(URL, [{"messageId": "msg_1", "status": status}]))
    assert report.failure is not None
    assert len(report.raw_status) + len(report.failure.message) < 1500


def test_an_inbound_message_with_what_it_has(infobip: InfobipWith) -> None:
    bare = {"messageId": 817790313235066447, "from": "447700900123", "to": "12345", "text": "STOP"}
    (message,) = infobip().provider.read_inbound(wire.callback(URL, [bare, {"messageId": "no sender"}]))
    assert (message.provider_message_id, message.sender, message.to) == (
        "817790313235066447",
        "+447700900123",
        "12345",
    )
    assert (message.text, message.received_at) == ("STOP", NOW)


def test_infobip_is_answered_200(infobip: InfobipWith) -> None:
    provider = infobip().provider
    assert [provider.answer_status().status, provider.answer_inbound("thank you").status] == [200, 200]
