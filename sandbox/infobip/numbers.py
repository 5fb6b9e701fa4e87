"""Addresses, and the numbers reserved to choose an outcome (the table is in README.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.infobip.statuses import (
    ACCEPTED,
    DELIVERED,
    DLR_UNKNOWN,
    ENROUTE,
    ERRORS,
    EXPIRED,
    NO_ERROR,
    REJECTION_ERRORS,
    TO_OPERATOR,
    VALIDITY_ERROR,
    WAITING,
)

# (fraction of the delivery time, status, error), ascending.
Plan = tuple[tuple[float, int, int], ...]

REJECTED: Mapping[str, int] = {
    "15005550001": 52,
    "15005550002": 19,
    "15005550003": 6,
    "15005550004": 14,
    "15005550005": 12,
    "15005550007": 20,
    "15005550008": 10,
    "15005550009": 8,
}
# Senders refused whoever they write to.
REFUSED_SENDERS = {"UNREGISTERED": 11, "BLOCKED": 13}
NUMBER = re.compile(r"\+?([1-9]\d{6,14})")
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_.-]{3,11}")
HEAD: Plan = ((0.0, ACCEPTED, NO_ERROR),)
ON_ITS_WAY: Plan = (*HEAD, (0.25, ENROUTE, NO_ERROR), (0.5, WAITING, NO_ERROR))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`pace`: how many times the usual delivery time it takes. `whole_validity`: its time is the validity period."""

    plan: Plan = (*ON_ITS_WAY, (1.0, DELIVERED, NO_ERROR))
    pace: float = 1.0
    whole_validity: bool = False
    logged: bool = True


USUAL = Outcome()
RESERVED: Mapping[str, Outcome] = {
    **{
        f"1500553{error:04d}": Outcome((*ON_ITS_WAY, (1.0, status, error)))
        for error, (_, _, _, status) in ERRORS.items()
        if error != NO_ERROR
    },
    "15005540001": Outcome(ON_ITS_WAY),
    "15005540002": Outcome(pace=10.0),
    "15005540003": Outcome((*HEAD, (1.0, EXPIRED, VALIDITY_ERROR)), whole_validity=True),
    "15005540004": Outcome((*ON_ITS_WAY, (1.0, DLR_UNKNOWN, NO_ERROR))),
    "15005540005": Outcome((*ON_ITS_WAY, (1.0, TO_OPERATOR, NO_ERROR))),
    "15005540006": Outcome(logged=False),
}


def outcome_for(to: str) -> Outcome:
    return RESERVED.get(to, USUAL)


def rejection(status: int) -> Outcome:
    return Outcome(((0.0, status, REJECTION_ERRORS.get(status, 4097)),))


def digits(address: str) -> str | None:
    """Return an international number as Infobip writes it, without a plus; None where it is none."""
    match = NUMBER.fullmatch(address)
    return match[1] if match else None


def plain(address: str) -> str:
    """Return a sender or number in the form in which addresses are compared."""
    return digits(address) or address
