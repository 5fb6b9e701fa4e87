"""The tables: complete against Twilio's own enum, and without contradictions."""

from __future__ import annotations

import pytest

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.consent_words import classify
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
        (
            20003,
            ErrorKind.AUTHENTICATION,
            RetrySafety.SAFE,
            "wrong credentials: nothing was sent, and the operator fixes them",
        ),
        (20005, ErrorKind.ACCOUNT, RetrySafety.SAFE, "suspended, also for want of money: the operator's to fix"),
        (63038, ErrorKind.ACCOUNT, RetrySafety.SAFE, "the day's limit"),
        (20404, ErrorKind.NOT_FOUND, RetrySafety.NEVER, "nothing there"),
        (20429, ErrorKind.RATE_LIMITED, RetrySafety.SAFE, "documented as never processed"),
        (21211, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER, "no number"),
        (21265, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER, "a short code takes no message"),
        (21266, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER, "to itself"),
        (21268, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER, "a premium number"),
        (21267, ErrorKind.INVALID_SENDER, RetrySafety.NEVER, "an alphanumeric sender on a trial account"),
        (21635, ErrorKind.LANDLINE, RetrySafety.NEVER, "no text to a landline of that country"),
        (21659, ErrorKind.INVALID_SENDER, RetrySafety.NEVER, "not a Twilio number"),
        (21660, ErrorKind.INVALID_SENDER, RetrySafety.NEVER, "another account's number"),
        (21661, ErrorKind.INVALID_SENDER, RetrySafety.NEVER, "a number without SMS"),
        (21408, ErrorKind.NOT_PERMITTED, RetrySafety.NEVER, "country not enabled"),
        (21606, ErrorKind.INVALID_SENDER, RetrySafety.NEVER, "sender not owned"),
        (21608, ErrorKind.NOT_PERMITTED, RetrySafety.NEVER, "trial account"),
        (21610, ErrorKind.OPTED_OUT, RetrySafety.NEVER, "STOP"),
        (21611, ErrorKind.QUEUE_FULL, RetrySafety.SAFE, "the sender's queue is full"),
        (21612, ErrorKind.UNREACHABLE, RetrySafety.NEVER, "no route"),
        (21614, ErrorKind.LANDLINE, RetrySafety.NEVER, "no mobile"),
        (21617, ErrorKind.INVALID_MESSAGE, RetrySafety.NEVER, "too long"),
        (30001, ErrorKind.QUEUE_FULL, RetrySafety.SAFE, "not sent: the queue was full"),
        (30003, ErrorKind.UNREACHABLE, RetrySafety.SAFE, "switched off: later it may work"),
        (30004, ErrorKind.BLOCKED, RetrySafety.NEVER, "blocked"),
        (30005, ErrorKind.UNREACHABLE, RetrySafety.NEVER, "no such handset"),
        (30006, ErrorKind.LANDLINE, RetrySafety.NEVER, "landline"),
        (30007, ErrorKind.BLOCKED, RetrySafety.NEVER, "filtered by the carrier"),
        (30008, ErrorKind.DELIVERY, RetrySafety.UNKNOWN_OUTCOME, "nobody knows: it may have arrived"),
        (30034, ErrorKind.INVALID_SENDER, RetrySafety.NEVER, "sender not registered"),
        (30036, ErrorKind.EXPIRED, RetrySafety.SAFE, "never left Twilio"),
        (30044, ErrorKind.INVALID_MESSAGE, RetrySafety.NEVER, "longer than a trial account may send"),
        (30046, ErrorKind.DELIVERY, RetrySafety.UNKNOWN_OUTCOME, "no receipt: it may have arrived"),
        (30500, ErrorKind.UNAVAILABLE, RetrySafety.SAFE, "Twilio's own failure, and Twilio advises to send again"),
        (30630, ErrorKind.OPTED_OUT, RetrySafety.NEVER, "STOP, as 21610"),
        (20503, ErrorKind.UNAVAILABLE, RetrySafety.UNKNOWN_OUTCOME, "an internal error leaves open what was done"),
        (63005, ErrorKind.INVALID_MESSAGE, RetrySafety.NEVER, "the channel rejects the content"),
        (63010, ErrorKind.UNAVAILABLE, RetrySafety.UNKNOWN_OUTCOME, "failed on the way to the channel"),
        (63033, ErrorKind.OPTED_OUT, RetrySafety.NEVER, "the recipient opted out"),
        (63050, ErrorKind.BLOCKED, RetrySafety.NEVER, "opted out of marketing only: other messages still arrive"),
        (63051, ErrorKind.ACCOUNT, RetrySafety.SAFE, "the WhatsApp account is locked: the operator's to fix"),
        (63053, ErrorKind.UNAVAILABLE, RetrySafety.SAFE, "a new template: wait some minutes"),
        (63058, ErrorKind.NOT_PERMITTED, RetrySafety.NEVER, "the country is closed to this business"),
        (
            30410,
            ErrorKind.TIMEOUT,
            RetrySafety.UNKNOWN_OUTCOME,
            "Twilio itself does not repeat it, to avoid duplicates",
        ),
    ],
)
def test_codes_the_engine_acts_on(code: int, kind: ErrorKind, retry: RetrySafety, why: str) -> None:
    assert (refusal(code, 400).kind, refusal(code, 400).retry) == (kind, retry), why
    failure = delivery_failure(MessageStatus.FAILED, code, None)
    assert failure
    assert (failure.kind, failure.retry, failure.code) == (kind, retry, code), why


