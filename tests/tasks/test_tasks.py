"""What the queue calls: every task over HTTP and from the file, done when its function returns, again when it doesn't."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import flask
import pytest
from werkzeug.routing import Rule
from werkzeug.test import Client

from sms_connector.api.dispatcher import ROUTES, serve
from sms_connector.api.resources.health import ROUTES as HEALTH
from sms_connector.api.resources.tasks import TaskLater, carry_out, chunk_tasks, event_tasks, task_routes
from sms_connector.api.services import ConnectionProfile, Services
from sms_connector.callbacks.event_handler import CallbackHandler
from sms_connector.campaigns.chunk_worker import Attempt, ChunkWorker
from sms_connector.errors import InvalidRequest, LedgerUnavailable
from sms_connector.maintenance import Maintenance
from sms_connector.notifications.delivery import NotificationDispatcher
from sms_connector.ports import Delivery, Json, Task
from sms_connector.provider import Capabilities
from sms_connector.structured_log import StructuredLog
from tests.fixtures.engine_double import EngineDouble


class StoreOut(Exception):
    """A ledger's own error, holding what nobody should read: +15558675310."""


@dataclass
class Functions:
    """What tasks lead to. `attempt` is the runner's answer, `failure` is raised by whatever is called next."""

    called: list[tuple[Any, ...]] = field(default_factory=list)
    attempt: Attempt = Attempt.SENT
    failure: Exception | None = None
    held: bool = False

    def note(self, *call: Any) -> None:
        self.called.append(call)
        if self.failure is not None:
            raise self.failure

    def handle(self, payload: Json) -> None:
        self.note("handle", payload)

    def deliver(self, id_: str) -> None:
        self.note("deliver", id_)

    def run_maintenance(self) -> bool:
        self.note("maintenance")
        return not self.held

    def run(self, campaign: str, chunk: int) -> Attempt:
        self.note("run", campaign, chunk)
        return self.attempt

    @property
    def table(self) -> dict[str, Callable[[Json], None]]:
        events = event_tasks(cast(CallbackHandler, self), cast(NotificationDispatcher, self), cast(Maintenance, self))
        return {**events, **chunk_tasks(cast(ChunkWorker, self))}


@dataclass
class Worker:
    """The functions behind HTTP."""

    functions: Functions = field(default_factory=Functions)
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def client(self) -> Client:
        double = EngineDouble()
        log = StructuredLog("sms", stream=self.log)
        profile = ConnectionProfile("sms", "twilio")
        services = Services(double.engine, profile, Capabilities(), log, double.notifications)
        handle = serve(services, (*HEALTH, *task_routes(self.functions.table)))
        app = flask.Flask("worker")
        app.url_map.add(Rule("/<path:path>", endpoint="run"))
        app.view_functions["run"] = lambda path: handle(flask.request)
        return app.test_client()

    def severities(self) -> set[str]:
        return {json.loads(line)["severity"] for line in self.log.getvalue().splitlines()}


@pytest.fixture
def worker() -> Worker:
    return Worker()


TASKS = [
    pytest.param("/tasks/callback", {"kind": "status"}, ("handle", {"kind": "status"}), id="callback"),
    pytest.param("/tasks/notification", {"id": "cb_1"}, ("deliver", "cb_1"), id="notification"),
    pytest.param("/tasks/maintenance", {"at": 1}, ("maintenance",), id="maintenance"),
    pytest.param("/tasks/chunk", {"campaign": "cmp_1", "chunk": 0}, ("run", "cmp_1", 0), id="chunk"),
]


@pytest.mark.parametrize(("path", "payload", "call"), TASKS)
def test_a_task_over_http(worker: Worker, path: str, payload: Json, call: tuple[Any, ...]) -> None:
    assert worker.client.post(path, json=payload).status_code == 200
    assert worker.functions.called == [call]


@pytest.mark.parametrize(("path", "payload", "call"), TASKS)
def test_the_same_task_from_the_file(worker: Worker, path: str, payload: Json, call: tuple[Any, ...]) -> None:
    carry_out(worker.functions.table, Delivery(Task("events", path, payload), 1))
    assert worker.functions.called == [call]


@pytest.mark.parametrize(("path", "payload", "call"), TASKS)
def test_what_fails_comes_again_and_is_told_without_its_content(
    worker: Worker, path: str, payload: Json, call: tuple[Any, ...]
) -> None:
    worker.functions.failure = StoreOut("+15558675310 could not be written")
    assert worker.client.post(path, json=payload).status_code == 500
    assert "StoreOut" in worker.log.getvalue()
    assert "5558675310" not in worker.log.getvalue()
    with pytest.raises(StoreOut):
        carry_out(worker.functions.table, Delivery(Task("events", path, payload), 1))


