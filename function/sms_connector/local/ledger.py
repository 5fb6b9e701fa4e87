"""The ledger in one SQLite file: a table per collection, a column and an index per indexed field, JSON text.

    sqlite3 ledger.db "SELECT id, status, data ->> 'to' FROM messages ORDER BY createdAt DESC LIMIT 5"

Many threads and several processes share the file (`sqlite_file`).
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
from sms_connector.local.sqlite_file import BUSY_SECONDS, SqliteFile, is_busy
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

# Expired documents are absent at once, and deleted after a commit: at most this many, of one collection at a time.
SWEEP_SECONDS = 5.0
SWEEP_ROWS = 200

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
Row = tuple[Any, ...]


@contextmanager
def _explaining_busy() -> Iterator[None]:
    """Report a file that others hold as unavailable; any other error of SQLite passes."""
    try:
        yield
    except sqlite3.Error as failure:
        if is_busy(failure):
            raise LedgerUnavailable from failure
        raise


class SqliteLedger:
    """Implement `ports.Ledger` on a file. Made at first use, readable by its owner only; `busy_seconds` is the wait for
    others."""

    def __init__(self, path: str | Path, *, clock: Clock, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = SqliteFile(path, prepare=sql.prepare, busy_seconds=busy_seconds)
        self._clock = clock
        self._sweep_at = 0.0
        self._sweep_next = 0

    @_explaining_busy()
    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        if not ids:
            return []
        statement, values = sql.select_by_ids(collection), (self._clock.time(), _encode(ids).decode())
        with self._file.reading() as connection:
            found = {row[0]: _document(row) for row in connection.execute(statement, values)}
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

    @_explaining_busy()
    def commit(self, writes: Sequence[Write]) -> list[Version | None]:
        check_writes(writes)
        rows = [_row(write) for write in writes]
        if not rows:
            return []
        now, version = self._clock.time(), secrets.randbits(62)
        with self._file.transaction() as connection:
            _check_versions(connection, writes, now=now)
            for write, row in zip(writes, rows, strict=True):
                if row is None:
                    connection.execute(sql.delete(write.collection), (write.id,))
                else:
                    connection.execute(sql.upsert(write.collection), (*row, version))
            self._sweep(connection, now)
        return [None if row is None else version for row in rows]

    def close(self) -> None:
        self._file.close()

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


def _row(write: Write) -> Row | None:
    """Return a write as its columns but the version: id, data, expiresAt, then the indexed fields; None for a
    deletion."""
    if write.data is None:
        return None
    columns = [_encode(value).decode() if isinstance(value, list) else value for _, value in indexed_values(write)]
    data = _encode(write.data)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{write.collection}/{write.id} has {len(data)} bytes; at most {MAX_DOCUMENT_BYTES}")
    return (write.id, data.decode(), expiry(write), *columns)


def _check_versions(connection: sqlite3.Connection, writes: Sequence[Write], *, now: float) -> None:
    """Raise Conflict for the first document that is not as expected; an expired one is absent."""
    for write in writes:
        if write.expect is not None:
            found = connection.execute(sql.select_version(write.collection), (now, write.id)).fetchone()
            if (found and found[0]) != (None if write.expect is MUST_BE_ABSENT else write.expect):
                raise Conflict(write.collection, write.id)
