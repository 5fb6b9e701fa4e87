"""What is the SQLite ledger's own: its file, its indexes, several processes, death at any point."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_connector.local import ledger_sql
from sms_connector.local.clock import SystemClock
from sms_connector.local.ledger import SWEEP_ROWS, SWEEP_SECONDS, SqliteLedger
from sms_connector.ports import ARRAY_FIELDS, COLLECTIONS, COMPOSITE_INDEXES, MUST_BE_ABSENT, Condition, Query, Write
from tests.fixtures.clocks import FakeClock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteLedger]:
    sqlite = SqliteLedger(tmp_path / "ledger.db", clock=clock)
    yield sqlite
    sqlite.close()


def test_its_files_are_its_owners_only(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.commit([Write("messages", "a", {"to": "+15558675310"})])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-lock"], 0o600)


# --- indexes ----------------------------------------------------------------------------------------------------------

SINGLE = [
    (name, field) for name, fields in COLLECTIONS.items() for field in fields if (name, field) not in ARRAY_FIELDS
]
COMPOSITE = [index for index in COMPOSITE_INDEXES if not {(index[0], field) for field in index[1]} & ARRAY_FIELDS]
PLANNED = [
    *(Query(name, ((field, "==", "x"),)) for name, field in SINGLE),
    *(Query(name, ((field, "<=", 5),), order_by=field) for name, field in SINGLE),
    *(Query(name, order_by=field) for name, field in SINGLE),
    *(Query(name, order_by=field, descending=True, after=(5, "m1")) for name, field in SINGLE),
    *(
        Query(name, tuple((field, "==", "x") for field in equal), order_by=order, descending=down)
        for name, equal, order, down in COMPOSITE
    ),
    *(
        Query(name, tuple((field, "==", "x") for field in equal), order_by=order, descending=down, after=(5, "m1"))
        for name, equal, order, down in COMPOSITE
    ),
    *(Query(name, after=("", "m1")) for name in COLLECTIONS),
]


def plan(path: Path, statement: str, values: list[object]) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    finally:
        connection.close()


@pytest.mark.parametrize("query", PLANNED, ids=str)
def test_every_query_there_can_be_goes_by_an_index(ledger: SqliteLedger, tmp_path: Path, query: Query) -> None:
    ledger.get("messages", ["a"])
    statements = [ledger_sql.select_by_query(query, now=0.0)]
    statements += [ledger_sql.count_by_query(query, now=0.0)] if query.where else []
    for statement, values in statements:
        steps = plan(tmp_path / "ledger.db", statement, [*values])
        assert "INDEX" in steps[0], steps
        # Where only ids of equal values, or the few documents of one value, are put in order, that is cheap.
        assert steps[1:] in ([], ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"]) or not query.order_by, steps


@pytest.mark.parametrize(("field", "order"), [("people", None), ("people", "createdAt"), ("providerMessageIds", None)])
def test_what_a_list_contains_is_found_by_an_index(
    ledger: SqliteLedger, tmp_path: Path, field: str, order: str | None
) -> None:
    ledger.get("blocks", ["a"])
    where: tuple[Condition, ...] = ((field, "contains", "x"),)
    query = Query("blocks", where, order_by=order, descending=order is not None)
    statement, values = ledger_sql.select_by_query(query, now=0.0)
    steps = plan(tmp_path / "ledger.db", statement, [*values])
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_a_file_of_an_older_version_gets_the_columns_and_indexes_it_lacks(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "ledger.db"
    older = sqlite3.connect(path)
    older.execute(
        "CREATE TABLE messages (id TEXT PRIMARY KEY, data TEXT NOT NULL, expiresAt, version INTEGER NOT NULL)"
    )
    for n, reference in enumerate(("a", "b", "a")):
        data = json.dumps({"reference": reference, "createdAt": n, "person": None})
        older.execute("INSERT INTO messages VALUES (?, ?, NULL, ?)", (f"m{n}", data, n))
    older.commit()
    older.close()
    newer = SqliteLedger(path, clock=clock)
    query = Query("messages", (("reference", "==", "a"),), order_by="createdAt", descending=True)
    assert [document.id for document in newer.find(query)] == ["m2", "m0"]
    assert newer.find(Query("messages", order_by="person")) == []
    newer.close()


# --- expiry -----------------------------------------------------------------------------------------------------------


def test_expired_documents_are_deleted_in_passing_a_few_at_a_time(
    ledger: SqliteLedger, clock: FakeClock, tmp_path: Path
) -> None:
    expiring = 2 * SWEEP_ROWS + 50
    for start in range(0, expiring, 50):
        ledger.commit(
            [Write("messages", f"m{n}", {"expiresAt": clock.now + 10}) for n in range(start, min(start + 50, expiring))]
        )
    clock.now += 20
    kept = []
    for n in range(3 * len(COLLECTIONS)):
        clock.now += SWEEP_SECONDS
        ledger.commit([Write("state", "tick", {"n": n})])
        connection = sqlite3.connect(tmp_path / "ledger.db")
        kept.append(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
        connection.close()
    assert kept[-1] == 0
    assert max(before - after for before, after in zip([expiring, *kept], kept, strict=False)) <= SWEEP_ROWS


# --- others at the same file ------------------------------------------------------------------------------------------


def test_a_commit_waits_for_whoever_holds_the_file_and_reads_go_on(ledger: SqliteLedger, tmp_path: Path) -> None:
    """Somebody with the sqlite3 command, who knows nothing of our lock."""
    ledger.commit([Write("messages", "a", {"n": 1})])
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    committing = threading.Thread(target=ledger.commit, args=([Write("messages", "a", {"n": 2})],))
    committing.start()
    committing.join(0.1)
    assert committing.is_alive()
    assert [document and document.data for document in ledger.get("messages", ["a"])] == [{"n": 1}]
    other.execute("ROLLBACK")
    other.close()
    committing.join()
    assert [document and document.data for document in ledger.get("messages", ["a"])] == [{"n": 2}]


WRITER = """
import sys, threading
sys.path.insert(0, {function!r})
from sms_connector.errors import Conflict
from sms_connector.local.clock import SystemClock
from sms_connector.local.ledger import SqliteLedger
from sms_connector.ports import MUST_BE_ABSENT, Write