@pytest.mark.parametrize(("path", "payload", "call"), TASKS)
def test_a_ledger_out_of_reach_brings_the_task_again_and_is_one_line(
    worker: Worker, path: str, payload: Json, call: tuple[Any, ...]
) -> None:
    worker.functions.failure = LedgerUnavailable()
    answer = worker.client.post(path, json=payload)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert worker.severities() == {"WARNING", "INFO"}
    assert "ledger_unavailable" in worker.log.getvalue()
    assert "stack" not in worker.log.getvalue()
    with pytest.raises(LedgerUnavailable):
        carry_out(worker.functions.table, Delivery(Task("events", path, payload), 1))


@pytest.mark.parametrize(
    ("attempt", "status"),
    [(Attempt.SENT, 200), (Attempt.STOPPED, 200), (Attempt.BUSY, 409), (Attempt.AGAIN, 409)],
    ids=str,
)
def test_a_chunk_that_is_not_done_comes_again_without_an_alarm(worker: Worker, attempt: Attempt, status: int) -> None:
    worker.functions.attempt = attempt
    answer = worker.client.post("/tasks/chunk", json={"campaign": "cmp_1", "chunk": 7})
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 409)
    assert worker.severities() == {"INFO"}
    if status == 409:
        with pytest.raises(TaskLater):
            carry_out(
                worker.functions.table, Delivery(Task("chunks", "/tasks/chunk", {"campaign": "cmp_1", "chunk": 7}), 1)
            )


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        pytest.param("/tasks/notification", {}, id="no id"),
        pytest.param("/tasks/notification", {"id": 1}, id="a number for an id"),
        pytest.param("/tasks/notification", {"id": ""}, id="an empty id"),
        pytest.param("/tasks/chunk", {"campaign": "cmp_1"}, id="no chunk"),
        pytest.param("/tasks/chunk", {"campaign": "cmp_1", "chunk": "0"}, id="a text for a number"),
        pytest.param("/tasks/chunk", {"campaign": "cmp_1", "chunk": True}, id="a truth for a number"),
        pytest.param("/tasks/chunk", {"campaign": "cmp_1", "chunk": -1}, id="a negative chunk"),
    ],
)
def test_a_payload_that_is_none_of_ours_stays_in_the_queue(worker: Worker, path: str, payload: Json) -> None:
    """Nothing is dropped: what always fails shows in the backlog."""
    assert worker.client.post(path, json=payload).status_code == 400
    assert worker.functions.called == []
    with pytest.raises(InvalidRequest):
        carry_out(worker.functions.table, Delivery(Task("events", path, payload), 1))


@pytest.mark.parametrize("path", ["/tasks/other", "/v1/messages", "/openapi.json"])
def test_a_worker_has_nothing_else(worker: Worker, path: str) -> None:
    assert worker.client.post(path, json={}).status_code == 404
    assert worker.client.get("/health").status_code == 200


def test_without_callbacks_in_there_is_no_task_for_them() -> None:
    functions = Functions()
    table = event_tasks(None, cast(NotificationDispatcher, functions), cast(Maintenance, functions))
    assert sorted(table) == ["/tasks/maintenance", "/tasks/notification"]


def test_tasks_are_no_part_of_the_api() -> None:
    assert not [route.path for route in ROUTES if route.path.startswith("/tasks")]


@pytest.mark.parametrize(
    "request_options",
    [
        pytest.param({}, id="no body and no content type: Cloud Scheduler"),
        pytest.param({"data": b"{}"}, id="an empty object without a content type"),
        pytest.param({"data": b"{}", "content_type": "application/octet-stream"}, id="Cloud Scheduler's default type"),
        pytest.param({"json": {}}, id="an empty object"),
        pytest.param({"json": {"at": 1}}, id="a planned run"),
    ],
)
def test_a_maintenance_run_needs_no_body(worker: Worker, request_options: dict[str, Any]) -> None:
    assert worker.client.post("/tasks/maintenance", **request_options).status_code == 200
    assert worker.functions.called == [("maintenance",)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"X-CloudTasks-TaskName": "t"}, (409, True), id="a planned run is not done: the queue repeats it"),
        pytest.param({"X-CloudScheduler": "true"}, (200, False), id="the schedule calls again: no failed attempt"),
    ],
)
def test_a_maintenance_run_beside_another(worker: Worker, headers: dict[str, str], expected: tuple[int, bool]) -> None:
    worker.functions.held = True
    answer = worker.client.post("/tasks/maintenance", headers=headers)
    assert (answer.status_code, "Retry-After" in answer.headers) == expected
    assert worker.severities() == {"INFO"}
    with pytest.raises(TaskLater):
        carry_out(worker.functions.table, Delivery(Task("events", "/tasks/maintenance", {}), 1))
