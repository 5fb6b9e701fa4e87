"""The numbers reserved to choose an outcome (README.md), in Telesign's form: digits, no plus."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.telesign.codes import DELIVERED, STATUSES

REFUSED_RECIPIENTS: Mapping[str, int] = {"15005550001": 11000, "15005550002": 11001, "15005550033": 10033}
REFUSED_SENDERS = frozenset({"15005550001", "15005550007"})
# May come as a report for what was accepted (the OpenAPI document "Engage Callbacks").
LATE_ERRORS = (10000, 10030, 10031, 10032, 11000)
NOT_FINAL = frozenset({203, 290, 292, 1500})
ENDS: Mapping[str, int] = {
    **{f"15005530{code}": code for code in STATUSES if code not in NOT_FINAL},
    **{f"150055{code}": code for code in LATE_ERRORS},
    "15005550004": 510,
    "15005530003": 514,
    "15005530004": 207,
    "15005530005": 211,
    "15005530006": 222,
    "15005530007": 220,
}
STAYS = "15005540001"
SLOW, SLOWNESS = "15005540002", 10.0


def end_of(to: str) -> int | None:
    """Return the final code of a message, None if it never gets one."""
    return None if to == STAYS else ENDS.get(to, DELIVERED)
