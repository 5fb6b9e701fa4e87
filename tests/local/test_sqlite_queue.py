"""What is the SQLite queue's own: leases, names that come free, a worker that is killed."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_connector.local.clock import SystemClock
from sms_connector.local.queue import NAME_SECONDS, Lease, SqliteQueue
from sms_connector.local.worker_loop import Pace, WorkerLoop, backoff
from sms_connector.ports import Delivery, Task
from tests.fixtures.clocks import FakeClock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteQueue]:
    sqlite = SqliteQueue(tmp_path / "queue.db", clock=clock)
    yield sqlite
    sqlite.close()


def take(queue: SqliteQueue, seconds: float = 10) -> Lease:
    lease = queue.take("chunks", seconds=seconds)
    assert lease
    return lease


def left(path: Path) -> list[tuple[int, bool]]:
    """The attempts of each task that is not done, and whether a worker has it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT attempt, lease IS NOT NULL FROM tasks WHERE done IS NULL").fetchall()


def test_a_task_is_one_takers_until_its_lease_ends(queue: SqliteQueue, clock: FakeClock) -> None:
    queue.enqueue([Task("chunks", "/run", {"n": 1})])
    first = take(queue)
    assert queue.take("chunks", seconds=10) is None
    clock.now += 10
    second = take(queue)
    assert second.delivery == Delivery(first.delivery.task, attempt=2)


def test_who_lost_the_lease_changes_nothing(queue: SqliteQueue, clock: FakeClock, tmp_path: Path) -> None:
    queue.enqueue([Task("chunks", "/run", {"n": 1})])
    slow = take(queue)
    clock.now += 10
    quick = take(queue)
    assert not queue.renew(slow, seconds=1000)
    assert not queue.retry(slow, after=0)
    assert not queue.done(slow)
    assert queue.done(quick)
    assert left(tmp_path / "queue.db") == []


def test_a_renewed_lease_holds_on(queue: SqliteQueue, clock: FakeClock) -> None:
    queue.enqueue([Task("chunks", "/run", {})])
    lease = take(queue)
    clock.now += 9
    assert queue.renew(lease, seconds=10)
    clock.now += 9
    assert queue.take("chunks", seconds=10) is None
    assert queue.done(lease)


def test_a_task_given_back_waits(queue: SqliteQueue, clock: FakeClock) -> None:
    queue.enqueue([Task("chunks", "/run", {})])
    queue.retry(take(queue), after=5)
    assert queue.take("chunks", seconds=10) is None
    clock.now += 5
    assert take(queue).delivery.attempt == 2


def test_the_longest_due_comes_first_and_queues_are_apart(queue: SqliteQueue, clock: FakeClock) -> None:
    queue.enqueue([Task("chunks", "/later", {}, not_before=clock.now + 5), Task("events", "/event", {})])
    clock.now += 1
    queue.enqueue([Task("chunks", "/now", {})])
    clock.now += 10
    assert [take(queue).delivery.task.path for _ in range(2)] == ["/now", "/later"]
    assert queue.take("chunks", seconds=10) is None


def test_a_name_comes_free_after_its_time(queue: SqliteQueue, clock: FakeClock) -> None:
    named = Task("chunks", "/run", {}, "block-1")
    queue.enqueue([named])
    queue.done(take(queue))
    clock.now += NAME_SECONDS - 1
    queue.enqueue([named])
    assert queue.take("chunks", seconds=10) is None
    clock.now += 60
    queue.enqueue([Task("events", "/any", {})])
    queue.enqueue([named])
    assert take(queue).delivery.task == named


def test_what_was_done_keeps_no_payload(queue: SqliteQueue, tmp_path: Path) -> None:
    queue.enqueue([Task("chunks", "/run", {"secret": 1}, "named")])
    queue.done(take(queue))
    connection = sqlite3.connect(tmp_path / "queue.db")
    assert connection.execute("SELECT payload FROM tasks").fetchall() == [("",)]
    connection.close()


