"""One SQLite file used by many threads and several processes: pooled readers, one writer at a time.

**Durable** means `synchronous=FULL`: a commit that returned survives SIGKILL and loss of power. `NORMAL` would survive
the former only.

**Between processes** an advisory lock (`flock` on `<path>-lock`) queues the writers. SQLite alone polls its own lock
with sleeps of up to 100 ms, which starves one of several busy processes; the kernel wakes the next one at once, and
frees the lock of a holder that was killed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_SECONDS = 30.0
# The write-ahead log is copied back into the file when it has this many pages (16 MiB): rarer copies, fewer waits for
# the disk.
CHECKPOINT_PAGES = 4096
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    "PRAGMA cache_size = -8000",
)


class SqliteFile:
    """Keep a file and its connections. Opened at first use; `prepare` makes in a transaction what is missing in it."""

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
        """Yield a connection for this thread alone. Each statement sees the latest commit, of any process."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the one writing transaction of the file: committed at the end of the block, rolled back if it
        raises."""
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
        """Create file and tables with 0600: they hold numbers and texts. SQLite gives its side files the file's
        mode."""
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
    """Return whether others held the file for longer than we wait; nothing was read or written then."""
    code = getattr(failure, "sqlite_errorcode", 0) & 0xFF  # the primary code: the rest says which lock
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
