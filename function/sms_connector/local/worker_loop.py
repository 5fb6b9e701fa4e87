"""The local worker: takes tasks from the SQLite queue, one at a time, as Cloud Tasks would post them to a node."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from sms_connector.local.queue import Lease, SqliteQueue
from sms_connector.ports import Clock, Delivery, QueueName

Handler = Callable[[Delivery], None]
Report = Callable[[Delivery | None, BaseException], None]
Backoff = Callable[[int], float]

# A killed worker's task comes back after this; one at work renews it three times as often.
LEASE_SECONDS = 12.0
POLL_SECONDS = 0.05
# The same steps as the cloud queue's retry settings: 1 s, doubled up to 300 s.
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 300.0


def backoff(attempt: int) -> float:
    """Seconds to wait after that attempt has failed."""
    return float(min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempt - 1, 10)))


class WorkerLoop:
    """Delivers the tasks of one queue to `handler`, one at a time. A handler that raises is called again, after a
    backoff.

    `report` hears of every failure, with the delivery, or without one where the file itself failed. The handler
    runs in a thread of its own, so that the lease is renewed while it works. The process may be killed at any
    point.
    """

    def __init__(
        self,
        queue: SqliteQueue,
        name: QueueName,
        handler: Handler,
        *,
        clock: Clock,
        report: Report,
        backoff: Backoff = backoff,
    ) -> None:
        self._queue = queue
        self._name = name
        self._handler = handler
        self._clock = clock
        self._report = report
        self._backoff = backoff
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name=f"worker-{self._name}", daemon=True)
        self._thread.start()

    def stop(self, *, timeout: float | None = None) -> None:
        """Take no more tasks, and wait for the one at work (a task that takes longer comes back when its lease ends)."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout)

    def run(self) -> None:
        """Take and deliver until stopped."""
        with ThreadPoolExecutor(1, thread_name_prefix=f"task-{self._name}") as executor:
            while not self._stopping.is_set():
                try:
                    pause = self._deliver_next(executor)
                except sqlite3.Error as failure:
                    self._report(None, failure)
                    pause = FIRST_BACKOFF
                if pause:
                    self._clock.wait(self._stopping, pause)

    def _deliver_next(self, executor: ThreadPoolExecutor) -> float:
        """Deliver one task; how long to wait before the next."""
        lease = self._queue.take(self._name, seconds=LEASE_SECONDS)
        if lease is None:
            return POLL_SECONDS
        failure = self._await(lease, executor.submit(self._handler, lease.delivery))
        if failure is None:
            self._queue.done(lease)
        else:
            self._report(lease.delivery, failure)
            self._queue.retry(lease, after=self._backoff(lease.delivery.attempt))
        return 0.0

    def _await(self, lease: Lease, work: Future[None]) -> BaseException | None:
        """What the work failed with, None if it is done."""
        while not wait([work], timeout=LEASE_SECONDS / 4).done:
            self._queue.renew(lease, seconds=LEASE_SECONDS)
        return work.exception()
