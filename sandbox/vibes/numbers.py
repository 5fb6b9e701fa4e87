"""Addresses, and the recipients reserved to choose an outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.vibes.codes import BLOCKED, CARRIER, INTERNAL

E164 = re.compile(r"\+[1-9]\d{6,14}")
SYSTEM, AT_CARRIER, HANDSET = "System", "Carrier", "Handset"
# An internal code in the last four digits: at once, or by a receipt. A carrier's code: by its or the handset's receipt.
REFUSED_PREFIX, SYSTEM_PREFIX, CARRIER_PREFIX, HANDSET_PREFIX = "+1500556", "+1500557", "+1500558", "+1500559"

# The numbers of the other simulators, with Vibes' nearest code.
REFUSED: Mapping[str, int] = {"+15005550001": 26, "+15005550009": 26}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a message ends: the stage of its last receipt, and the code of an error there. `pace`: how many times the
    usual delivery time it takes. `last_part`: the code of the last part alone, at the handset."""

    stage: str | None = HANDSET
    code: int | None = None
    pace: float = 1.0
    last_part: int | None = None


OUTCOMES: Mapping[str, Outcome] = {
    "+15005550002": Outcome(SYSTEM, 8),
    "+15005550003": Outcome(SYSTEM, 1),
    "+15005550004": Outcome(SYSTEM, BLOCKED),
    "+15005530001": Outcome(SYSTEM, 12),
    "+15005530002": Outcome(SYSTEM, 7),
    "+15005530003": Outcome(HANDSET, 103),
    "+15005530004": Outcome(HANDSET, 105),
    "+15005530005": Outcome(HANDSET, 107),
    "+15005530006": Outcome(HANDSET, 103),
    "+15005530007": Outcome(HANDSET, 105),
    "+15005530008": Outcome(AT_CARRIER, 108),
    "+15005530034": Outcome(HANDSET, 102),
    "+15005530036": Outcome(AT_CARRIER, 101),
    "+15005530410": Outcome(AT_CARRIER, 100),
    "+15005540001": Outcome(AT_CARRIER),
    "+15005540002": Outcome(pace=10.0),
    "+15005540003": Outcome(None),
    "+15005540004": Outcome(last_part=103),
}


def refused_with(to: str) -> int | None:
    return REFUSED.get(to, _code(to, REFUSED_PREFIX, INTERNAL))


def outcome_for(to: str) -> Outcome:
    for prefix, stage in ((SYSTEM_PREFIX, SYSTEM), (CARRIER_PREFIX, AT_CARRIER), (HANDSET_PREFIX, HANDSET)):
        code = _code(to, prefix, INTERNAL if stage == SYSTEM else CARRIER)
        if code is not None:
            return Outcome(stage, code)
    return OUTCOMES.get(to, Outcome())


def _code(to: str, prefix: str, known: Mapping[int, str]) -> int | None:
    digits = to.removeprefix(prefix)
    code = int(digits) if len(digits) == 4 and digits.isdigit() else None
    return code if code in known else None