ledger = SqliteLedger({path!r}, clock=SystemClock())
"""
COUNTING = """
done = 0
while done < 25:
    document = ledger.get("state", ["counter"])[0]
    try:
        number = document.data["n"] + 1 if document else 1
        ledger.commit([Write("state", "counter", {"n": number}, document.version if document else MUST_BE_ABSENT)])
        done += 1
    except Conflict:
        pass
"""
# Each unit creates two documents and replaces a third; what was committed is said afterwards.
PAIRS = """
import itertools

def write(thread):
    for n in itertools.count():
        key = f"{thread}-{n}"
        ledger.commit([
            Write("messages", key, {"n": n, "status": "sent"}, MUST_BE_ABSENT),
            Write("notifications", key, {"n": n}, MUST_BE_ABSENT),
            Write("state", f"{thread}", {"n": n}),
        ])
        print(f"{key} ", end="", flush=True)

threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
"""


def start_writer(path: Path, script: str) -> subprocess.Popen[str]:
    code = WRITER.format(function=str(ROOT / "function"), path=str(path)) + script
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_processes_that_start_at_once_on_no_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    processes = [start_writer(path, COUNTING) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    ledger = SqliteLedger(path, clock=SystemClock())
    assert [document and document.data for document in ledger.get("state", ["counter"])] == [{"n": 75}]
    ledger.close()


@pytest.mark.parametrize("commits", [1, 40, 400])
def test_what_was_committed_when_it_was_killed_is_there_and_nothing_is_half(tmp_path: Path, commits: int) -> None:
    path = tmp_path / "ledger.db"
    process = start_writer(path, PAIRS)
    assert process.stdout
    said = ""
    while said.count(" ") < commits:
        said += (piece := process.stdout.read(1))
        assert piece, "the writer ended by itself"
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read()
    process.wait()
    committed = set(said.split(" ")[:-1])

    ledger = SqliteLedger(path, clock=SystemClock())
    messages = {document.id for document in ledger.find(Query("messages", limit=100_000))}
    callbacks = {document.id for document in ledger.find(Query("notifications", limit=100_000))}
    last = {document.id: document.data["n"] for document in ledger.find(Query("state"))}
    assert committed <= messages
    assert messages == callbacks
    assert messages == {f"{thread}-{n}" for thread, number in last.items() for n in range(number + 1)}
    ledger.commit([Write("messages", "after", {}, MUST_BE_ABSENT)])
    assert ledger.count(Query("messages", (("status", "==", "sent"),))) == len(messages)
    ledger.close()
    assert check(path) == "ok"


def check(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def test_more_ids_than_a_statement_binds(tmp_path: Path) -> None:
    """SQLite refuses a statement with over 32 766 values (or 250 000, as Debian builds it)."""
    ledger = SqliteLedger(tmp_path / "ledger.db", clock=FakeClock())
    ledger.commit([Write("messages", "msg_139999", {"to": "+15558675310"})])
    found = ledger.get("messages", [f"msg_{number}" for number in range(300_000)])
    assert [document.id for document in found if document] == ["msg_139999"]
    assert found[139_999] is not None
