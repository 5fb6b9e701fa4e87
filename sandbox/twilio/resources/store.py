"""What is kept: one shelf for each account and kind, in the order of creation."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One resource. `fields` has the names of Twilio's answers, times in epoch seconds; names with `_` in front are ours.

    A deleted row stays, so that a page that ended with it can still be turned.
    """

    kind: str
    account_sid: str
    key: str
    sequence: int
    created_at: float
    fields: Fields
    deleted_at: float | None = None

    def is_there(self, now: float) -> bool:
        return self.deleted_at is None and self.created_at <= now


@dataclass(slots=True)
class Shelf:
    """Rows in order of creation, and by key."""

    rows: list[Row] = field(default_factory=list)
    by_key: dict[str, Row] = field(default_factory=dict)

    def put(self, row: Row) -> None:
        before = self.by_key.get(row.key)
        if before is not None:
            self.drop(before)
        self.by_key[row.key] = row
        insort(self.rows, row, key=_place)

    def drop(self, row: Row) -> None:
        """Forget a row as if it had never been."""
        del self.rows[self.position(row)]
        del self.by_key[row.key]

    def position(self, row: Row) -> int:
        return bisect_left(self.rows, _place(row), key=_place)


@dataclass(slots=True)
class Store:
    """Every row of every account."""

    _shelves: defaultdict[tuple[str, str], Shelf] = field(default_factory=lambda: defaultdict(Shelf))
    _made: int = 0

    def shelf(self, account_sid: str, kind: str) -> Shelf:
        return self._shelves[account_sid, kind]

    def add(self, kind: str, account_sid: str, key: str, *, at: float, fields: Fields) -> Row:
        """Keep a row; one with the same key is replaced."""
        self._made += 1
        row = Row(kind, account_sid, key, self._made, at, fields)
        self.shelf(account_sid, kind).put(row)
        return row

    def find(self, account_sid: str, kind: str, key: str, *, now: float) -> Row | None:
        row = self.shelf(account_sid, kind).by_key.get(key)
        return row if row is not None and row.is_there(now) else None

    def those(self, account_sid: str, kind: str, *, now: float, **wanted: Any) -> Iterator[Row]:
        """Yield the rows that are there and have these fields, oldest first."""
        for row in self.shelf(account_sid, kind).rows:
            if row.is_there(now) and all(row.fields.get(name) == value for name, value in wanted.items()):
                yield row


def _place(row: Row) -> tuple[float, int]:
    return row.created_at, row.sequence
