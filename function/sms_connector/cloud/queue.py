"""Durable work in Cloud Tasks: a task is a POST to one of our private functions, as the tasks' service account.

Queues are `<connection>-chunks` (to `worker`) and `<connection>-events` (to `connector`); infrastructure makes
them, with their rates and backoff. A function answers 2xx when a task is carried out; anything else, or nothing in
time, and it comes again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property, partial

import grpc
import msgspec
from google.api_core import exceptions, retry
from google.auth.credentials import AnonymousCredentials
from google.cloud.tasks_v2 import CloudTasksClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.cloud.tasks_v2.types import CreateTaskRequest, HttpMethod, HttpRequest, OidcToken
from google.cloud.tasks_v2.types import Task as CloudTask
from google.protobuf.timestamp_pb2 import Timestamp

from sms_connector.errors import QueueUnavailable
from sms_connector.ports import QueueName, Task, check_task

# How long a function may work on a task before Cloud Tasks gives up waiting: 15 s to 30 min are allowed
# (google.cloud.tasks.v2.Task.dispatch_deadline).
DEADLINES: Mapping[QueueName, timedelta] = {"chunks": timedelta(minutes=30), "events": timedelta(seconds=60)}
PARALLEL_CALLS = 16
ATTEMPT_SECONDS = 10.0
# Repeating is safe: a named task that was put is refused as one that exists; without a name it may come twice, as
# any may.
_repeated = retry.Retry(
    predicate=retry.if_exception_type(
        exceptions.ServiceUnavailable,
        exceptions.DeadlineExceeded,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.Aborted,
    ),
    initial=0.1,
    maximum=2.0,
    multiplier=3.0,
    timeout=20.0,
)


class Target(msgspec.Struct, frozen=True):
    """Where the queues are and whom they call: base addresses without a path, and the account that calls (an
    e-mail)."""

    project: str
    location: str
    connection: str
    worker_url: str
    connector_url: str
    account: str

    def queue(self, name: QueueName) -> str:
        return f"projects/{self.project}/locations/{self.location}/queues/{self.connection}-{name}"

    def base(self, name: QueueName) -> str:
        return (self.worker_url if name == "chunks" else self.connector_url).rstrip("/")


class CloudTasksQueue:
    """`ports.TaskQueue` on Cloud Tasks."""

    def __init__(self, make_client: Callable[[], CloudTasksClient], target: Target) -> None:
        self._make_client = make_client
        self._target = target

    @classmethod
    def connect(cls, target: Target, *, environ: Mapping[str, str] = os.environ) -> CloudTasksQueue:
        """Connect with the function's own credentials, or to the emulator that `CLOUD_TASKS_EMULATOR_HOST` names."""
        emulator = environ.get("CLOUD_TASKS_EMULATOR_HOST")
        return cls(partial(_emulator_client, emulator) if emulator else CloudTasksClient, target)

    @cached_property
    def _client(self) -> CloudTasksClient:
        """Make it at the first call, hence after the server has forked: a channel does not survive a fork
        (grpc/grpc#41725)."""
        return self._make_client()

    def enqueue(self, tasks: Sequence[Task]) -> None:
        """Make one call a task (the API has no batch), several at a time."""
        requests = [self._request(task) for task in tasks]
        try:
            self._create_all(requests)
        except exceptions.GoogleAPIError as error:
            raise QueueUnavailable from error

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.transport.close()  # type: ignore[no-untyped-call] # nor has google-api-core

    def _create_all(self, requests: Sequence[CreateTaskRequest]) -> None:
        if len(requests) == 1:
            self._create(requests[0])
        elif requests:
            with ThreadPoolExecutor(min(len(requests), PARALLEL_CALLS)) as executor:
                list(executor.map(self._create, requests))

    @_repeated
    def _create(self, request: CreateTaskRequest) -> None:
        try:
            self._client.create_task(request, retry=None, timeout=ATTEMPT_SECONDS)
        except exceptions.AlreadyExists:
            return  # what the name is for

    def _request(self, task: Task) -> CreateTaskRequest:
        body = msgspec.json.encode(task.payload)
        check_task(task, size=len(body))
        parent, base = self._target.queue(task.queue), self._target.base(task.queue)
        created = CloudTask(
            http_request=HttpRequest(
                url=base + task.path,
                http_method=HttpMethod.POST,
                headers={"Content-Type": "application/json"},
                body=body,
                # The audience is the function's own address: the platform's check refuses one with a path.
                oidc_token=OidcToken(service_account_email=self._target.account, audience=base),
            ),
            dispatch_deadline=DEADLINES[task.queue],
        )
        if task.name is not None:
            created.name = f"{parent}/tasks/{task_id(task.name)}"
        if task.not_before is not None:
            created.schedule_time = Timestamp(seconds=int(task.not_before), nanos=int(task.not_before % 1 * 1e9))
        return CreateTaskRequest(parent=parent, task=created)


def _emulator_client(address: str) -> CloudTasksClient:
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth has no types here
    transport = CloudTasksGrpcTransport(channel=grpc.insecure_channel(address), credentials=anonymous)
    return CloudTasksClient(transport=transport)


def task_id(name: str) -> str:
    """Return the task's id: its name behind a digest of it.

    The digest keeps names apart whose characters Cloud Tasks doesn't allow, and spreads names that count up or begin
    alike, which would slow the queue down (cloud.google.com/tasks/docs/reference: "use a well-distributed prefix").
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:20]
    return f"{digest}-{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:400]}"
