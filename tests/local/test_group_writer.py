"""Group commit: who carries whose work, and what becomes of the others when it fails."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sms_connector.local.sqlite_file import MAX_GROUP, GroupWriter, SqliteFile


def prepare(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")


class Numbers:
    """Writes numbers; holds up its first group until told, so that the others have to queue behind it."""

    def __init__(self, path: Path) -> None:
        self.file = SqliteFile(path, prepare=prepare)
        self.writer = GroupWriter(self.file, self.apply)
        self.groups: list[list[int]] = []
        self.entered = threading.Event()
        self.proceed = threading.Event()
        self.outcomes: dict[int, object] = {}

    def apply(self, connection: sqlite3.Connection, works: Sequence[int]) -> list[str]:
        self.groups.append(list(works))
        self.entered.set()
        self.proceed.wait()
        if 13 in works:
            raise ZeroDivisionError("a mistake of ours")
        connection.executemany("INSERT INTO t VALUES (?)", [(work,) for work in works])
        return [f"wrote {work}" for work in works]

    def write(self, number: int) -> None:
        try:
            self.outcomes[number] = self.writer.write(number)
        except (sqlite3.Error, ZeroDivisionError) as error:
            self.outcomes[number] = type(error)

    def start(self, *numbers: int) -> list[threading.Thread]:
        """Each in a thread of its own, in this order in line."""
        threads = []
        for number in numbers:
            threads.append(threading.Thread(target=self.write, args=(number,)))
            threads[-1].start()
            if number == numbers[0] and not self.groups:
                self.entered.wait()
            else:
                self.await_line(len(threads) - 1)
        return threads

    def await_line(self, length: int) -> None:
        while len(self.writer._line) < length:
            threading.Event().wait(0.001)

    def kept(self) -> list[int]:
        with self.file.reading() as connection:
            return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


@pytest.fixture
def numbers(tmp_path: Path) -> Iterator[Numbers]:
    numbers = Numbers(tmp_path / "numbers.db")
    yield numbers
    numbers.file.close()


def finish(numbers: Numbers, threads: list[threading.Thread]) -> None:
    numbers.proceed.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_who_waits_goes_together_and_each_gets_its_own_result(numbers: Numbers) -> None:
    finish(numbers, numbers.start(1, 2, 3, 4))
    assert numbers.groups == [[1], [2, 3, 4]]
    assert numbers.outcomes == {n: f"wrote {n}" for n in (1, 2, 3, 4)}
    assert numbers.kept() == [1, 2, 3, 4]


def test_a_group_that_cannot_be_written_fails_whole_and_the_next_goes_on(numbers: Numbers) -> None:
    finish(numbers, numbers.start(1, 2, 3))
    finish(numbers, numbers.start(2))  # is there already
    assert numbers.outcomes[2] is sqlite3.OperationalError
    finish(numbers, numbers.start(5))
    assert numbers.kept() == [1, 2, 3, 5]


def test_a_mistake_of_the_one_who_carries_fails_all_it_carried_and_stops_nobody_else(numbers: Numbers) -> None:
    finish(numbers, numbers.start(1, 13, 14))
    assert numbers.outcomes == {1: "wrote 1", 13: ZeroDivisionError, 14: sqlite3.OperationalError}
    finish(numbers, numbers.start(15))
    assert numbers.kept() == [1, 15]


ENDINGS = [
    pytest.param(
        ["PRAGMA max_page_count = 2", "INSERT INTO t SELECT value FROM generate"],
        "is full",
        id="SQLite ended it: the disk is full",
    ),
    pytest.param(["INSERT INTO child VALUES (1)"], "FOREIGN KEY", id="the commit itself fails"),
]


@pytest.mark.parametrize(("statements", "why"), ENDINGS)
def test_a_transaction_that_fails_leaves_its_connection_fit_for_the_next(
    tmp_path: Path, statements: list[str], why: str
) -> None:
    def prepare_more(connection: sqlite3.Connection) -> None:
        prepare(connection)
        connection.execute("CREATE TABLE child (n REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)")
        counting = "WITH RECURSIVE up (value) AS (SELECT 10 UNION ALL SELECT value + 1 FROM up LIMIT 9999)"
        connection.execute(f"CREATE VIEW generate AS {counting} SELECT value FROM up")

    file = SqliteFile(tmp_path / "numbers.db", prepare=prepare_more)
    with file.reading() as connection:
        connection.execute("PRAGMA foreign_keys = ON")

    def write() -> None:
        with file.transaction() as connection:
            for statement in statements:
                connection.execute(statement)

    with pytest.raises(sqlite3.Error, match=why):
        write()
    with file.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
        connection.execute("INSERT INTO t VALUES (1)")
    with file.reading() as connection:
        assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]
    file.close()


def test_a_group_has_an_end(numbers: Numbers) -> None:
    finish(numbers, numbers.start(*range(100, 100 + MAX_GROUP + 5)))
    assert [len(group) for group in numbers.groups] == [1, MAX_GROUP, 4]
    assert len(numbers.kept()) == MAX_GROUP + 5
