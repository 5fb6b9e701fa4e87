"""The tables: complete against Twilio's own enum, and without contradictions."""

from __future__ import annotations

import pytest

from sms_connector.errors import Kind, Retry
from sms_connector.model.consent import classify
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.status import MessageStatus
from sms_connector.providers.twilio.statuses import (
    CODES,
    CONSENT_WORDS,
    FAILED,
    STATUSES,
    delivery_failure,
    refusal,
    to_number,
    to_status,
)
from tests.providers.twilio.twilio_wire import WITNESS


def test_every_status_of_twilios_document_has_its_place() -> None:
    enum = WITNESS.described["components"]["schemas"]["message_enum_status"]["enum"]
    assert set(STATUSES) == set(enum) - {"receiving", "received"}  # inbound messages have these, ours never do


# The rows of the vendor's tables that decide what the engine does next; the others only decide what a person reads.
@pytest.mark.parametrize(
    ("code", "kind", "retry", "why"),
    [
        (20003, Kind.AUTHENTICATION, Retry.SAFE, "wrong credentials: nothing was sent, and the operator fixes them"),
        (20005, Kind.ACCOUNT, Retry.SAFE, "suspended, also for want of money: the operator's to fix"),
        (63038, Kind.ACCOUNT, Retry.SAFE, "the day's limit"),
        (20404, Kind.NOT_FOUND, Retry.NEVER, "nothing there"),
        (20429, Kind.RATE_LIMITED, Retry.SAFE, "documented as never processed"),
        (21211, Kind.INVALID_RECIPIENT, Retry.NEVER, "no number"),
        (21265, Kind.INVALID_RECIPIENT, Retry.NEVER, "a short code takes no message"),
        (21266, Kind.INVALID_RECIPIENT, Retry.NEVER, "to itself"),
        (21268, Kind.INVALID_RECIPIENT, Retry.NEVER, "a premium number"),
        (21267, Kind.INVALID_SENDER, Retry.NEVER, "an alphanumeric sender on a trial account"),
        (21635, Kind.LANDLINE, Retry.NEVER, "no text to a landline of that country"),
        (21659, Kind.INVALID_SENDER, Retry.NEVER, "not a Twilio number"),
        (21660, Kind.INVALID_SENDER, Retry.NEVER, "another account's number"),
        (21661, Kind.INVALID_SENDER, Retry.NEVER, "a number without SMS"),
        (21408, Kind.NOT_PERMITTED, Retry.NEVER, "country not enabled"),
        (21606, Kind.INVALID_SENDER, Retry.NEVER, "sender not owned"),
        (21608, Kind.NOT_PERMITTED, Retry.NEVER, "trial account"),
        (21610, Kind.OPTED_OUT, Retry.NEVER, "STOP"),
        (21611, Kind.QUEUE_FULL, Retry.SAFE, "the sender's queue is full"),
        (21612, Kind.UNREACHABLE, Retry.NEVER, "no route"),
        (21614, Kind.LANDLINE, Retry.NEVER, "no mobile"),
        (21617, Kind.INVALID_MESSAGE, Retry.NEVER, "too long"),
        (30001, Kind.QUEUE_FULL, Retry.SAFE, "not sent: the queue was full"),
        (30003, Kind.UNREACHABLE, Retry.SAFE, "switched off: later it may work"),
        (30004, Kind.BLOCKED, Retry.NEVER, "blocked"),
        (30005, Kind.UNREACHABLE, Retry.NEVER, "no such handset"),
        (30006, Kind.LANDLINE, Retry.NEVER, "landline"),
        (30007, Kind.BLOCKED, Retry.NEVER, "filtered by the carrier"),
        (30008, Kind.DELIVERY, Retry.UNKNOWN_OUTCOME, "nobody knows: it may have arrived"),
        (30034, Kind.INVALID_SENDER, Retry.NEVER, "sender not registered"),
        (30036, Kind.EXPIRED, Retry.SAFE, "never left Twilio"),
        (30410, Kind.TIMEOUT, Retry.UNKNOWN_OUTCOME, "Twilio itself does not repeat it, to avoid duplicates"),
    ],
)
def test_codes_the_engine_acts_on(code: int, kind: Kind, retry: Retry, why: str) -> None:
    assert (refusal(code, 400).kind, refusal(code, 400).retry) == (kind, retry), why
    failure = delivery_failure(MessageStatus.FAILED, code, None)
    assert failure
    assert (failure.kind, failure.retry, failure.code) == (kind, retry, code), why


