"""The emulated queue slows down as the real one does, so that an answer which slows it is seen in a test."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator

import pytest
from google.cloud import tasks_v2

from sms_connector.api.resources.tasks import TaskLater
from tests.fixtures.cloud_tasks_emulator import FIRST_INTERVAL, EmulatedQueue
from tests.fixtures.functions import Received, answering

QUEUE = "projects/demo-project/locations/us-central1/queues/q"


@contextlib.contextmanager
def emulated() -> Iterator[EmulatedQueue]:
    retries = tasks_v2.RetryConfig(max_attempts=-1, min_backoff={"nanos": 100_000_000}, max_backoff={"seconds": 1})
    one = tasks_v2.RateLimits(max_concurrent_dispatches=1)
    config = tasks_v2.Queue(name=QUEUE, rate_limits=one, retry_config=retries)
    emulator = EmulatedQueue(config, lambda _oidc: None, None)
    emulator.start()
    yield emulator
    emulator.close()


def task(url: str) -> tasks_v2.Task:
    return tasks_v2.Task(name=f"{QUEUE}/tasks/{url.rpartition('/')[2]}", http_request={"url": url})


@pytest.mark.parametrize(
    ("status", "slowed", "why"),
    [
        (503, True, "overloaded, as Google takes it"),
        (429, True, "as above"),
        (TaskLater("not yet").http_status, False, "how our functions say that a task is not done yet"),
        (500, False, "one error"),
    ],
)
def test_answers_that_slow_the_whole_queue(status: int, slowed: bool, why: str) -> None:
    arrived: queue.Queue[tuple[str, float]] = queue.Queue()

    def answer(request: Received) -> int:
        arrived.put((request.path, time.monotonic()))
        return status if request.path == "/first" else 204

    with answering(answer) as address, emulated() as emulator:
        emulator.add(task(f"{address}/first"))
        path, refused = arrived.get(timeout=30)
        assert path == "/first"
        emulator.settled()
        assert (emulator.interval > 0) is slowed, why
        emulator.add(task(f"{address}/second"))
        while path == "/first":
            path, at = arrived.get(timeout=30)
        assert not slowed or at - refused >= FIRST_INTERVAL, "what has nothing to do with it waits too"


def test_a_slowed_queue_recovers() -> None:
    answers = iter([503, *[204] * 10])
    with answering(lambda _: next(answers)) as address, emulated() as emulator:
        for number in range(6):
            emulator.add(task(f"{address}/{number}"))
        while emulator.known:
            time.sleep(0.05)
        assert emulator.interval == 0.0
