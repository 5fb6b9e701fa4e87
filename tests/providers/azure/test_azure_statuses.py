"""Every code of Microsoft's table, in the forms it comes in."""

from __future__ import annotations

import pytest

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.consent_words import classify
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.status import MessageStatus
from sms_connector.providers.azure.statuses import CODES, CONSENT_WORDS, to_refusal, to_status

S, K, R = MessageStatus, ErrorKind, RetrySafety
TABLE = [
    (4000, S.FAILED, K.BLOCKED, R.NEVER),
    (4001, S.FAILED, K.INVALID_SENDER, R.NEVER),
    (4002, S.FAILED, K.INVALID_RECIPIENT, R.NEVER),
    (4003, S.FAILED, K.NOT_PERMITTED, R.NEVER),
    (4004, S.FAILED, K.INVALID_RECIPIENT, R.NEVER),
    (4005, S.FAILED, K.BLOCKED, R.NEVER),
    (4006, S.UNDELIVERED, K.UNREACHABLE, R.SAFE),
    (4007, S.FAILED, K.OPTED_OUT, R.NEVER),
    (4008, S.FAILED, K.RATE_LIMITED, R.SAFE),
    (4009, S.FAILED, K.NOT_PERMITTED, R.NEVER),
    (4010, S.FAILED, K.INVALID_SENDER, R.NEVER),
    (4020, S.FAILED, K.RATE_LIMITED, R.SAFE),
    (5000, S.FAILED, K.DELIVERY, R.UNKNOWN_OUTCOME),
    (5001, S.FAILED, K.UNAVAILABLE, R.SAFE),
    (5002, S.UNKNOWN, K.TIMEOUT, R.UNKNOWN_OUTCOME),
    (9999, S.UNKNOWN, K.OTHER, R.UNKNOWN_OUTCOME),
]


def test_the_table_is_whole() -> None:
    assert {row[0] for row in TABLE} == set(CODES)


@pytest.mark.parametrize("form", ["{}: Some text", "ErrorCode: {}. ErrorMessage: Some text", "{}"])
@pytest.mark.parametrize(("code", "status", "kind", "retry"), TABLE)
def test_codes(form: str, code: int, status: MessageStatus, kind: ErrorKind, retry: RetrySafety) -> None:
    details = form.format(code)
    found, failure = to_status("Failed", details)
    assert failure is not None
    assert (found, failure.kind, failure.code, failure.retry) == (status, kind, code, retry)
    assert (failure.message, failure.source) == (details.removeprefix(f"{code}: "), "provider")


@pytest.mark.parametrize(
    ("details", "kind", "retry", "message"),
    [
        ("Sender blocked for given recipient.", K.OPTED_OUT, R.NEVER, "Sender blocked for given recipient."),
        ("4999: new", K.DELIVERY, R.UNKNOWN_OUTCOME, "new"),
        ("", K.DELIVERY, R.UNKNOWN_OUTCOME, "the report gives no reason"),
        ("id 20260706120000 failed", K.DELIVERY, R.UNKNOWN_OUTCOME, "id 20260706120000 failed"),
        ("x" * 100_000 + "4007", K.DELIVERY, R.UNKNOWN_OUTCOME, "x" * 100_000 + "4007"),
    ],
    ids=["an opt-out without its code", "a code that is new", "nothing", "digits that are no code", "very long"],
)
def test_details_without_a_known_code(details: str, kind: ErrorKind, retry: RetrySafety, message: str) -> None:
    status, failure = to_status("Failed", details)
    assert failure is not None
    assert (status, failure.kind, failure.retry, failure.message) == (S.FAILED, kind, retry, message)


@pytest.mark.parametrize(("word", "status"), [("Delivered", S.DELIVERED), ("Queued", S.ACCEPTED), ("", S.ACCEPTED)])
def test_what_is_no_failure_has_no_reason(word: str, status: MessageStatus) -> None:
    assert to_status(word, "4005: blocked") == (status, None)


@pytest.mark.parametrize(
    ("code", "message", "http_status", "kind", "retry"),
    [
        (400, "Invalid To phone number format.", 400, K.INVALID_RECIPIENT, R.NEVER),
        (400, "Sender blocked for given recipient.", 400, K.OPTED_OUT, R.NEVER),
        (400, "The recipient has opted out.", 400, K.OPTED_OUT, R.NEVER),
        (400, "Something else.", 400, K.INVALID_REQUEST, R.NEVER),
        ("Denied", "Denied by the resource provider.", 401, K.AUTHENTICATION, R.SAFE),
        ("Forbidden", "No.", 403, K.NOT_PERMITTED, R.NEVER),
        ("UnsupportedApiVersion", "No.", 400, K.INVALID_REQUEST, R.NEVER),
        ("TooManyRequests", "Later.", 429, K.RATE_LIMITED, R.SAFE),
        ("SomethingNew", "No.", 404, K.NOT_FOUND, R.NEVER),
        ("SomethingNew", "No.", 418, K.OTHER, R.NEVER),
    ],
)
def test_refusals(code: int | str, message: str, http_status: int, kind: ErrorKind, retry: RetrySafety) -> None:
    failure = to_refusal(code, message, http_status)
    assert (failure.kind, failure.code, failure.message, failure.retry) == (kind, code, message, retry)


@pytest.mark.parametrize(
    ("word", "kind", "keyword"),
    [
        ("stop", SenderKind.SHORT_CODE, Keyword.STOP),
        ("YES", SenderKind.SHORT_CODE, Keyword.START),
        ("YES", SenderKind.TOLL_FREE, None),
        ("unstop", SenderKind.TOLL_FREE, Keyword.START),
        ("help", SenderKind.LONG_CODE, Keyword.HELP),
    ],
)
def test_consent_words(word: str, kind: SenderKind, keyword: Keyword | None) -> None:
    assert classify(word, CONSENT_WORDS, our_kind=kind) is keyword
