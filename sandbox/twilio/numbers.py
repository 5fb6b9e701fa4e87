"""Addresses, and the numbers reserved to choose an outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sandbox.twilio.exceptions import FAILURES, Failure

# Twilio's own test numbers: twilio.com/docs/iam/test-credentials. There they work with test credentials only.
REFUSED_RECIPIENTS: Mapping[str, int] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
REFUSED_SENDERS: Mapping[str, int] = {
    "+15005550001": 21212,
    "+15005550007": 21606,
    "+15005550008": 21611,
}

E164 = re.compile(r"\+[1-9]\d{6,14}")
SHORT_CODE = re.compile(r"\d{3,6}")
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")
PUNCTUATION = re.compile(r"[\s().-]")
NANP = re.compile(r"1?(\d{10})")


class Course(StrEnum):
    """What becomes of an accepted message."""

    DELIVERED = "delivered"
    FAILURE = "failure"
    STAYS_SENT = "stays sent"
    STAYS_QUEUED = "stays queued"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code` with FAILURE: a key of FAILURES. `pace`: how many times the usual delivery time it takes."""

    course: Course = Course.DELIVERED
    code: int | None = None
    pace: float = 1.0

    @property
    def failure(self) -> Failure | None:
        return None if self.code is None else FAILURES[self.code]


USUAL = Outcome()
# Ours, beside Twilio's: +150055 followed by a delivery error code ends with that code.
RESERVED: Mapping[str, Outcome] = {
    **{f"+150055{code}": Outcome(Course.FAILURE, code) for code in FAILURES},
    "+15005540001": Outcome(Course.STAYS_SENT),
    "+15005540002": Outcome(pace=10.0),
    "+15005540003": Outcome(Course.STAYS_QUEUED, code=30036),
}


def outcome_for(to: str) -> Outcome:
    return RESERVED.get(to, USUAL)


def channel(address: str) -> str:
    """`whatsapp` of `whatsapp:+…`, `sms` of a plain address."""
    prefix, colon, _ = address.partition(":")
    return prefix if colon else "sms"


def recipient(text: str) -> str | None:
    """Return the address in normal form, None if it is none.

    Like Twilio, takes separators, and ten digits as a North American number.
    """
    prefix, colon, rest = text.rpartition(":")
    digits = PUNCTUATION.sub("", rest)
    local = NANP.fullmatch(digits)
    number = f"+1{local[1]}" if local else digits
    return f"{prefix}{colon}{number}" if E164.fullmatch(number) else None


def sender(text: str) -> str:
    """Return a sender in normal form: a number without its plus gets it, anything else stays."""
    digits = PUNCTUATION.sub("", text)
    return f"+{digits}" if digits.isdigit() and not SHORT_CODE.fullmatch(digits) else text


def national(address: str) -> str:
    """Return a North American number as Twilio shows it to people: `(415) 555-0100`; others stay."""
    local = NANP.fullmatch(address.removeprefix("+"))
    return f"({local[1][:3]}) {local[1][3:6]}-{local[1][6:]}" if local else address
