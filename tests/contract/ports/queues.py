"""The two queues with their other ends, as one thing for the contract: tasks put in, deliveries kept."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

from google.cloud import tasks_v2

from sms_connector.cloud.queue import CloudTasksQueue, Target
from sms_connector.local.clock import SystemClock
from sms_connector.local.queue import SqliteQueue
from sms_connector.local.worker_loop import Pace, WorkerLoop
from sms_connector.ports import Delivery, QueueName, Task, TaskQueue
from tests.fixtures.functions import Received, answering

PATIENCE_SECONDS = 20.0


class Worker:
    """Carries out deliveries: keeps them, and fails those that `fails` says so of."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.times: list[float] = []
        self.fails: Callable[[Delivery], bool] = lambda delivery: False
        self._arrived = threading.Condition()

    def carry_out(self, delivery: Delivery) -> None:
        with self._arrived:
            self.deliveries.append(delivery)
            self.times.append(time.time())
            self._arrived.notify_all()
        if self.fails(delivery):
            raise RuntimeError("told to fail")

    def await_deliveries(self, number: int) -> list[Delivery]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.deliveries) >= number, PATIENCE_SECONDS), self.deliveries
            return list(self.deliveries)


class QueueBench:
    """A queue and the worker it delivers to."""

    def __init__(self, queue: TaskQueue, worker: Worker) -> None:
        self.queue = queue
        self.worker = worker

    def put(self, *tasks: Task) -> None:
        self.queue.enqueue(tasks)

    def settle(self) -> list[Delivery]:
        """Everything delivered by the time that a last task of each queue has been."""
        before = len(self.worker.deliveries)
        self.put(*(Task(name, "/last", {}) for name in get_args(QueueName)))
        while sum(delivery.task.path == "/last" for delivery in self.worker.deliveries) < len(get_args(QueueName)):
            before = len(self.worker.await_deliveries(before + 1))
        return [delivery for delivery in self.worker.deliveries if delivery.task.path != "/last"]


@contextlib.contextmanager
def sqlite_bench(folder: Path) -> Iterator[QueueBench]:
    """The file, and a worker loop for each queue."""
    clock = SystemClock()
    queue = SqliteQueue(folder / "queue.db", clock=clock)
    worker = Worker()
    loops = [
        WorkerLoop(
            queue,
            name,
            worker.carry_out,
            clock=clock,
            report=lambda delivery, failure: None,
            pace=Pace(backoff=lambda _: 0.1),
        )
        for name in get_args(QueueName)
    ]
    for loop in loops:
        loop.start()
    yield QueueBench(queue, worker)
    for loop in loops:
        loop.stop()
    queue.close()


@contextlib.contextmanager
def cloud_bench(emulator: str) -> Iterator[QueueBench]:
    """Cloud Tasks posting to an HTTP server; the two functions are told apart by where they listen."""
    worker = Worker()
    project = f"test-{uuid.uuid4().hex[:12]}"

    def function(name: QueueName) -> Callable[[Received], int]:
        def answer(received: Received) -> int:
            attempt = int(received.headers["X-CloudTasks-TaskRetryCount"]) + 1
            try:
                worker.carry_out(Delivery(Task(name, received.path, received.payload), attempt))
            except RuntimeError:
                return 500
            return 204

        return answer

    with answering(function("chunks")) as worker_url, answering(function("events")) as connector_url:
        target = Target(project, "europe-west1", "sms", worker_url, connector_url, "tasks@example.com")
        queue = CloudTasksQueue.connect(target, environ={"CLOUD_TASKS_EMULATOR_HOST": emulator})
        for name in get_args(QueueName):
            make_queue(queue, target.queue(name))
        yield QueueBench(queue, worker)
        queue.close()


def make_queue(queue: CloudTasksQueue, name: str) -> None:
    """As infrastructure would."""
    retries = tasks_v2.RetryConfig(max_attempts=-1, min_backoff={"nanos": 100_000_000}, max_backoff={"seconds": 1})
    queue._client.create_queue(
        parent=name.rpartition("/queues/")[0], queue=tasks_v2.Queue(name=name, retry_config=retries)
    )
