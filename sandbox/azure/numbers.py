"""Senders, and the numbers reserved to choose an outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SENDERS = ("+15551234567", "+18005551234", "12345")
E164 = re.compile(r"\+[1-9]\d{6,14}")
# learn.microsoft.com/azure/communication-services/concepts/sms/sms-faq: at most 11, at least one letter.
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")

# Code of a delivery report to its text: learn.microsoft.com/azure/communication-services/resources/troubleshooting/
# voice-video-calling/troubleshooting-codes?pivots=sms. The wording on the wire is only known of 2000 (an example of the
# REST description), 4007 (sms-faq) and 5002 (learn.microsoft.com/answers/questions/5730794).
REPORTS: Mapping[int, str] = {
    2000: "No Error",
    4000: "Message blocked as fraud",
    4001: "Invalid source address format",
    4002: "Invalid destination address format",
    4003: "Destination country is not supported",
    4004: "Destination does not exist",
    4005: "Blocked by destination carrier",
    4006: "Destination is not reachable",
    4007: "Sender blocked for given recipient.",
    4008: "Too many messages for the profile",
    4009: "Rejected by the entitlement system",
    4010: "Toll-free number is not verified",
    4020: "Message volume rule violated",
    5000: "Delivery failed",
    5001: "Temporary system error",
    5002: "Message Delivery Timeout",
    9999: "Unknown error",
}
DELIVERED, OPTED_OUT, TIMED_OUT = 2000, 4007, 5002


# Status and text of an item that is not processed.
Refusal = tuple[int, str]
INVALID: Refusal = (400, "Invalid To phone number format.")  # recorded by the official SDKs
REFUSED_RECIPIENTS: Mapping[str, Refusal] = {
    "+15005550001": INVALID,
    "+15005550003": (503, "ServiceUnavailable"),  # an example of the REST description
    "+15005550004": (400, "Sender blocked for given recipient."),  # UNVERIFIED as the text of an item
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code` of the delivery report (None: none ever comes), after `pace` times the usual delivery time."""

    code: int | None = DELIVERED
    pace: float = 1.0


USUAL = Outcome()
# Ours: +1500553 followed by a code of a delivery report ends with that code; the others as at the simulated Twilio.
RESERVED: Mapping[str, Outcome] = {
    **{f"+1500553{code}": Outcome(code) for code in REPORTS},
    "+15005530007": Outcome(4006),
    "+15005540001": Outcome(None),
    "+15005540002": Outcome(pace=10.0),
}


def outcome_for(to: str) -> Outcome:
    return RESERVED.get(to, USUAL)


def is_sender(address: str) -> bool:
    """Return True for a number of the resource or an alphanumeric sender."""
    return address in SENDERS or ALPHANUMERIC.fullmatch(address) is not None


def witness_status(code: int) -> str:
    """Return what a report means to a tester: not delivered by the handset's side is `undelivered`."""
    special = {DELIVERED: "delivered", 4006: "undelivered", TIMED_OUT: "unknown", 9999: "unknown"}
    return special.get(code, "failed")
