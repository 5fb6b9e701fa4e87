"""A ledger that can't be reached says so in one way (`errors.LedgerUnavailable`), whatever is behind it. It needs no emulator."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.errors import ErrorKind, LedgerUnavailable, RetrySafety
from sms_connector.local.ledger import SqliteLedger
from sms_connector.ports import MUST_BE_ABSENT, Ledger, Query, Write
from tests.fixtures.clocks import FakeClock
from tests.fixtures.emulators import free_port

PATIENCE = 0.05


@pytest.fixture
def sqlite_out_of_reach(tmp_path: Path) -> Iterator[Ledger]:
    """Somebody holds the whole file, against readers too."""
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode = WAL")
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    ledger = SqliteLedger(tmp_path / "ledger.db", clock=FakeClock(), busy_seconds=PATIENCE)
    yield ledger
    holder.close()
    assert ledger.get("messages", ["a"]) == [None], "it works as soon as it can be reached; nothing was written"
    ledger.close()


@pytest.fixture
def firestore_out_of_reach() -> Iterator[Ledger]:
    """Nobody listens there."""
    clock, environ = FakeClock(), {"FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{free_port()}"}
    connected = FirestoreLedger.connect("nobody", "sms", clock=clock, environ=environ)
    yield FirestoreLedger(lambda: connected._client, connected._database, clock=clock, read_seconds=PATIENCE)
    connected.close()


@pytest.fixture(params=["sqlite", "firestore"])
def out_of_reach(request: pytest.FixtureRequest) -> Ledger:
    ledger: Ledger = request.getfixturevalue(f"{request.param}_out_of_reach")
    return ledger


ASKED = [
    pytest.param(lambda ledger: ledger.get("messages", ["a"]), id="get"),
    pytest.param(lambda ledger: ledger.find(Query("messages", (("person", "==", "+1"),))), id="find"),
    pytest.param(lambda ledger: ledger.count(Query("messages")), id="count"),
    pytest.param(lambda ledger: ledger.commit([Write("messages", "a", {}, MUST_BE_ABSENT)]), id="create"),
    pytest.param(lambda ledger: ledger.commit([Write("messages", "a", {})]), id="write"),
    pytest.param(lambda ledger: ledger.commit([Write("messages", "a", None)]), id="delete"),
]


@pytest.mark.parametrize("ask", ASKED)
def test_whatever_is_asked_of_it(out_of_reach: Ledger, ask: Callable[[Ledger], object]) -> None:
    with pytest.raises(LedgerUnavailable) as told:
        ask(out_of_reach)
    error = told.value
    assert (error.http_status, error.rpc_status, error.kind) == (503, "UNAVAILABLE", ErrorKind.UNAVAILABLE)
    assert (error.retry, error.retry_after) == (RetrySafety.SAFE, 2.0)
    assert error.__cause__ is not None, "the log tells of what kind it was"
    assert str(error).startswith("the ledger is out of reach or too busy just now"), "and no word of the store's own"


def test_nothing_asked_needs_no_ledger(out_of_reach: Ledger) -> None:
    assert (out_of_reach.get("messages", []), out_of_reach.commit([])) == ([], [])
