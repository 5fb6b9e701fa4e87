"""One round is planned for whatever is due first, however many ask; and no node relies on one that may have been already."""

from __future__ import annotations

import pytest

from sms_connector.tracking.schedule import MaintenanceSchedule
from tests.fixtures.clocks import FakeClock
from tests.fixtures.list_queue import ListQueue

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("then", "due", "planned"),
    [
        pytest.param(0.0, 30.0, [10.0], id="an earlier one is coming: it plans what follows"),
        pytest.param(0.0, 4.2, [10.0, 5.0], id="what is due sooner has its own"),
        pytest.param(0.0, 0.0, [10.0, 1.0], id="never the present second"),
        pytest.param(10.0, 30.0, [10.0, 30.0], id="that one has been"),
        pytest.param(9.6, 30.0, [10.0, 30.0], id="by another clock it may have been"),
        pytest.param(8.9, 30.0, [10.0], id="by no clock it can have been"),
        pytest.param(10.0, 10.0 + 35 * DAY, [10.0, 10.0 + 20 * DAY], id="no further ahead than a queue takes"),
    ],
)
def test_rounds(then: float, due: float, planned: list[float]) -> None:
    clock, queue = FakeClock(NOW), ListQueue()
    planner = MaintenanceSchedule(queue, connection="sms", clock=clock)
    planner.plan(NOW + 10.0)
    clock.now = NOW + then
    planner.plan(NOW + due)
    assert [(task.not_before or 0.0) - NOW for task in queue.tasks] == planned
