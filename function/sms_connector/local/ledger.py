"""The ledger in one SQLite file: a table per collection, a column and an index per indexed field, JSON text.

    sqlite3 ledger.db "SELECT id, status, data ->> 'to' FROM messages ORDER BY createdAt DESC LIMIT 5"

Many threads and several processes share the file (`sqlite_file`). What threads commit at the same time goes into one
transaction: the preconditions are read with one statement per collection, decided here in order, and what holds is
written with one statement per collection, so that a group costs a handful of statements whatever its size.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sms_connector.errors import Conflict, LedgerUnavailable
from sms_connector.local import ledger_sql as sql
from sms_connector.local.sqlite_file import BUSY_SECONDS, GroupWriter, SqliteFile, is_busy
from sms_connector.ports import (
    MAX_DOCUMENT_BYTES,
    MUST_BE_ABSENT,
    Clock,
    Document,
    Query,
    Version,
    Write,
    check_writes,
    expiry,
    indexed_values,
)

# Expired documents are absent at once, and deleted in passing: so many at most after a group, of one collection at
# a time.
SWEEP_SECONDS = 5.0
SWEEP_ROWS = 200
# SQLite binds 32 766 values to a statement by default (https://www.sqlite.org/limits.html, 9).
IDS_PER_READ = 16_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Unit(msgspec.Struct, frozen=True):
    """One caller's writes, and the row of each but its version (None for a deletion)."""

    writes: Sequence[Write]
    rows: list[tuple[Any, ...] | None]


class _Group(msgspec.Struct):
    """What a transaction knows while it decides: versions by (collection, id), the rows to write, the next version."""

    versions: dict[tuple[str, str], int | None]
    rows: dict[str, dict[str, tuple[Any, ...] | None]]
    version: int


@contextmanager
def _explaining_busy() -> Iterator[None]:
    """A file that others hold is out of reach for the moment; whatever else SQLite raises is for somebody to look at."""
    try:
        yield
    except sqlite3.Error as failure:
        if is_busy(failure.__cause__ or failure):
            raise LedgerUnavailable from failure
        raise


class SqliteLedger:
    """`ports.Ledger` on a file. Made at first use, readable by its owner only. `busy_seconds` is how long it waits for others."""

    def __init__(self, path: str | Path, *, clock: Clock, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = SqliteFile(path, prepare=sql.prepare, busy_seconds=busy_seconds)
        self._writer = GroupWriter(self._file, self._apply)
        self._clock = clock
        self._sweep_at = 0.0
        self._sweep_next = 0

    @_explaining_busy()
    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        if not ids:
            return []
        found: dict[str, Document] = {}
        with self._file.reading() as connection:
            for start in range(0, len(ids), IDS_PER_READ):
                page, now = ids[start : start + IDS_PER_READ], self._clock.time()
                statement, values = sql.select_by_ids(collection, "id, version, data", ids=page, now=now)
                found |= {row[0]: _document(row) for row in connection.execute(statement, values)}
        return [found.get(document_id) for document_id in ids]

    @_explaining_busy()
    def find(self, query: Query) -> list[Document]:
        statement, values = sql.select_by_query(query, now=self._clock.time())
        with self._file.reading() as connection:
            return [_document(row) for row in connection.execute(statement, values).fetchall()]

    @_explaining_busy()
    def count(self, query: Query) -> int:
        statement, values = sql.count_by_query(query, now=self._clock.time())
        with self._file.reading() as connection:
            number: int = connection.execute(statement, values).fetchone()[0]
        return number

    def commit(self, writes: Sequence[Write]) -> list[Version | None]:
        check_writes(writes)
        if not writes:
            return []
        outcome = self._write(_Unit(writes, [_row(write) for write in writes]))
        if isinstance(outcome, Conflict):
            raise outcome
        return outcome

    def close(self) -> None:
        self._file.close()

    @_explaining_busy()
    def _write(self, unit: _Unit) -> list[Version | None] | Conflict:
        return self._writer.write(unit)

    def _apply(self, connection: sqlite3.Connection, units: Sequence[_Unit]) -> list[list[Version | None] | Conflict]:
        now = self._clock.time()
        group = _Group(_current_versions(connection, units, now=now), {}, secrets.randbits(62))
        outcomes = [_decide(unit, group) for unit in units]
        for collection, rows in group.rows.items():
            _store(connection, collection, rows)
        self._sweep(connection, now)
        return outcomes

    def _sweep(self, connection: sqlite3.Connection, now: float) -> None:
        if now < self._sweep_at:
            return
        collection = sql.TABLES[self._sweep_next % len(sql.TABLES)]
        deleted = connection.execute(sql.delete_expired(collection), (now, SWEEP_ROWS)).rowcount
        if deleted < SWEEP_ROWS:
            self._sweep_next += 1
        self._sweep_at = now + SWEEP_SECONDS / len(sql.TABLES)


def _document(row: tuple[str, int, str]) -> Document:
    return Document(row[0], _decode(row[2]), row[1])


def _row(write: Write) -> tuple[Any, ...] | None:
    """A write as its columns but the version: id, data, expiresAt, then the indexed fields."""
    if write.data is None:
        return None
    columns = [_encode(value).decode() if isinstance(value, list) else value for _, value in indexed_values(write)]
    data = _encode(write.data)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{write.collection}/{write.id} has {len(data)} bytes; at most {MAX_DOCUMENT_BYTES}")
    return (write.id, data.decode(), expiry(write), *columns)


def _current_versions(
    connection: sqlite3.Connection, units: Sequence[_Unit], *, now: float
) -> dict[tuple[str, str], int | None]:
    """The versions of all documents that some unit has an expectation of; an expired one has none."""
    wanted: dict[str, set[str]] = {}
    for unit in units:
        for write in unit.writes:
            if write.expect is not None:
                wanted.setdefault(write.collection, set()).add(write.id)
    versions: dict[tuple[str, str], int | None] = {}
    for collection, ids in wanted.items():
        statement, values = sql.select_by_ids(collection, "id, version", ids=list(ids), now=now)
        for document_id, version in connection.execute(statement, values).fetchall():
            versions[collection, document_id] = version
    return versions


def _decide(unit: _Unit, group: _Group) -> list[Version | None] | Conflict:
    """Whether all is as the unit expects, in the light of the units before it; if so, its rows join the group's."""
    for write in unit.writes:
        if write.expect is None:
            continue
        expected = None if write.expect is MUST_BE_ABSENT else write.expect
        if group.versions.get((write.collection, write.id)) != expected:
            return Conflict(write.collection, write.id)
    group.version += 1
    outcome: list[Version | None] = []
    for write, row in zip(unit.writes, unit.rows, strict=True):
        version = None if row is None else group.version
        group.versions[write.collection, write.id] = version
        group.rows.setdefault(write.collection, {})[write.id] = None if row is None else (*row, version)
        outcome.append(version)
    return outcome


def _store(connection: sqlite3.Connection, collection: str, rows: dict[str, tuple[Any, ...] | None]) -> None:
    for statement, values in sql.upserts(collection, [row for row in rows.values() if row is not None]):
        connection.execute(statement, values)
    gone = [(document_id,) for document_id, row in rows.items() if row is None]
    if gone:
        connection.executemany(sql.delete(collection), gone)
