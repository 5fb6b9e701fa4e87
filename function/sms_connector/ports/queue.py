"""Durable work: put here, carried out at least once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import msgspec

from sms_connector.ports.ledger import Json

QueueName = Literal["chunks", "events"]
# Cloud Tasks holds 100 KB of a task with everything around the body (cloud.google.com/tasks/docs/quotas).
MAX_TASK_BYTES = 96_000


class Task(msgspec.Struct, frozen=True):
    """One piece of durable work, delivered at least once as a POST of `payload` to `path` of the queue's function.

    `chunks` goes to `worker`, `events` to `connector`. `name` de-duplicates: a second task of the same name is
    dropped silently, for an hour at least after the first was done. `not_before` is epoch seconds. The payload
    carries references, never records: at most MAX_TASK_BYTES of JSON.
    """

    queue: QueueName
    path: str
    payload: Json
    name: str | None = None
    not_before: float | None = None


class TaskQueue(Protocol):
    """Where durable work is put. Delivery is at least once, in no particular order, with backoff until it is done."""

    def enqueue(self, tasks: Sequence[Task]) -> None:
        """Put tasks durably. Raises `errors.QueueUnavailable` where some or all may not have been put: put them again,
        named ones fall together.

        Raises ValueError for a payload over MAX_TASK_BYTES or a queue that isn't there (`check_task`).
        """


class Delivery(msgspec.Struct, frozen=True):
    """A task as it arrives. `attempt` counts from 1; more: an earlier one failed, or its worker was lost."""

    task: Task
    attempt: int


def check_task(task: Task, *, size: int) -> None:
    """Refuse (ValueError) what no queue takes; `size` is the payload's, in bytes of JSON."""
    if task.queue not in get_args(QueueName):
        raise ValueError(f"no queue {task.queue!r}; there are {', '.join(get_args(QueueName))}")
    if not task.path.startswith("/"):
        raise ValueError(f"the path of a task begins with '/': {task.path!r}")
    if size > MAX_TASK_BYTES:
        raise ValueError(
            f"a payload for {task.path} has {size} bytes; at most {MAX_TASK_BYTES}: pass references instead"
        )
