"""One SQLite file used by many threads and several processes: pooled readers, and writers that share their commits.

**Group commit.** What a durable commit costs is one wait for the disk, whatever it holds. So a thread that wants to
write puts its work into a line. The first in line leads: it takes everything that waits by then into one
transaction, commits it, and wakes the others with their results; the next in line leads the next group. While the
disk works on one group the next one gathers. There is no background thread (a function has no CPU after its
response), and an idle file costs nothing.

**Durable** means `synchronous=FULL`: a commit that returned survives SIGKILL and loss of power. `NORMAL` would
survive the former only.

**Between processes** an advisory lock (`flock` on `<path>-lock`) queues the writers. SQLite alone polls its own
lock with sleeps of up to 100 ms, which starves one of several busy processes; the kernel wakes the next one at
once, and frees the lock of a holder that was killed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

Work = TypeVar("Work")
Result = TypeVar("Result")

BUSY_SECONDS = 30.0
# The write-ahead log is copied back into the file when it has so many pages (16 MiB): rarer copies, fewer waits for
# the disk.
CHECKPOINT_PAGES = 4096
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    "PRAGMA cache_size = -8000",
)
# Works one group may hold: bounds how long a transaction keeps other processes waiting.
MAX_GROUP = 64


class SqliteFile:
    """A file and its connections. Opened at first use; `prepare` makes in a transaction what is missing in it."""

    def __init__(
        self, path: str | Path, *, prepare: Callable[[sqlite3.Connection], None], busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.path = Path(path)
        self._prepare = prepare
        self._busy_seconds = busy_seconds
        self._ready = False
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._lock_fd = -1

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone. Each statement sees the latest commit, of any process."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The one writing transaction of the file: committed at the end of the block, rolled back if it raises."""
        connection = self._take()
        try:
            with self._turn(), _transaction(connection):
                yield connection
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle (for tests and shutdown; a killed process leaves the file just as good)."""
        while self._idle:
            self._idle.pop().close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
        self._lock_fd, self._ready = -1, False

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        if not self._ready:
            with self._opening:
                if not self._ready:
                    self._create()
                    self._ready = True
        return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return connection

    def _create(self) -> None:
        """Create file and tables with 0600: they hold numbers and texts. SQLite gives its side files the file's mode."""
        if self._lock_fd < 0:
            self._lock_fd = os.open(f"{self.path}-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with self._turn():
            connection = self._open()
            with _transaction(connection):
                self._prepare(connection)
            self._idle.append(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._writing:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # On a full disk or an I/O error SQLite may have ended it by itself (sqlite.org/lang_transaction.html).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_busy(failure: BaseException) -> bool:
    """Whether others held the file for longer than we wait; nothing was read or written then."""
    code = getattr(failure, "sqlite_errorcode", 0) & 0xFF  # the primary code: the rest says which lock
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _Waiter(msgspec.Struct, Generic[Work, Result], eq=False):
    """A thread's place in line. It waits at its gate, and when let through lets `next` through."""

    work: Work
    gate: threading.Lock = msgspec.field(default_factory=threading.Lock)
    leads: bool = False
    next: _Waiter[Work, Result] | None = None
    results: list[Result] = msgspec.field(default_factory=list)
    failure: sqlite3.Error | None = None


class GroupWriter(Generic[Work, Result]):
    """Carries out works of many threads in shared transactions.

    `apply` gets a connection inside a transaction and the works in order, and returns a result for each.

    A finished group is woken one by one, and only its last thread wakes the next leader. Woken all at once the
    threads would fight for the interpreter's lock, and with the next leader too, each time it calls SQLite; one by
    one they come back with their next works, which then share a group. (32 threads, single writes: 95 µs of CPU
    each instead of 140.)
    """

    def __init__(
        self, file: SqliteFile, apply: Callable[[sqlite3.Connection, Sequence[Work]], Sequence[Result]]
    ) -> None:
        self._file = file
        self._apply = apply
        self._mutex = threading.Lock()
        self._line: deque[_Waiter[Work, Result]] = deque()
        self._led = False

    def write(self, work: Work) -> Result:
        """The result for this work, durable. Raises sqlite3.Error where its group could not be committed (`is_busy` says why)."""
        waiter: _Waiter[Work, Result] = _Waiter(work)
        if self._join_queue(waiter):
            self._lead()
        if waiter.results:
            return waiter.results[0]
        reason = waiter.failure or "the thread that carried the group was ended"
        raise sqlite3.OperationalError(f"{self._file.path}: nothing was written: {reason}") from waiter.failure

    def _join_queue(self, waiter: _Waiter[Work, Result]) -> bool:
        """Wait until the work is done (False) or this thread leads (True)."""
        with self._mutex:
            self._line.append(waiter)
            if not self._led:
                self._led = True
                return True
            waiter.gate.acquire()
        waiter.gate.acquire()
        if waiter.next:
            waiter.next.gate.release()
        return waiter.leads

    def _lead(self) -> None:
        with self._mutex:
            group = [self._line.popleft() for _ in range(min(len(self._line), MAX_GROUP))]
        try:
            with self._file.transaction() as connection:
                results = self._apply(connection, [waiter.work for waiter in group])
            for waiter, result in zip(group, results, strict=True):
                waiter.results.append(result)
        except sqlite3.Error as failure:
            for waiter in group:
                waiter.failure = failure
        finally:
            self._release(group[1:])

    def _release(self, followers: list[_Waiter[Work, Result]]) -> None:
        with self._mutex:
            self._led = bool(self._line)
            if self._led:
                self._line[0].leads = True
                followers.append(self._line[0])
        for waiter, successor in pairwise(followers):
            waiter.next = successor
        if followers:
            followers[0].gate.release()
