"""The counter of billed operations counts as Firestore bills."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.local.ledger import SqliteLedger
from sms_connector.ports import MUST_BE_ABSENT, Query, Write
from tests.fixtures.clocks import FakeClock
from tests.fixtures.counting_ledger import CountingLedger, Operations


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[CountingLedger]:
    sqlite = SqliteLedger(tmp_path / "ledger.db", clock=FakeClock())
    sqlite.commit([Write("messages", name, {"person": "+1"}) for name in "abc"])
    yield CountingLedger(sqlite)
    sqlite.close()


OURS = Query("messages", (("person", "==", "+1"),))
BILLED: list[tuple[Callable[[CountingLedger], object], Operations, str]] = [
    (
        lambda ledger: ledger.get("messages", ["a", "nobody", "a"]),
        Operations(reads=2),
        "absent ones cost, repeated ones not",
    ),
    (lambda ledger: ledger.get("messages", []), Operations(), "nothing asked for"),
    (lambda ledger: ledger.find(OURS), Operations(reads=3), "each document found"),
    (lambda ledger: ledger.find(replace(OURS, limit=2)), Operations(reads=2), "not those past the limit"),
    (
        lambda ledger: ledger.find(Query("messages", (("person", "==", "+2"),))),
        Operations(reads=1),
        "finding none costs one",
    ),
    (lambda ledger: ledger.count(OURS), Operations(reads=1), "up to 1 000 counted cost one"),
    (
        lambda ledger: ledger.commit(
            [Write("messages", "a", None), Write("messages", "d", {}), Write("state", "e", {})]
        ),
        Operations(writes=2, deletes=1),
        "each document written or deleted",
    ),
]


@pytest.mark.parametrize(("act", "billed"), [row[:2] for row in BILLED], ids=[row[2] for row in BILLED])
def test_what_is_billed(ledger: CountingLedger, act: Callable[[CountingLedger], object], billed: Operations) -> None:
    act(ledger)
    assert ledger.operations == billed


def test_a_refused_commit_writes_nothing(ledger: CountingLedger) -> None:
    with pytest.raises(Conflict):
        ledger.commit([Write("messages", "a", {}, MUST_BE_ABSENT)])
    assert ledger.operations == Operations()


def test_what_it_costs() -> None:
    assert (Operations(reads=200_000, writes=100_000) - Operations(reads=100_000)).dollars == pytest.approx(0.03 + 0.09)
