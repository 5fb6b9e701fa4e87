"""The adapters every contract test runs over: each port's local one, and the cloud's on an emulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.local.ledger import SqliteLedger
from tests.contract.ports.queues import QueueBench, cloud_bench, sqlite_bench
from tests.fixtures.clocks import FakeClock
from tests.fixtures.emulators import cloud_tasks_emulator

__all__ = ["cloud_tasks_emulator"]

ANY_LEDGER = ["sqlite", pytest.param("firestore", marks=pytest.mark.real)]
AnyLedger = SqliteLedger | FirestoreLedger


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sqlite_ledger(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "ledger.db", clock=clock)
    yield ledger
    ledger.close()


@pytest.fixture
def firestore_ledger(firestore_emulator: str, clock: FakeClock) -> Iterator[FirestoreLedger]:
    """An empty database on the emulator: a project of its own for each test."""
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    ledger = FirestoreLedger.connect(f"test-{uuid.uuid4().hex[:12]}", "sms", clock=clock, environ=environ)
    yield ledger
    ledger.close()


@pytest.fixture(params=ANY_LEDGER)
def ledger(request: pytest.FixtureRequest) -> AnyLedger:
    adapter: AnyLedger = request.getfixturevalue(f"{request.param}_ledger")
    return adapter


@pytest.fixture
def sqlite_queue(tmp_path: Path) -> Iterator[QueueBench]:
    with sqlite_bench(tmp_path) as bench:
        yield bench


@pytest.fixture
def cloud_queue(cloud_tasks_emulator: str) -> Iterator[QueueBench]:
    with cloud_bench(cloud_tasks_emulator) as bench:
        yield bench


@pytest.fixture(params=["sqlite", "cloud"])
def bench(request: pytest.FixtureRequest) -> QueueBench:
    adapter: QueueBench = request.getfixturevalue(f"{request.param}_queue")
    return adapter