# Codes of the dictionary about messages that no answer or report about a message of ours has to be told apart by: OTHER (or, as
# the reason of a failed message, DELIVERY) with Twilio's number, text and link says all there is to say.
WITHOUT_A_KIND = {
    "of inbound messages": {30009, 63037},
    "of a messaging service's set-up": {21710, 21714, 21715, 21716},
    "of registrations for A2P": {21717, 21720, 21721, 21722, 21723, 21724, 21725, 30125, 30026},
    "of link shortening's domains and certificates": {
        *(30100, 30103, 30104, 30105, 30107, 30108, 30111, 30114, 30115, 30116, 30117, 30118, 30119),
        *(30121, 30122, 30123, 30124, 30127, 30128, 30129, 30130, 30131, 30133),
    },
    "of parameters that we never send": {30029, 30031, 90006, 90009, 90031},
    "of redaction settings": {23002, 23004, 23005},
    "of content templates": {63025, 92002, 92004, 92005, 92007, 92008, 92009},
    "of partners' events": {*range(57001, 57022)},
}


@pytest.mark.parametrize(("why", "codes"), WITHOUT_A_KIND.items())
def test_codes_without_a_kind_of_their_own(why: str, codes: set[int]) -> None:
    assert not codes & CODES.keys(), why
    assert {refusal(code, 400).kind for code in codes} == {Kind.OTHER}


def test_titles_say_something_and_codes_are_twilios() -> None:
    assert len(CODES) > 100
    assert all(10_000 <= code < 100_000 and len(meaning.title) >= 8 for code, meaning in CODES.items())
    assert not {meaning.kind for meaning in CODES.values()} & {Kind.UNKNOWN_OUTCOME, Kind.IN_PROGRESS, Kind.KEY_REUSED}


@pytest.mark.parametrize("status", MessageStatus)
def test_a_code_is_a_reason_only_where_the_status_says_failed(status: MessageStatus) -> None:
    assert bool(delivery_failure(status, 30003, None)) == (status in FAILED)


def test_an_unknown_code_is_shown_with_its_number() -> None:
    failure = delivery_failure(MessageStatus.FAILED, "98765", None)
    assert failure
    assert (failure.kind, failure.code, failure.message) == (Kind.DELIVERY, 98765, "Twilio error 98765")
    assert failure.more_info == "https://www.twilio.com/docs/errors/98765"


def test_no_word_nobody_knows_ends_the_tracking() -> None:
    assert not to_status("").final
    assert not to_status("DELIVERED").final  # Twilio's words are lower case; a guess would be ours


@pytest.mark.parametrize(
    ("value", "number"),
    [(30003, 30003), ("30003", 30003), ("", 0), (None, 0), ("x", 0), ("٣", 0), ("9" * 5000, 0), ([], 0), ("-1", 0)],
)
def test_numbers_in_text(value: object, number: int) -> None:
    assert to_number(value) == number


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("stop", Keyword.STOP),
        (" StopAll\n", Keyword.STOP),
        ("REVOKE", Keyword.STOP),
        ("Optout", Keyword.STOP),
        ("cancel", Keyword.STOP),
        ("unstop", Keyword.START),
        ("Yes", Keyword.START),
        ("info", Keyword.HELP),
        ("stop it", None),
        ("STOP.", Keyword.STOP),
    ],
)
def test_twilios_consent_words(text: str, keyword: Keyword | None) -> None:
    assert classify(text, CONSENT_WORDS) is keyword
