"""Durable work in a SQLite file, and the worker that carries it out.

A task is a row. A worker that takes it gets a lease: the row is hidden until the lease ends, so that the task of a
worker that was killed comes back by itself. A worker at work renews its lease, and says so when it is done. Only the
holder of the last lease can: one that was slow and lost it changes nothing.

`SMS_QUEUE` and `SMS_LEDGER` may name the same file.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sms_connector.errors import QueueUnavailable
from sms_connector.local.sqlite_file import SqliteFile
from sms_connector.ports import Clock, Delivery, QueueName, Task, check_task

# How long the name of a task that is done stays taken; Cloud Tasks keeps it for about an hour.
NAME_SECONDS = 2 * 3600.0
SWEEP_SECONDS = 30.0
SWEEP_ROWS = 500

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS tasks (
        id INTEGER PRIMARY KEY, queue TEXT NOT NULL, name TEXT, path TEXT NOT NULL, payload TEXT NOT NULL,
        due REAL NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, lease TEXT, done REAL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS tasks_by_name ON tasks (queue, name) WHERE name IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_by_due ON tasks (queue, due) WHERE done IS NULL",
    "CREATE INDEX IF NOT EXISTS tasks_by_done ON tasks (done) WHERE done IS NOT NULL",
)
INSERT = """INSERT INTO tasks (queue, name, path, payload, due) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (queue, name) WHERE name IS NOT NULL DO NOTHING"""
NEXT = "SELECT id FROM tasks WHERE queue = ? AND done IS NULL AND due <= ? ORDER BY due LIMIT 1"
TAKE = f"""UPDATE tasks SET due = ?, lease = ?, attempt = attempt + 1 WHERE id = ({NEXT})
    RETURNING id, name, path, payload, attempt"""  # noqa: S608 # a constant of ours
RENEW = "UPDATE tasks SET due = ? WHERE id = ? AND lease = ? AND done IS NULL"
GIVE_BACK = "UPDATE tasks SET due = ?, lease = NULL WHERE id = ? AND lease = ? AND done IS NULL"
FINISH = "UPDATE tasks SET done = ?, lease = NULL, payload = '' WHERE id = ? AND lease = ? AND done IS NULL"
SWEEP = "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE done <= ? LIMIT ?)"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Lease(msgspec.Struct, frozen=True):
    """A task that is ours until its lease ends."""

    row: int
    token: str
    delivery: Delivery


class SqliteQueue:
    """`ports.TaskQueue`, and its other end: `take`, `renew`, `done`, `retry`."""

    def __init__(self, path: str | Path, *, clock: Clock) -> None:
        self._file = SqliteFile(path, prepare=prepare)
        self._clock = clock
        self._sweep_at = 0.0

    def enqueue(self, tasks: Sequence[Task]) -> None:
        if tasks:
            now = self._clock.time()
            rows = [_row(task, now=now) for task in tasks]
            try:
                with self._file.transaction() as connection:
                    connection.executemany(INSERT, rows)
                    self._sweep(connection)
            except sqlite3.Error as failure:
                raise QueueUnavailable from failure

    def take(self, queue: QueueName, *, seconds: float) -> Lease | None:
        """Return the task that is due longest, hidden from others for `seconds`; None if nothing is due."""
        now = self._clock.time()
        with self._file.reading() as connection:
            if connection.execute(NEXT, (queue, now)).fetchone() is None:
                return None
        token = secrets.token_hex(8)
        with self._file.transaction() as connection:
            row = connection.execute(TAKE, (now + seconds, token, queue, now)).fetchone()
        if row is None:
            return None
        number, name, path, payload, attempt = row
        return Lease(number, token, Delivery(Task(queue, path, _decode(payload), name), attempt))

    def renew(self, lease: Lease, *, seconds: float) -> bool:
        """Extend the lease to `seconds` from now. Return False if it was lost meanwhile."""
        return self._change(RENEW, (self._clock.time() + seconds, lease.row, lease.token))

    def done(self, lease: Lease) -> bool:
        """End the task; its name stays taken for NAME_SECONDS. Return False if the lease was lost meanwhile."""
        return self._change(FINISH, (self._clock.time(), lease.row, lease.token))

    def retry(self, lease: Lease, *, after: float) -> bool:
        """Deliver it again in `after` seconds. Return False if the lease was lost meanwhile."""
        return self._change(GIVE_BACK, (self._clock.time() + after, lease.row, lease.token))

    def close(self) -> None:
        self._file.close()

    def _sweep(self, connection: sqlite3.Connection) -> None:
        now = self._clock.time()
        if now >= self._sweep_at:
            deleted = connection.execute(SWEEP, (now - NAME_SECONDS, SWEEP_ROWS)).rowcount
            self._sweep_at = now if deleted == SWEEP_ROWS else now + SWEEP_SECONDS

    def _change(self, statement: str, values: tuple[Any, ...]) -> bool:
        with self._file.transaction() as connection:
            return connection.execute(statement, values).rowcount == 1


def prepare(connection: sqlite3.Connection) -> None:
    """Make what is missing."""
    for statement in SCHEMA:
        connection.execute(statement)


def _row(task: Task, *, now: float) -> tuple[Any, ...]:
    payload = _encode(task.payload)
    check_task(task, size=len(payload))
    return (task.queue, task.name, task.path, payload.decode(), max(now, task.not_before or 0.0))
