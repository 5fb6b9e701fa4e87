"""Plan the next maintenance run, to the second. Tasks are named: however many nodes plan the same second, one task is
made.

Only an improvement: the run that a scheduler starts each minute makes up for one that is not planned or whose task is
lost.
"""

from __future__ import annotations

from contextlib import suppress
from math import ceil

import msgspec

from sms_connector.errors import QueueUnavailable
from sms_connector.ports import Clock, Task, TaskQueue

PATH = "/tasks/maintenance"
# Never plan for the present second: by a clock ahead of ours it may have passed already.
LEAST_PAUSE = 1.0
# Cloud Tasks takes no task for more than 30 days ahead (https://cloud.google.com/tasks/docs/quotas). A run in which
# nothing is due plans the next one.
LONGEST_PAUSE = 20 * 86_400.0


class MaintenanceSchedule(msgspec.Struct):
    """Plans runs; does nothing without a queue."""

    queue: TaskQueue | None
    connection: str
    clock: Clock
    _planned: int = 0

    def plan(self, due: float) -> None:
        """Plan a run at `due` (epoch seconds), or within a second after; sooner if that is far away. A queue out of
        reach is ignored."""
        now = self.clock.time()
        slot = ceil(min(max(due, now + LEAST_PAUSE), now + LONGEST_PAUSE))
        if self.queue is None or now + LEAST_PAUSE < self._planned <= slot:
            return  # an earlier run is coming; it plans what follows
        name = f"{self.connection}-maintenance-{slot}"
        with suppress(QueueUnavailable):
            self.queue.enqueue([Task("events", PATH, {"at": slot}, name=name, not_before=slot)])
            self._planned = slot
