"""The adapters every contract test runs over: each port's local one, and the cloud's on an emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_connector.local.ledger import SqliteLedger
from sms_connector.ports import Ledger
from tests.fixtures.clocks import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite"])
def ledger(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Ledger]:
    folder: Path = request.getfixturevalue("tmp_path")
    sqlite = SqliteLedger(folder / "ledger.db", clock=clock)
    yield sqlite
    sqlite.close()
