"""When the next round of the ticker is due. Named tasks: however many nodes plan the same second, one task is made."""

from __future__ import annotations

from contextlib import suppress
from math import ceil

from sms_connector.errors import QueueUnavailable
from sms_connector.ports import Clock, Task, TaskQueue

PATH = "/tasks/tick"
# A round is never planned for the present second, nor relied on then: by a clock that is ahead of ours it may have been already.
LEAST_PAUSE = 1.0
# Cloud Tasks takes no task for more than 30 days ahead (https://cloud.google.com/tasks/docs/quotas). A round in which nothing is due
# plans the next one.
LONGEST_PAUSE = 20 * 86_400.0


class TickPlanner:
    """Makes sure that a round comes; does nothing where there is no queue."""

    def __init__(self, queue: TaskQueue | None, *, connection: str, clock: Clock) -> None:
        self._queue = queue
        self._connection = connection
        self._clock = clock
        self._planned = 0

    def plan(self, due: float) -> None:
        """A round at `due` (epoch seconds), or within a second after; sooner where that is far away. Raises what the queue raises."""
        now = self._clock.time()
        slot = ceil(min(max(due, now + LEAST_PAUSE), now + LONGEST_PAUSE))
        if self._queue is None or now + LEAST_PAUSE < self._planned <= slot:
            return  # an earlier round is coming; it plans what follows
        name = f"{self._connection}-tick-{slot}"
        self._queue.enqueue([Task("events", PATH, {"at": slot}, name=name, not_before=slot)])
        self._planned = slot

    def try_plan(self, due: float) -> None:
        """The same where a queue out of reach must stop nothing: whatever happens next plans again."""
        with suppress(QueueUnavailable):
            self.plan(due)
