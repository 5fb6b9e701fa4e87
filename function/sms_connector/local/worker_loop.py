"""The local worker: takes tasks from the SQLite queue, one at a time, as Cloud Tasks would post them to a node."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import msgspec

from sms_connector.local.queue import Lease, SqliteQueue
from sms_connector.ports import Clock, Delivery, QueueName

Handler = Callable[[Delivery], None]
MINUTE = 60.0
Report = Callable[[Delivery | None, BaseException], None]


def backoff(attempt: int) -> float:
    """Return seconds to wait after that attempt has failed: as infrastructure tells Cloud Tasks, 1 s doubled up to 300
    s."""
    return float(min(300.0, 2.0 ** min(attempt - 1, 20)))


class Pace(msgspec.Struct, frozen=True):
    """A killed worker's task comes back after `lease` seconds; one at work renews it four times as often."""

    lease: float = 12.0
    poll: float = 0.05
    backoff: Callable[[int], float] = backoff


DEFAULT_PACE = Pace()


class WorkerLoop(msgspec.Struct):
    """Delivers the tasks of one queue to `handler`, one at a time. A handler that raises is called again, after a
    backoff.

    `report` is called for every failure, with the delivery, or without one where the file itself failed. The handler
    runs in a thread of its own, so that the lease is renewed while it works. The process may be killed at any point.
    """

    queue: SqliteQueue
    name: QueueName
    handler: Handler
    clock: Clock
    report: Report
    pace: Pace = DEFAULT_PACE
    stopping: threading.Event = msgspec.field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self.run, name=f"worker-{self.name}", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Take no more tasks, and wait for the one at work."""
        self.stopping.set()
        if self.thread:
            self.thread.join()

    def run(self) -> None:
        """Take and deliver until stopped."""
        with ThreadPoolExecutor(1, thread_name_prefix=f"task-{self.name}") as executor:
            while not self.stopping.is_set():
                try:
                    pause = self._deliver_next(executor)
                except sqlite3.Error as failure:
                    self.report(None, failure)
                    pause = self.pace.backoff(1)
                if pause:
                    self.clock.wait(self.stopping, pause)

    def _deliver_next(self, executor: ThreadPoolExecutor) -> float:
        """Deliver one task; return how long to wait before the next."""
        lease = self.queue.take(self.name, seconds=self.pace.lease)
        if lease is None:
            return self.pace.poll
        failure = self._await(lease, executor.submit(self.handler, lease.delivery))
        if failure is None:
            self.queue.done(lease)
        else:
            self.report(lease.delivery, failure)
            self.queue.retry(lease, after=self.pace.backoff(lease.delivery.attempt))
        return 0.0

    def _await(self, lease: Lease, work: Future[None]) -> BaseException | None:
        """Return what the work failed with, None if it is done."""
        while not wait([work], timeout=self.pace.lease / 4).done:
            self.queue.renew(lease, seconds=self.pace.lease)
        return work.exception()


class MinuteTimer(msgspec.Struct):
    """Does something at its start, so that a process that is often killed gets there, and then each minute of the
    clock.

    `report` is called for every failure; the next minute comes all the same.
    """

    work: Callable[[], None]
    clock: Clock
    report: Report
    stopping: threading.Event = msgspec.field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self.run, name="each-minute", daemon=True).start()

    def run(self) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="minute") as executor:
            while not self.stopping.is_set():
                failure = executor.submit(self.work).exception()
                if failure is not None:
                    self.report(None, failure)
                self.clock.wait(self.stopping, MINUTE)
