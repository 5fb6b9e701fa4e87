"""When the next maintenance run is wanted, to the second. Named tasks: however many nodes plan the same second, one task is made.

An improvement only: a run that is not planned, or whose task is lost, is made up for by the one that a scheduler starts each minute.
"""

from __future__ import annotations

from contextlib import suppress
from math import ceil

from sms_connector.errors import QueueUnavailable
from sms_connector.ports import Clock, Task, TaskQueue

PATH = "/tasks/maintenance"
# A run is never planned for the present second: by a clock that is ahead of ours it may have been already.
LEAST_PAUSE = 1.0
# Cloud Tasks takes no task for more than 30 days ahead (https://cloud.google.com/tasks/docs/quotas). A run in which nothing is due
# plans the next one.
LONGEST_PAUSE = 20 * 86_400.0


class MaintenanceSchedule:
    """Plans a run; does nothing where there is no queue."""

    def __init__(self, queue: TaskQueue | None, *, connection: str, clock: Clock) -> None:
        self._queue = queue
        self._connection = connection
        self._clock = clock
        self._planned = 0

    def plan(self, due: float) -> None:
        """Plan a run at `due` (epoch seconds), or within a second after; sooner where that is far away. A queue out of reach stops
        nothing."""
        now = self._clock.time()
        slot = ceil(min(max(due, now + LEAST_PAUSE), now + LONGEST_PAUSE))
        if self._queue is None or now + LEAST_PAUSE < self._planned <= slot:
            return  # an earlier run is coming; it plans what follows
        name = f"{self._connection}-tick-{slot}"
        with suppress(QueueUnavailable):
            self._queue.enqueue([Task("events", PATH, {"at": slot}, name=name, not_before=slot)])
            self._planned = slot