# The messaging codes of Twilio's error dictionary (https://www.twilio.com/docs/api/errors), as listed in a public copy read on
# 2026-11-27: those that it tags with a messaging product in the ranges below, and those without a product that speak of the account,
# of a request or of messages. (30544 to 30556 are from their own pages.) A newer code belongs here first.
DICTIONARY = frozenset(
    (
        *(10001, 10002, 11100, 11206, 11321, 11322, 11751, *range(14101, 14112)),
        *(*range(20001, 20013), 20020, 20021, 20023, *range(20101, 20108), *range(20151, 20158), *range(20159, 20163)),
        *(20403, 20404, 20409, 20410, 20412, 20413, 20422, 20423, 20426, 20429, 20500, 20503, 20504),
        *(21210, 21211, 21212, 21214, 21217, 21218, 21219, *range(21264, 21269), 21401, 21408),
        *(*range(21601, 21613), 21614, *range(21616, 21625), 21626, 21627, 21635, *range(21652, 21669)),
        *(*range(21701, 21706), *range(21708, 21716), 21717, *range(21719, 21734), *range(21736, 21742)),
        *(21900, 21901, 21902, 21910, *range(23002, 23007)),
        *(*range(30001, 30047), *range(30100, 30138), 30139, 30140, 30400, 30404, 30409, 30410, 30436, 30437),
        *(*range(30440, 30497), *range(30498, 30514), *range(30515, 30532), 30544, 30551, 30555, 30556),
        *(30610, 30615, 30620, 30630, 30640, *range(30646, 30650), *range(30700, 30704), *range(30709, 30716)),
        *(30729, 30734, *range(30747, 30760), *range(30790, 30937), *range(30940, 30965), 30971, 30972),
        *range(30990, 30996),
        *(35111, 35114, 35115, 35117, 35118, *range(35125, 35128), *range(35132, 35135), *range(36001, 36010)),
        *(*range(57003, 57015), *range(57016, 57023), *range(60700, 60705), *range(60706, 60718), 60719),
        *range(60721, 60728),
        *(*range(63001, 63004), *range(63005, 63048), *range(63049, 63060), *range(63100, 63121)),
        *(70051, 77701, 80105, 80303, 90001, 90006, 90007, *range(90009, 90042), *range(92001, 92011), 216602),
    )
)

