"""Addresses, and the recipients reserved to choose an outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.link_mobility.codes import DELIVERED, EXPIRED, RESULTS

E164 = re.compile(r"\+[1-9]\d{6,14}")
SHORT_NUMBER = re.compile(r"\d{1,14}")
ALPHANUMERIC = re.compile(r"[A-Za-z0-9 &_+.!-]{1,11}")
# A result code in the last four digits: refused at once, or reported later.
REFUSED_PREFIX, REPORTED_PREFIX = "+1500556", "+1500557"

# The numbers of the other simulators, with LINK's nearest code.
REFUSED: Mapping[str, int] = {
    "+15005550001": 2106,
    "+15005550002": 2,
    "+15005550003": 2103,
    "+15005550004": 2105,
    "+15005550009": 2104,
}
REPORTED: Mapping[str, int] = {
    "+15005530001": 3,
    "+15005530002": 104,
    "+15005530003": 1006,
    "+15005530004": 2107,
    "+15005530005": 2104,
    "+15005530006": 1003,
    "+15005530007": 1006,
    "+15005530008": 0,
    "+15005530034": 1009,
    "+15005530036": 1002,
    "+15005530410": 1010,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code`: the final result; one that is not final is reported half-way, before DELIVERED. `pace`: how many times
    the usual delivery time it takes. `last_part`: the result of the last part alone. `expires`: at the end of the
    validity."""

    code: int = DELIVERED
    pace: float = 1.0
    silent: bool = False
    last_part: int | None = None
    expires: bool = False


OTHERS: Mapping[str, Outcome] = {
    "+15005540001": Outcome(silent=True),
    "+15005540002": Outcome(pace=10.0),
    "+15005540003": Outcome(EXPIRED, expires=True),
    "+15005540004": Outcome(last_part=1006),
}


def refused_with(to: str) -> int | None:
    return REFUSED.get(to, _code(to, REFUSED_PREFIX))


def outcome_for(to: str) -> Outcome:
    code = REPORTED.get(to, _code(to, REPORTED_PREFIX))
    return OTHERS.get(to, Outcome()) if code is None else Outcome(code)


def _code(to: str, prefix: str) -> int | None:
    digits = to.removeprefix(prefix)
    code = int(digits) if len(digits) == 4 and digits.isdigit() else None
    return code if code in RESULTS else None
