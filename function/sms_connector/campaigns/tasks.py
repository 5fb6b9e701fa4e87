"""The durable work of a campaign: one task a chunk; workers take them in parallel, each at its node's rate."""

from __future__ import annotations

from collections.abc import Iterable

from sms_connector.ports import Task, TaskQueue

PATH = "/tasks/chunk"
AT_ONCE = 500


def enqueue_chunks(queue: TaskQueue, campaign: str, numbers: Iterable[int], *, not_before: float | None = None) -> None:
    """Delivered as `{"campaign": …, "chunk": …}`."""
    tasks = [Task("chunks", PATH, {"campaign": campaign, "chunk": number}, not_before=not_before) for number in numbers]
    for start in range(0, len(tasks), AT_ONCE):
        queue.enqueue(tasks[start : start + AT_ONCE])
