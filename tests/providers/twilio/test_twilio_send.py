"""The form that goes out, and what each answer to it means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import SendReceipt
from sms_connector.providers.twilio.wire import read_provider_error, send_form
from sms_connector.transport.http import HttpResponse, Verdict
from tests.providers.twilio import twilio_wire as wire
from tests.providers.twilio.conftest import TwilioWith

MESSAGE = OutboundMessage("msg_1", wire.RECIPIENT, wire.SENDER, "Olá – ça va? 👍 50% & more")
AT = datetime(2026, 7, 6, 14, 30, tzinfo=timezone(timedelta(hours=2)))


def form(message: OutboundMessage) -> list[tuple[str, str]]:
    return parse_qsl(send_form(message).decode("ascii"), keep_blank_values=True, strict_parsing=True)


PLAIN = [("To", wire.RECIPIENT), ("From", wire.SENDER), ("Body", MESSAGE.text)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PLAIN),
        ({"sender": wire.POOL}, [PLAIN[0], ("MessagingServiceSid", wire.POOL), PLAIN[2]]),
        ({"sender": "MGM Resorts"}, [PLAIN[0], ("From", "MGM Resorts"), PLAIN[2]]),
        ({"to": "whatsapp:+15558675310"}, [("To", "whatsapp:+15558675310"), *PLAIN[1:]]),
        (
            {"media_urls": ("https://a.example/1.png?x=1&y=2", "https://a.example/2.png"), "text": ""},
            [*PLAIN[:2], ("MediaUrl", "https://a.example/1.png?x=1&y=2"), ("MediaUrl", "https://a.example/2.png")],
        ),
        ({"validity_seconds": 600}, [*PLAIN, ("ValidityPeriod", "600")]),
        (
            {"sender": wire.POOL, "send_at": AT},
            [
                PLAIN[0],
                ("MessagingServiceSid", wire.POOL),
                PLAIN[2],
                ("ScheduleType", "fixed"),
                ("SendAt", "2026-07-06T12:30:00Z"),
            ],
        ),
        (
            {"callback_url": "https://sms.example.com/webhooks/twilio/status/t?m=msg_1&d=00"},
            [*PLAIN, ("StatusCallback", "https://sms.example.com/webhooks/twilio/status/t?m=msg_1&d=00#rc=3&rp=all")],
        ),
    ],
    ids=["plain", "pool", "alphanumeric like a pool", "channel", "media", "validity", "scheduled", "callback"],
)
def test_the_form(twilio: TwilioWith, changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    on = twilio(wire.answer(201, wire.message()))
    message = replace(MESSAGE, **changes)
    on.provider.send([message])
    assert on.last.body == send_form(message)
    assert form(message) == expected


@given(st.text(min_size=1, max_size=200))
def test_any_text_arrives_as_it_was(text: str) -> None:
    assert dict(form(replace(MESSAGE, text=text)))["Body"] == text


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        (None, "https://api.twilio.com/2010-04-01"),
        ("https://api.twilio.com", "https://api.twilio.com/2010-04-01"),
        ("https://api.twilio.com/", "https://api.twilio.com/2010-04-01"),
        ("https://api.twilio.com/2010-04-01", "https://api.twilio.com/2010-04-01"),
        ("https://api.twilio.com/2010-04-01/", "https://api.twilio.com/2010-04-01"),
        ("https://api.dublin.ie1.twilio.com", "https://api.dublin.ie1.twilio.com/2010-04-01"),
        ("http://127.0.0.1:8081/twilio", "http://127.0.0.1:8081/twilio/2010-04-01"),
    ],
)
def test_the_base_url_comes_with_the_version_or_without(
    twilio: TwilioWith, base_url: str | None, expected: str
) -> None:
    on = twilio(wire.answer(201, wire.message()), base_url=base_url)
    on.provider.send([MESSAGE])
    assert on.last.url == f"{expected}/Accounts/{wire.ACCOUNT}/Messages.json"


@pytest.mark.parametrize(
    ("fields", "receipt"),
    [
        ({}, SendReceipt(wire.SID, MessageStatus.QUEUED, "queued", 1)),
        (
            {"sid": "MM" + "a" * 32, "status": "accepted", "num_segments": "0"},
            SendReceipt("MM" + "a" * 32, MessageStatus.ACCEPTED, "accepted", None),
        ),
        ({"num_segments": 3}, SendReceipt(wire.SID, MessageStatus.QUEUED, "queued", 3)),
        ({"num_segments": ["?"]}, SendReceipt(wire.SID, MessageStatus.QUEUED, "queued", None)),
        ({"status": None}, SendReceipt(wire.SID, MessageStatus.ACCEPTED, "", 1)),
        ({"status": 7, "error_code": {}}, SendReceipt(wire.SID, MessageStatus.ACCEPTED, "", 1)),
        ({"status": "teleported"}, SendReceipt(wire.SID, MessageStatus.ACCEPTED, "teleported", 1)),
        ({"error_code": 30003}, SendReceipt(wire.SID, MessageStatus.QUEUED, "queued", 1)),
    ],
    ids=[
        "usual",
        "pool",
        "a count as a number",
        "an odd count",
        "no status",
        "odd types",
        "new status",
        "code, not failed",
    ],
)
def test_a_message_with_a_sid_is_taken_whatever_else_is_odd(
    twilio: TwilioWith, fields: dict[str, Any], receipt: SendReceipt
) -> None:
    assert twilio(wire.answer(201, wire.message(**fields))).provider.send([MESSAGE]) == [receipt]


def test_taken_and_failed_at_once_keeps_the_sid_and_the_reason(twilio: TwilioWith) -> None:
    failed = wire.message(status="failed", error_code=30001, error_message="Queue overflow")
    (receipt,) = twilio(wire.answer(201, failed)).provider.send([MESSAGE])
    assert isinstance(receipt, SendReceipt)
    assert (receipt.provider_message_id, receipt.status) == (wire.SID, MessageStatus.FAILED)
    assert receipt.failure
    assert (receipt.failure.code, receipt.failure.kind) == (30001, ErrorKind.QUEUE_FULL)


@pytest.mark.parametrize(
    ("status", "document", "kind", "code", "retry"),
    [
        (
            400,
            {"code": 21211, "message": "m", "more_info": "u", "status": 400},
            ErrorKind.INVALID_RECIPIENT,
            21211,
            RetrySafety.NEVER,
        ),
        (400, {"code": 21610, "message": "m", "status": 400}, ErrorKind.OPTED_OUT, 21610, RetrySafety.NEVER),
        (400, {"code": 21611, "message": "m", "status": 400}, ErrorKind.QUEUE_FULL, 21611, RetrySafety.SAFE),
        (
            401,
            {"code": 20003, "message": "m", "detail": "d", "status": 401},
            ErrorKind.AUTHENTICATION,
            20003,
            RetrySafety.SAFE,
        ),
        (
            429,
            {"code": 63038, "message": "m", "more_info": "u", "status": 429},
            ErrorKind.ACCOUNT,
            63038,
            RetrySafety.SAFE,
        ),
        (503, {"code": 20005, "message": "m", "status": 503}, ErrorKind.ACCOUNT, 20005, RetrySafety.SAFE),
        (400, {"code": 99999, "message": "m", "status": 400}, ErrorKind.OTHER, 99999, RetrySafety.NEVER),
        (403, {"code": 99999, "message": "m", "status": 403}, ErrorKind.NOT_PERMITTED, 99999, RetrySafety.NEVER),
        (
            400,
            {"code": "21211", "message": "m", "status": 400},
            ErrorKind.INVALID_RECIPIENT,
            "21211",
            RetrySafety.NEVER,
        ),
        (404, {"message": "m", "status": 404}, ErrorKind.NOT_FOUND, None, RetrySafety.NEVER),
    ],
)
def test_twilios_own_error_is_a_refusal(
    twilio: TwilioWith,
    status: int,
    document: dict[str, Any],
    kind: ErrorKind,
    code: int | str | None,
    retry: RetrySafety,
) -> None:
    (outcome,) = twilio(wire.answer(status, document)).provider.send([MESSAGE])
    assert outcome == FailureReason("provider", kind, "m", code, document.get("more_info"), retry)


@pytest.mark.parametrize(
    ("answer", "outcome", "kind", "says"),
    [
        (wire.html(403), NotSent, ErrorKind.UNAVAILABLE, "check the provider URL and the proxy"),
        (wire.html(401), NotSent, ErrorKind.AUTHENTICATION, "squid/5.7"),
        (wire.html(407), NotSent, ErrorKind.AUTHENTICATION, "check the proxy's user name and password"),
        (wire.html(408), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME, "408"),
        (wire.answer(403, {"message": "Forbidden"}), NotSent, ErrorKind.UNAVAILABLE, "application/json"),
        (wire.answer(400, {"code": 21211}), NotSent, ErrorKind.UNAVAILABLE, "without Twilio's error document"),
        (wire.answer(400, ["m"]), NotSent, ErrorKind.UNAVAILABLE, "without Twilio's error document"),
        (HttpResponse(400, {}, b"\xff"), NotSent, ErrorKind.UNAVAILABLE, "without Twilio's error document"),
        (
            HttpResponse(301, {"location": f"https://www.twilio.com/x?To={wire.RECIPIENT}"}, b""),
            NotSent,
            ErrorKind.UNAVAILABLE,
            "a redirect to https://www.twilio.com; set it to the API itself",
        ),
        (
            HttpResponse(302, {"location": "https://user:password@[::1"}, b""),
            NotSent,
            ErrorKind.UNAVAILABLE,
            "answered 302, a redirect; set it",
        ),
        (HttpResponse(303, {}, b""), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME, "303"),
    ],
    ids=[
        "403",
        "401",
        "407",
        "408",
        "a gateway's JSON",
        "no message",
        "a list",
        "bytes",
        "redirect",
        "odd redirect",
        "see other",
    ],
)
def test_an_answer_from_in_between_is_not_twilios(
    twilio: TwilioWith, answer: HttpResponse, outcome: type[Exception], kind: ErrorKind, says: str
) -> None:
    with pytest.raises(outcome) as caught:
        twilio(answer).provider.send([MESSAGE])
    assert says in str(caught.value)
    assert caught.value.kind is kind  # type: ignore[attr-defined] # both outcomes are CallErrors
    assert wire.RECIPIENT not in str(caught.value)


READ_VERDICTS = [
    pytest.param(
        429, {"code": 63038, "message": "m"}, Verdict.FINAL, id="the day's limit: waiting a moment is no help"
    ),
    pytest.param(429, {"code": 20005, "message": "m"}, Verdict.FINAL, id="an account that is closed"),
    pytest.param(429, {"code": 21211, "message": "m"}, Verdict.FINAL, id="a refusal, whatever its status"),
    pytest.param(
        429, {"code": 20429, "message": "m"}, Verdict.LATER, id="too many requests: repeated, then Twilio's own error"
    ),
    pytest.param(429, {"code": 99999, "message": "m"}, Verdict.LATER, id="a code that is new: its status decides"),
    pytest.param(429, {"message": "m", "status": 429}, Verdict.LATER, id="no code"),
    pytest.param(503, {"code": 21610, "message": "m"}, Verdict.FINAL, id="a refusal with 503"),
    pytest.param(500, {"code": 20429, "message": "m"}, Verdict.FINAL, id="never processed"),
    pytest.param(500, {"code": 99999, "message": "m"}, None, id="a code that is new proves nothing: unknown"),
    pytest.param(500, {"code": 20500, "message": "m"}, None, id="an internal error proves nothing: unknown"),
    pytest.param(500, {"code": 30410, "message": "m"}, None, id="a time-out behind Twilio: unknown"),
    pytest.param(503, {"message": "m", "status": 503}, None, id="no code: the status decides"),
    pytest.param(429, ["m"], None, id="not Twilio's"),
]


@pytest.mark.parametrize(("status", "document", "verdict"), READ_VERDICTS)
def test_twilios_code_decides_whatever_the_status(status: int, document: Any, verdict: Verdict | None) -> None:
    assert read_provider_error(wire.answer(status, document)) is verdict
    assert read_provider_error(wire.html(status)) is None


def test_one_message_a_call(twilio: TwilioWith) -> None:
    on = twilio(wire.answer(201, wire.message()))
    with pytest.raises(ValueError, match="too many values"):
        on.provider.send([MESSAGE, MESSAGE])
    assert on.requests == []


def test_send_at_is_told_in_utc() -> None:
    assert dict(form(replace(MESSAGE, send_at=datetime(2026, 7, 6, 12, 30, tzinfo=UTC))))["SendAt"].endswith(
        "12:30:00Z"
    )