def test_no_two_takers_get_the_same(queue: SqliteQueue) -> None:
    queue.enqueue([Task("chunks", "/run", {"n": n}) for n in range(100)])
    taken: list[int] = []

    def work() -> None:
        while lease := queue.take("chunks", seconds=10):
            taken.append(lease.delivery.task.payload["n"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(100))


KILLED = """
import sys, os, signal
sys.path.insert(0, {function!r})
from sms_connector.local.clock import SystemClock
from sms_connector.local.queue import SqliteQueue
from sms_connector.ports import Task

queue = SqliteQueue({path!r}, clock=SystemClock())
queue.enqueue([Task("chunks", "/run", {{"n": n}}) for n in range(3)])
queue.done(queue.take("chunks", seconds=60))
queue.take("chunks", seconds=60)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_worker_had_taken_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    code = KILLED.format(function=str(ROOT / "function"), path=str(path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    clock = FakeClock(SystemClock().time())
    queue = SqliteQueue(path, clock=clock)
    assert sorted(left(path)) == [(0, False), (1, True)]
    untouched = take(queue)
    assert (untouched.delivery.task.payload, untouched.delivery.attempt) == ({"n": 2}, 1)
    clock.now += 61
    comes_back = [take(queue).delivery for _ in range(2)]
    assert {(delivery.task.payload["n"], delivery.attempt) for delivery in comes_back} == {(1, 2), (2, 2)}
    queue.close()


# --- the worker loop --------------------------------------------------------------------------------------------------


def test_a_long_task_keeps_its_lease_and_stopping_waits_for_it(tmp_path: Path) -> None:
    clock = SystemClock()
    queue = SqliteQueue(tmp_path / "queue.db", clock=clock)
    queue.enqueue([Task("chunks", "/run", {})])
    begun, finish, deliveries = threading.Event(), threading.Event(), []

    def carry_out(delivery: Delivery) -> None:
        deliveries.append(delivery)
        begun.set()
        finish.wait()

    pace = Pace(lease=0.2, poll=0.01)
    loops = [WorkerLoop(queue, "chunks", carry_out, clock=clock, report=lambda *_: None, pace=pace) for _ in range(2)]
    for loop in loops:
        loop.start()
    begun.wait()
    clock.sleep(0.6)  # three leases: without renewal the other loop would have taken it
    finish.set()
    for loop in loops:
        loop.stop()
    assert [delivery.attempt for delivery in deliveries] == [1]
    assert left(tmp_path / "queue.db") == []
    queue.close()


def test_a_failure_is_reported_with_its_delivery(tmp_path: Path) -> None:
    clock = SystemClock()
    queue = SqliteQueue(tmp_path / "queue.db", clock=clock)
    queue.enqueue([Task("chunks", "/run", {"n": 1})])
    heard: list[tuple[Delivery | None, BaseException]] = []
    reported = threading.Event()

    def report(delivery: Delivery | None, failure: BaseException) -> None:
        heard.append((delivery, failure))
        reported.set()

    def fail(delivery: Delivery) -> None:
        raise LookupError("no such campaign")

    loop = WorkerLoop(queue, "chunks", fail, clock=clock, report=report, pace=Pace(backoff=lambda _: 60.0))
    loop.start()
    reported.wait(10)
    loop.stop()
    assert [(delivery and delivery.task.payload, type(failure)) for delivery, failure in heard] == [
        ({"n": 1}, LookupError)
    ]
    assert left(tmp_path / "queue.db") == [(1, False)]
    queue.close()


BACKOFFS = [(1, 1.0), (2, 2.0), (3, 4.0), (9, 256.0), (10, 300.0), (100_000, 300.0)]


@pytest.mark.parametrize(("attempt", "seconds"), BACKOFFS)
def test_backoff(attempt: int, seconds: float) -> None:
    assert backoff(attempt) == seconds
