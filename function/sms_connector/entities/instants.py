"""Compare texts as instants: the order of TIMESTAMP columns."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_CANONICAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_TIME = r"[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_READABLE = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:{_TIME})?")


@lru_cache(maxsize=4096)
def read_instant(text: str) -> datetime | None:
    """Return the instant; a bare day is its midnight, and what has no offset is UTC. None where it is none."""
    if not _READABLE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def compare(left: str, right: str) -> int:
    """Compare as SQLite's collations do; what is no instant comes after all that are, in the order of its text."""
    if _CANONICAL.fullmatch(left) and _CANONICAL.fullmatch(right):
        return (left > right) - (left < right)
    first, second = read_instant(left), read_instant(right)
    if first is not None and second is not None:
        return (first > second) - (first < second)
    if first is None and second is None:
        return (left > right) - (left < right)
    return 1 if first is None else -1
