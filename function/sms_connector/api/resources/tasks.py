"""Map a task's path to the function that carries it out, for both kinds of queue.

On the platform Cloud Tasks posts to these paths (`task_routes`), and the platform admits no other caller; on one
machine the worker loop takes tasks from the file and calls the same functions (`carry_out`). A task is done when its
function returns. Whatever it raises makes the queue bring it again, later each time; nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.base import Nothing
from sms_connector.api.schemas.conversion import convert
from sms_connector.api.services import Services
from sms_connector.callbacks.callback_event import PATH as CALLBACK
from sms_connector.callbacks.event_handler import CallbackHandler
from sms_connector.campaigns.chunk_worker import Attempt, ChunkWorker
from sms_connector.campaigns.control import CHUNK_PATH as CHUNK
from sms_connector.errors import ConnectorError, RetrySafety
from sms_connector.maintenance import Maintenance
from sms_connector.notifications.delivery import PATH as ANNOUNCE
from sms_connector.notifications.delivery import NotificationDispatcher
from sms_connector.ports import MAX_TASK_BYTES, Delivery, Json
from sms_connector.tracking.schedule import PATH as MAINTENANCE_PATH

# A chunk whose provider takes nothing for the moment, or that another worker carries out.
LATER_SECONDS = 10
# "This header will be set to true": google.cloud.scheduler.v1.HttpTarget.headers. A task comes without it.
SCHEDULED = "X-CloudScheduler"

TaskFunction = Callable[[Json], None]
TaskTable = Mapping[str, TaskFunction]


class TaskLater(ConnectorError):
    """The task is not done yet: the queue has to deliver it again after LATER_SECONDS.

    409, because Cloud Tasks slows the whole queue down for 429 and 503 (google.cloud.tasks_v2.types.HttpRequest,
    "Throttling").
    """

    http_status, rpc_status, retry = 409, "ABORTED", RetrySafety.SAFE


class TaskBody(msgspec.Struct):
    """Any JSON object: each function reads its own payload."""


class ChunkBody(msgspec.Struct):
    """Which chunk of which campaign."""

    campaign: Annotated[str, Meta(min_length=1)]
    chunk: Annotated[int, Meta(ge=0)]


class NotificationBody(msgspec.Struct):
    """Which notification."""

    id: Annotated[str, Meta(min_length=1)]


def event_tasks(
    events: CallbackHandler | None, notifications: NotificationDispatcher, maintenance: Maintenance
) -> TaskTable:
    """Return the tasks of the `events` queue; callbacks only where they are received."""
    table: dict[str, TaskFunction] = {
        ANNOUNCE: lambda payload: notifications.deliver(convert(payload, NotificationBody).id),
        **maintenance_tasks(maintenance),
    }
    return table if events is None else {CALLBACK: events.handle, **table}


def maintenance_tasks(maintenance: Maintenance) -> TaskTable:
    """Return the maintenance run: planned as a task, and started each minute by a scheduler, whose request needs no
    body."""
    return {MAINTENANCE_PATH: lambda _: _run_maintenance(maintenance)}


def chunk_tasks(runner: ChunkWorker) -> TaskTable:
    """Return the tasks of the `chunks` queue."""
    return {CHUNK: lambda payload: _run_chunk(runner, payload)}


def task_routes(table: TaskTable) -> tuple[Route, ...]:
    """Return a route for each task that is delivered over HTTP."""
    return tuple(_route(path, function) for path, function in table.items())


def carry_out(table: TaskTable, delivery: Delivery) -> None:
    """Carry out a task of the local queue. Raises what its function raises."""
    table[delivery.task.path](delivery.task.payload)


def _route(path: str, function: TaskFunction) -> Route:
    def handle(_services: Services, call: ParsedRequest) -> Answer:
        try:
            function(call.document or {})
        except TaskLater:
            if SCHEDULED in call.headers:
                return Answer(Nothing())  # another run is at work, and the schedule calls again: no failed attempt
            # An answer and not an error in the log: it is not a failure.
            return Answer(Nothing(), TaskLater.http_status, {"Retry-After": str(LATER_SECONDS)})
        return Answer(Nothing())

    body = None if path == MAINTENANCE_PATH else TaskBody
    return Route("POST", path, handle, Nothing, body=body, body_limit=2 * MAX_TASK_BYTES)


def _run_chunk(runner: ChunkWorker, payload: Json) -> None:
    chunk = convert(payload, ChunkBody)
    attempt = runner.run(chunk.campaign, chunk.chunk)
    if attempt in (Attempt.AGAIN, Attempt.BUSY):
        raise TaskLater(f"the chunk is not done: {attempt}")


def _run_maintenance(maintenance: Maintenance) -> None:
    if not maintenance.run_maintenance():
        raise TaskLater("another run is under way, or its node has died and its lease has not ended")
