"""A provider's data in memory: lists by pages, narrowed as the catalogue says, each call counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sms_connector.entities.scan import Limits, Reader
from sms_connector.entity import (
    Change,
    Column,
    Endpoint,
    EntitySource,
    EntityType,
    Filter,
    Narrowing,
    Parent,
    Row,
    RowPage,
)
from sms_connector.errors import NotFound

EVERY = {each: Endpoint("GET", f"/{each}") for each in ("LIST", "GET", "CREATE", "UPDATE", "DELETE")}
DATE_FILTERS = (Filter("Date", "="), Filter("Date<", "<="), Filter("Date>", ">="))

LETTERS = EntityType(
    "Letters",
    EVERY,
    (
        Column("Sid", "VARCHAR", "sid", key=True),
        Column("To", "VARCHAR", "to", create=Change("To", required=True), filters=(Filter("To", "="),)),
        Column("Sender", "VARCHAR", "from", create=Change("From")),
        Column("Body", "VARCHAR", "body", create=Change("Body"), update=Change("Body")),
        Column("Status", "VARCHAR", "status", enum=("open", "sent"), filters=(Filter("Status", "="),)),
        Column("DateSent", "TIMESTAMP", "date_sent", filters=DATE_FILTERS),
        Column("ErrorCode", "INTEGER", "error_code", filters=(Filter("ErrorCode", "="),)),
        Column("Price", "DECIMAL", "price"),
        Column("Beta", "BOOLEAN", "beta", filters=(Filter("Beta", "="),)),
        Column("Tags", "ARRAY", "tags"),
        Column("Region", "VARCHAR", filter_only=True, filters=(Filter("Region", "="),)),
        Column("Secret", "VARCHAR", write_only=True, create=Change("Secret")),
    ),
    key=("Sid",),
    create_answer=("Sid",),
    update_answer=("Sid",),
    create_rules=(("Body", "Secret"),),
    risk={"DELETE": "irreversible"},
)
PAGES = EntityType(
    "Pages",
    {"LIST": EVERY["LIST"], "GET": EVERY["GET"]},
    (Column("Sid", "VARCHAR", "sid", key=True), Column("LetterSid", "VARCHAR", path_only=True, key=True)),
    key=("LetterSid", "Sid"),
    parents=(Parent("LetterSid", "LetterSid", required=True),),
)
EVENTS = EntityType("Events", {"LIST": EVERY["LIST"]}, (Column("Name", "VARCHAR", "name"),))


@dataclass
class World(EntitySource):
    """`narrows`: whether its lists are narrowed as they are asked to be; without it they hold everything."""

    letters: list[Row]
    page_size: int = 100
    narrows: bool = True
    calls: list[tuple[str, Any]] = field(default_factory=list)
    fails_at: int | None = None
    failure: Exception | None = None
    types = {each.name: each for each in (LETTERS, PAGES, EVENTS)}  # noqa: RUF012 # as the base has it

    def list_rows(
        self,
        entity: EntityType,
        *,
        within: Mapping[str, str],
        narrowed: Sequence[Narrowing] = (),
        page: str | None = None,
    ) -> RowPage:
        self._call("list", (entity.name, dict(within), [(each.column, each.op) for each in narrowed], page))
        if entity.name == PAGES.name:
            rows: list[Row] = [(f"PG{number}", within["LetterSid"]) for number in range(3)]
        elif entity.name == EVENTS.name:
            rows = [(f"event {number % 2}",) for number in range(5)]
        else:
            rows = [row for row in self.letters if not self.narrows or all(passes(row, each) for each in narrowed)]
        start = int(page or 0)
        end = start + self.page_size
        return RowPage(rows[start:end], str(end) if end < len(rows) else None)

    def get(self, entity: EntityType, key: Mapping[str, str]) -> Row | None:
        self._call("get", dict(key))
        return next((row for row in self.letters if row[0] == key["Sid"]), None)

    def create(self, entity: EntityType, values: Mapping[str, Any]) -> Mapping[str, Any]:
        self._call("create", dict(values))
        return {"Sid": "L999"}

    def update(self, entity: EntityType, key: Mapping[str, str], values: Mapping[str, Any]) -> Mapping[str, Any]:
        self._call("update", (dict(key), dict(values)))
        return {"Sid": key["Sid"]}

    def delete(self, entity: EntityType, key: Mapping[str, str]) -> None:
        self._call("delete", dict(key))
        if not any(row[0] == key["Sid"] for row in self.letters):
            raise NotFound("gone")

    def _call(self, name: str, what: Any) -> None:
        if self.failure is not None and self.fails_at == len(self.calls):
            raise self.failure
        self.calls.append((name, what))

    def lists(self) -> list[Any]:
        return [what for name, what in self.calls if name == "list"]


def passes(row: Row, narrowing: Narrowing) -> bool:
    """A list narrowed by days, as providers do it: `=` is the whole day, and both borders have the day itself."""
    names = [column.name for column in LETTERS.readable]
    if narrowing.column not in names:
        return True
    value, wanted = row[names.index(narrowing.column)], narrowing.value
    if isinstance(wanted, datetime):
        day, asked = (value or "")[:10], wanted.date().isoformat()
        return bool(value) and {"=": day == asked, "<=": day <= asked, ">=": day >= asked}[narrowing.op]
    return value == wanted


def make_letters(count: int) -> list[Row]:
    return [
        (
            f"L{number:03}",
            f"+1555{number % 7}",
            None if number % 11 == 0 else f"+49{number % 3}",
            ["Hello", "hello you", "it's", "100%", ""][number % 5],
            ["open", "sent", "other"][number % 3],
            None if number % 13 == 0 else f"2026-07-{28 - number % 28:02}T{number % 24:02}:{number % 60:02}:00Z",
            None if number % 4 else 30000 + number % 6,
            None if number % 9 == 0 else round(number / 8 - 10, 3),
            None if number % 10 == 9 else bool(number % 2),
            [str(number)],
        )
        for number in range(count)
    ]


def make_reader(world: World, *, calls: int = 200, seconds: float = 30.0, statement: bool = False) -> Reader:
    limits = Limits(calls, 100_000, seconds)
    field_name = "query.query" if statement else "conditions"
    return Reader(world, limits, time.monotonic, statement=statement, field=field_name)
