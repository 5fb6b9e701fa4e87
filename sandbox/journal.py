"""Every request the simulated providers saw, for tests to witness.

Kept raw and decoded only when asked for: a benchmark pays for a few references per request, not for parsing.
"""

from __future__ import annotations

import re
import time
from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from multidict import CIMultiDict

from sandbox.wire import Request

RawHeaders = tuple[tuple[bytes, bytes], ...]
SID = re.compile(r"\b[A-Z]{2}[0-9a-f]{32}\b")
MAX_KEPT = 4_096
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Entry:
    """One request: times at its arrival, and what became of it. `status` is None while no answer has left."""

    sequence: int
    monotonic: float
    epoch: float
    method: str
    path: str
    query: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    fault: str | None = None
    status: int | None = None

    def document(self) -> dict[str, Any]:
        request = Request(self.method, self.path, self.query, self.body, CIMultiDict(self.headers))
        form = request.form_pairs()
        return {
            "sequence": self.sequence,
            "monotonic": self.monotonic,
            "epoch": self.epoch,
            "method": self.method,
            "path": self.path,
            "query": _grouped(request.query_pairs()),
            "form": _grouped(form),
            "body": None if form or not self.body else self.body.decode("utf-8", "replace"),
            "headers": dict(self.headers),
            "fault": self.fault,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries: newer than `since`, method equal, path found by the pattern, fault and status equal."""

    since: int = 0
    method: str | None = None
    path: re.Pattern[str] | None = None
    fault: str | None = None
    status: int | None = None
    limit: int | None = None

    def takes(self, entry: Entry) -> bool:
        return (
            entry.sequence > self.since
            and self.method in (None, entry.method)
            and (self.path is None or self.path.search(entry.path) is not None)
            and self.fault in (None, entry.fault)
            and self.status in (None, entry.status)
        )


class Journal:
    """The newest `size` entries; counts go on for all of them."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._header_sets: dict[RawHeaders, tuple[tuple[str, str], ...]] = {}
        self._paths: dict[str, str] = {}
        self._last = 0

    def record(self, request: Request, raw_headers: RawHeaders, *, arrived: float) -> Entry:
        """Note a request that arrived at `arrived` (monotonic seconds). Paths and headers that repeat are kept once."""
        self._last += 1
        entry = Entry(
            sequence=self._last,
            monotonic=arrived,
            epoch=time.time() - (time.monotonic() - arrived),
            method=request.method,
            path=_once(self._paths, request.path, value=request.path),
            query=request.query,
            body=request.body,
            headers=self._masked(raw_headers),
        )
        self._entries.append(entry)
        return entry

    def select(self, query: Query) -> Iterator[Entry]:
        """Oldest first."""
        taken = 0
        for entry in list(self._entries):
            if query.takes(entry):
                taken += 1
                yield entry
            if taken == query.limit:
                return

    def summary(self, query: Query) -> dict[str, Any]:
        """Counts by route, status and fault, and the most starts in any one second."""
        entries = list(self.select(query))
        return {
            "total": len(entries),
            "recorded": self._last,
            "routes": _counts(f"{e.method} {SID.sub('{sid}', e.path)}" for e in entries),
            "statuses": _counts(str(e.status) for e in entries),
            "faults": _counts(e.fault for e in entries if e.fault),
            "firstMonotonic": entries[0].monotonic if entries else None,
            "lastMonotonic": entries[-1].monotonic if entries else None,
            "mostStartsInOneSecond": most_in_window([e.monotonic for e in entries], 1.0),
        }

    def starts(self, query: Query) -> dict[str, list[float]]:
        """Arrival times alone, in order."""
        entries = list(self.select(query))
        return {"monotonic": [e.monotonic for e in entries], "epoch": [e.epoch for e in entries]}

    def clear(self) -> None:
        self._entries.clear()
        self._last = 0

    def _masked(self, raw: RawHeaders) -> tuple[tuple[str, str], ...]:
        known = self._header_sets.get(raw)
        if known is not None:
            return known
        return _once(self._header_sets, raw, value=tuple((_text(n), _shown(_text(n), _text(v))) for n, v in raw))


def most_in_window(times: Iterable[float], seconds: float) -> int:
    """Return the largest number of `times` (ascending) within any half-open window of `seconds`."""
    starts = array("d", times)
    # bisect_right of the first time outside; a start exactly `seconds` later begins a new window.
    return max((bisect_right(starts, at + seconds - 1e-9) - index for index, at in enumerate(starts)), default=0)


def _once(kept: dict[K, V], key: K, *, value: V) -> V:
    """Return the value kept for the key before, else this one; what is kept stays small."""
    if len(kept) >= MAX_KEPT:
        kept.clear()
    return kept.setdefault(key, value)


def _shown(name: str, value: str) -> str:
    if name.lower() in ("authorization", "proxy-authorization"):
        return f"{value.partition(' ')[0]} ***"
    return value


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Fields by name; a name that came more than once has the list of its values."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}
