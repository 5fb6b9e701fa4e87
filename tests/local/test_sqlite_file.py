"""The one writer of a SQLite file: threads take turns, and a transaction that fails is undone and stops no other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_connector.local.sqlite_file import SqliteFile


def prepare(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")


class Numbers:
    """Writes numbers, each in a transaction of its own; holds up the first one, so that the others have to wait for it."""

    def __init__(self, path: Path) -> None:
        self.file = SqliteFile(path, prepare=prepare)
        self.writing: list[int] = []
        self.most_at_once = 0
        self.entered = threading.Event()
        self.proceed = threading.Event()
        self.outcomes: dict[int, object] = {}

    def write(self, number: int) -> None:
        try:
            with self.file.transaction() as connection:
                self.insert(connection, number)
            self.outcomes[number] = f"wrote {number}"
        except (sqlite3.Error, ZeroDivisionError) as error:
            self.outcomes[number] = type(error)

    def insert(self, connection: sqlite3.Connection, number: int) -> None:
        self.writing.append(number)
        self.most_at_once = max(self.most_at_once, len(self.writing))
        self.entered.set()
        try:
            self.proceed.wait()
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            if number == 13:
                raise ZeroDivisionError("a mistake of ours")
        finally:
            self.writing.remove(number)

    def write_all(self, *numbers: int) -> None:
        """Each in a thread of its own; all of them have begun before the first may go on."""
        threads = [threading.Thread(target=self.write, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        self.entered.wait()
        self.proceed.set()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()

    def kept(self) -> list[int]:
        with self.file.reading() as connection:
            return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


@pytest.fixture
def numbers(tmp_path: Path) -> Iterator[Numbers]:
    numbers = Numbers(tmp_path / "numbers.db")
    yield numbers
    numbers.file.close()


def test_threads_write_one_after_another_and_each_gets_its_own_result(numbers: Numbers) -> None:
    numbers.write_all(1, 2, 3, 4)
    assert numbers.most_at_once == 1
    assert numbers.outcomes == {n: f"wrote {n}" for n in (1, 2, 3, 4)}
    assert numbers.kept() == [1, 2, 3, 4]


def test_a_transaction_that_cannot_be_written_fails_alone_and_the_next_goes_on(numbers: Numbers) -> None:
    numbers.write_all(1, 2, 3)
    numbers.write_all(2)  # is there already
    assert numbers.outcomes[2] is sqlite3.IntegrityError
    numbers.write_all(5)
    assert numbers.kept() == [1, 2, 3, 5]


def test_a_mistake_within_a_transaction_undoes_it_and_stops_no_other(numbers: Numbers) -> None:
    numbers.write_all(1, 13, 14)
    assert numbers.outcomes == {1: "wrote 1", 13: ZeroDivisionError, 14: "wrote 14"}
    numbers.write_all(15)
    assert numbers.kept() == [1, 14, 15]


def test_many_threads_wait_for_one_writer_and_none_is_lost(numbers: Numbers) -> None:
    wanted = list(range(100, 169))
    numbers.write_all(*wanted)
    assert numbers.most_at_once == 1
    assert numbers.kept() == wanted


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
