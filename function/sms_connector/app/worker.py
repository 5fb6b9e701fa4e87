"""The `worker` function: chunks of campaigns, one at a time. On one machine it takes its tasks from the queue's file
itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

import flask
import msgspec

from sms_connector.api.dispatcher import serve as serve_routes
from sms_connector.api.handler import Handle, log_failure
from sms_connector.api.resources.health import ROUTES as HEALTH
from sms_connector.api.resources.tasks import (
    TaskLater,
    TaskTable,
    carry_out,
    chunk_tasks,
    maintenance_tasks,
    task_routes,
)
from sms_connector.app.adapters import make_log
from sms_connector.app.connector import make_event_tasks
from sms_connector.app.container import Node, make_services, start
from sms_connector.errors import StartError
from sms_connector.local.queue import SqliteQueue
from sms_connector.local.worker_loop import MinuteTimer, WorkerLoop
from sms_connector.ports import Clock, Delivery, QueueName
from sms_connector.settings import QUEUE_FORMS
from sms_connector.structured_log import StructuredLog
from sms_connector.tracking.schedule import PATH as MAINTENANCE

# On one machine a worker carries out one chunk at a time, as on the platform, and events beside it, as the connector
# would.
LOOPS: tuple[QueueName, ...] = ("chunks", "events", "events")


def serve(environ: Mapping[str, str]) -> Handle:
    """Build the HTTP function. Raises StartError listing every problem; a worker without a queue has nothing to do."""
    node = start(environ)
    if node.queue is None:
        problem = "SMS_QUEUE is missing: looked in the environment; the worker takes its tasks from it; set it to "
        raise StartError([problem + QUEUE_FORMS])
    return build_worker(node)


def build_worker(node: Node) -> Handle:
    chunks = chunk_tasks(node.engine.runner)
    served = {**chunks, **maintenance_tasks(node.engine.maintenance)}
    handle = serve_routes(make_services(node), (*HEALTH, *task_routes(served)))
    if not isinstance(node.queue, SqliteQueue):
        return handle
    loops = Loops(node.queue, {**chunks, **make_event_tasks(node)}, node.clock, make_log(node.settings))
    os.register_at_fork(after_in_child=loops.start)
    return partial(_handle_beside, loops, handle)


class Loops(msgspec.Struct):
    """The threads that take tasks from the file, in the process that serves: a server may fork after it has loaded us,
    and threads don't come along."""

    queue: SqliteQueue
    table: TaskTable
    clock: Clock
    log: StructuredLog
    running_in: int = 0

    def start(self) -> None:
        if self.running_in == os.getpid():
            return
        self.running_in = os.getpid()
        for name in LOOPS:
            handler = partial(carry_out, self.table)
            WorkerLoop(self.queue, name, handler, clock=self.clock, report=self.report).start()
        if MAINTENANCE in self.table:
            MinuteTimer(self.maintain, clock=self.clock, report=self.report).start()

    def maintain(self) -> None:
        """Start a maintenance run each minute, as Cloud Scheduler does on the platform."""
        self.table[MAINTENANCE]({})

    def report(self, delivery: Delivery | None, failure: BaseException) -> None:
        if isinstance(failure, TaskLater):
            return
        task = {"task": delivery.task.path, "attempt": delivery.attempt} if delivery is not None else {}
        log_failure(self.log, "task failed", failure, **task)


def _handle_beside(loops: Loops, handle: Handle, request: flask.Request) -> flask.Response:
    loops.start()
    return handle(request)
