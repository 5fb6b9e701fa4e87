"""What every queue promises (`ports.TaskQueue`), whatever carries it."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from sms_connector.ports import MAX_TASK_BYTES, Delivery, QueueName, Task
from tests.contract.ports.queues import QueueBench

PAYLOAD = {"campaign": "cmp_1", "block": 7, "text": "Grüße \U0001f600", "nested": [{"a": None}]}


@pytest.mark.parametrize("queue", ["chunks", "events"])
def test_a_task_arrives_as_it_was_put_at_its_function(bench: QueueBench, queue: QueueName) -> None:
    bench.put(Task(queue, "/v1/tasks:run", PAYLOAD))
    delivery = bench.worker.await_deliveries(1)[0]
    assert delivery == Delivery(Task(queue, "/v1/tasks:run", PAYLOAD), attempt=1)


def test_many_tasks_at_once_each_arrive_once(bench: QueueBench) -> None:
    bench.put(*(Task("chunks", "/run", {"n": n}) for n in range(100)))
    deliveries = bench.worker.await_deliveries(100)
    assert Counter(delivery.task.payload["n"] for delivery in deliveries) == dict.fromkeys(range(100), 1)


def test_nothing_to_put_is_nothing(bench: QueueBench) -> None:
    bench.put()
    assert bench.settle() == []


NAMES = [
    pytest.param("block-1", id="plain"),
    pytest.param("cmp_1/block 7/Grüße", id="characters Cloud Tasks doesn't allow"),
    pytest.param("x" * 600, id="longer than Cloud Tasks allows"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_delivered_once_however_often_it_is_put(bench: QueueBench, name: str) -> None:
    bench.put(Task("chunks", "/run", {"n": 1}, name), Task("chunks", "/run", {"n": 1}, name))
    bench.worker.await_deliveries(1)
    bench.put(Task("chunks", "/run", {"n": 1}, name))
    bench.put(Task("chunks", "/run", {"n": 2}, name + "?"), Task("chunks", "/run", {"n": 3}, name + "!"))
    bench.put(Task("events", "/run", {"n": 4}, name))
    bench.worker.await_deliveries(4)
    assert sorted(delivery.task.payload["n"] for delivery in bench.settle()) == [1, 2, 3, 4]


def test_a_task_waits_for_its_time(bench: QueueBench) -> None:
    due = time.time() + 0.4
    bench.put(Task("chunks", "/later", {}, not_before=due), Task("chunks", "/now", {}, not_before=due - 3600))
    deliveries = bench.worker.await_deliveries(2)
    assert [delivery.task.path for delivery in deliveries] == ["/now", "/later"]
    # The platform's schedule is exact to the microsecond, a float isn't.
    assert bench.worker.times[1] >= due - 0.001


def test_a_task_that_failed_comes_again_and_says_which_attempt_it_is(bench: QueueBench) -> None:
    bench.worker.fails = lambda delivery: delivery.attempt < 3 and delivery.task.path == "/fails"
    bench.put(Task("chunks", "/fails", {"n": 1}, "named"), Task("chunks", "/works", {}))
    bench.worker.await_deliveries(4)
    attempts = [delivery.attempt for delivery in bench.settle() if delivery.task.path == "/fails"]
    assert attempts == [1, 2, 3]


REFUSED = [
    pytest.param(Task("chunks", "/run", {"x": "x" * MAX_TASK_BYTES}), "pass references instead", id="too large"),
    pytest.param(Task("chunk", "/run", {}), "no queue 'chunk'", id="no such queue"),  # type: ignore[arg-type] # on purpose
    pytest.param(Task("chunks", "run", {}), "begins with '/'", id="no path"),
]


@pytest.mark.parametrize(("task", "message"), REFUSED)
def test_what_no_queue_takes_is_refused_before_anything_is_put(bench: QueueBench, task: Task, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bench.put(Task("chunks", "/first", {}), task)
    assert bench.settle() == []


def test_the_largest_payload_allowed_arrives(bench: QueueBench) -> None:
    payload = {"x": "x" * (MAX_TASK_BYTES - len('{"x":""}'))}
    bench.put(Task("chunks", "/run", payload, "n" * 600))
    assert bench.worker.await_deliveries(1)[0].task.payload == payload
