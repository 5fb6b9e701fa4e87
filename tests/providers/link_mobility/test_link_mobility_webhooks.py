"""What LINK posts: reports of messages and of parts, inbound messages, and who may post them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, InvalidRequest, RetrySafety
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus
from sms_connector.provider import RawCallback
from sms_connector.providers.common import basic
from tests.contract.providers.doubles import CannedSecrets, CannedTransport
from tests.providers.link_mobility import link_wire as wire

STATUS = "https://sms.example.com/webhooks/link-mobility/status/token"
INBOUND = "https://sms.example.com/webhooks/link-mobility/inbound/token"
LINK_ID = wire.message_id(1)


def read(**fields: Any) -> DeliveryReport:
    provider = wire.make_link(CannedSecrets({}), CannedTransport())
    link_id, code = fields.pop("id", LINK_ID), fields.pop("resultCode", 1001)
    (report,) = provider.read_status_callback(wire.callback(STATUS, wire.report(link_id, code, **fields)))
    return report


def test_a_report_names_our_message() -> None:
    report = read(refId="msg_0bd6cf24ae5a7d9c1e0a4b7c33", segments=2)
    assert report == DeliveryReport(
        LINK_ID,
        MessageStatus.DELIVERED,
        "1001",
        message_id="msg_0bd6cf24ae5a7d9c1e0a4b7c33",
        segments=2,
        updated_at=wire.NOW,
    )


@pytest.mark.parametrize("reference", [None, "", "0", "order-42", "msg_", "msg_a b", "msg_" + "x" * 65, 7, ["msg_1"]])
def test_a_reference_that_is_not_ours_is_left_out(reference: object) -> None:
    assert read(refId=reference).message_id is None


@pytest.mark.parametrize(
    ("link_id", "expected"),
    [
        (f"{LINK_ID}$0", (LINK_ID, "0", 3)),
        (f"{LINK_ID}$12", (LINK_ID, "12", 3)),
        ("a$b$1", ("a$b", "1", 3)),
        (LINK_ID, (LINK_ID, None, None)),
        ("a$b", ("a$b", None, None)),
        ("$1", ("$1", None, None)),
    ],
)
def test_a_part_is_told_from_its_message(link_id: str, expected: tuple[str, str | None, int | None]) -> None:
    report = read(id=link_id, segments=3)
    assert (report.provider_message_id, report.part, report.parts) == expected


@pytest.mark.parametrize(
    ("code", "status", "kind", "retry"),
    [
        (1002, MessageStatus.UNDELIVERED, ErrorKind.EXPIRED, RetrySafety.SAFE),
        (1010, MessageStatus.EXPIRED, ErrorKind.EXPIRED, RetrySafety.UNKNOWN_OUTCOME),
        (4, MessageStatus.FAILED, ErrorKind.TIMEOUT, RetrySafety.UNKNOWN_OUTCOME),
        (0, MessageStatus.FAILED, ErrorKind.DELIVERY, RetrySafety.NEVER),
        (3, MessageStatus.FAILED, ErrorKind.RATE_LIMITED, RetrySafety.SAFE),
        (2104, MessageStatus.UNDELIVERED, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER),
        (2105, MessageStatus.UNDELIVERED, ErrorKind.OPTED_OUT, RetrySafety.NEVER),
        (4001, MessageStatus.FAILED, ErrorKind.INVALID_MESSAGE, RetrySafety.NEVER),
    ],
)
def test_why_it_did_not_arrive(code: int, status: MessageStatus, kind: ErrorKind, retry: RetrySafety) -> None:
    report = read(resultCode=code)
    assert report.failure
    assert (report.status, report.failure.kind, report.failure.retry, report.failure.code) == (
        status,
        kind,
        retry,
        code,
    )


@pytest.mark.parametrize("code", ["1001", 1001])
def test_a_code_may_come_as_text(code: object) -> None:
    assert read(resultCode=code).status is MessageStatus.DELIVERED


@pytest.mark.parametrize("code", [9999, "9" * 40, "-1", "٣", "delivered"])
def test_a_code_that_is_not_known_moves_nothing(code: object) -> None:
    report = read(resultCode=code)
    assert (report.status, report.failure) == (MessageStatus.ACCEPTED, None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "x"}',
        b'{"resultCode": 1001}',
        b'{"id": "", "resultCode": 1001}',
        b'{"id": 7, "resultCode": 1001}',
        b'{"id": "a b", "resultCode": 1001}',
        b'{"id": "x\\n", "resultCode": 1001}',
        b'{"id": "' + b"x" * 256 + b'", "resultCode": 1001}',
        b'{"id": "x", "resultCode": -1}',
        b'{"id": "x", "resultCode": ' + b"9" * 5_000 + b"}",
        b'{"id": "x", "resultCode": "' + b"9" * 41 + b'"}',
        b'{"id": "x", "resultCode": 1.5}',
        b'{"id": "x", "resultCode": null}',
        b"<deliveryReport/>",
        b"[" * 60_000,
    ],
)
def test_what_is_no_report(body: bytes) -> None:
    provider = wire.make_link(CannedSecrets({}), CannedTransport())
    with pytest.raises(InvalidRequest):
        provider.read_status_callback(RawCallback("POST", STATUS, {}, body, wire.NOW))


@pytest.mark.parametrize(
    ("destination", "to"),
    [
        ("NO-2333", "2333"),
        ("SE-72001", "72001"),
        ("+15551234567", "+15551234567"),
        ("15551234567", "+15551234567"),
        ("2333", "2333"),
    ],
)
def test_an_inbound_message(destination: str, to: str) -> None:
    provider = wire.make_link(CannedSecrets({}), CannedTransport())
    document = wire.inbound("+4741560067", "Stop nå", destination=destination)
    (message,) = provider.read_inbound(wire.callback(INBOUND, document))
    assert (message.provider_message_id, message.sender, message.to, message.text, message.keyword) == (
        "mo-1",
        "+4741560067",
        to,
        "Stop nå",
        None,
    )


@pytest.mark.parametrize("name", ["messageId", "source", "destination", "content"])
def test_what_is_no_inbound_message(name: str) -> None:
    provider = wire.make_link(CannedSecrets({}), CannedTransport())
    too_long = {"userData": "x" * 40_001} if name == "content" else "x" * 256
    for wrong in ("", None, 7, too_long):
        with pytest.raises(InvalidRequest):
            provider.read_inbound(wire.callback(INBOUND, wire.inbound("+47", "x", **{name: wrong})))


@pytest.mark.parametrize("url", [STATUS, INBOUND])
@pytest.mark.parametrize(
    ("authorization", "accepted"),
    [
        (basic("link", "now"), True),
        (basic("link", "before"), True),
        (basic("link", "wrong"), False),
        (basic("other", "now"), False),
        ("", False),
        ("Basic é", False),
        ("Bearer now", False),
        (None, False),
    ],
)
def test_basic_on_callbacks_where_it_is_set(url: str, authorization: str | None, accepted: bool) -> None:
    secrets = CannedSecrets(
        {"webhook-username": "link", "webhook-password": "now", "webhook-password-previous": "before"}
    )
    headers = {} if authorization is None else {"authorization": authorization}
    callback = replace(wire.callback(url, wire.report(LINK_ID)), headers=headers)
    assert wire.make_link(secrets, CannedTransport()).verify_callback(callback) is accepted
    without = secrets.without("webhook-username")
    assert wire.make_link(without, CannedTransport()).verify_callback(callback)