# The codes of the dictionary that deliberately have no kind of their own: no answer or report about a message of ours has to be told
# apart by them. OTHER (or, as the reason of a failed message, DELIVERY) with Twilio's number, text and link says all there is to say.
WITHOUT_A_KIND = {
    "of inbound messages": {30009, 30039},
    "warnings about messages that Twilio sends all the same": {21708, 30025, 30026, 30045, 63037, 63039, 63052},
    "of TwiML": {14101, 14104, 14105, 14106, *range(14108, 14112)},
    "of Twilio's own requests to a webhook": {11100, 11206, 11321, 11322},
    "of TLS, and of access tokens, which the connector does not use: the HTTP status says enough": {
        *(20011, 20012, *range(20101, 20108), *range(20152, 20161)),
    },
    "of other resources than messages": {20002, 20020, 20021, 20023, 20161, 20162},
    "of a messaging service's set-up": {21710, 21713, 21714, 21715, 21733, 30995},
    "of registrations: brands, campaigns, toll-free numbers, WhatsApp and RCS senders": {
        *(21717, *range(21719, 21730), 21731, 21732, *range(21736, 21742), 30125, 30126, 30436, 30437),
        *(*range(30440, 30450), 30451, 30452, *range(30455, 30485), *range(30486, 30500), *range(30501, 30600)),
        *(*range(30701, 30995), *range(63100, 63121)),
    },
    "of link shortening's domains and certificates": {*range(30100, 30125), *range(30127, 30141)},
    "of uploads of consent, contacts and geo permissions": {*range(30646, 30650)},
    "of parameters that we never send": {21626, *range(21664, 21668), 21900, 21901, 30029, 30030, 30031, 90006, 90009},
    "of bulk sends and broadcasts, which the connector does not use": {
        *(35127, *range(35132, 35135), *range(36001, 36010), 90012, 90013, *range(90015, 90042)),
    },
    "of redaction settings": {*range(23002, 23007)},
    "of content templates and their approval": {63025, *range(63043, 63048), 63057, *range(92001, 92011)},
    "of partners' events": {*range(57001, 57023)},
    "of branded calls": {*range(60700, 60728)},
    "of Proxy's short codes": {80105, 80303},
}


def test_every_messaging_code_of_the_dictionary_has_a_kind_or_a_reason_to_have_none() -> None:
    named = [code for codes in WITHOUT_A_KIND.values() for code in codes]
    assert len(named) == len(set(named)), "each code has one reason"
    assert sorted(DICTIONARY - CODES.keys() - set(named)) == []
    assert sorted(CODES.keys() - DICTIONARY) == [], "not in the dictionary, or the list above is behind it"


@pytest.mark.parametrize(("why", "codes"), WITHOUT_A_KIND.items())
def test_codes_without_a_kind_of_their_own(why: str, codes: set[int]) -> None:
    assert not codes & CODES.keys(), why
    assert {refusal(code, 400).kind for code in codes} == {ErrorKind.OTHER}


def test_titles_say_something_and_codes_are_twilios() -> None:
    assert len(CODES) > 100
    assert all(10_000 <= code < 1_000_000 and len(meaning.title) >= 8 for code, meaning in CODES.items())
    assert not {meaning.kind for meaning in CODES.values()} & {
        ErrorKind.UNKNOWN_OUTCOME,
        ErrorKind.IN_PROGRESS,
        ErrorKind.KEY_REUSED,
    }


@pytest.mark.parametrize("status", MessageStatus)
def test_a_code_is_a_reason_only_where_the_status_says_failed(status: MessageStatus) -> None:
    assert bool(delivery_failure(status, 30003, None)) == (status in FAILED)


def test_an_unknown_code_is_shown_with_its_number() -> None:
    failure = delivery_failure(MessageStatus.FAILED, "98765", None)
    assert failure
    assert (failure.kind, failure.code, failure.message) == (ErrorKind.DELIVERY, 98765, "Twilio error 98765")
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
