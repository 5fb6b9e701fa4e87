"""Results to callers: noted with the state itself, delivered at least once, retried, given up with a record, replayed."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from sms_connector.api.schemas.notification import StandardForm
from sms_connector.errors import ErrorKind, NotFound, NotSent
from sms_connector.local.ledger import SqliteLedger
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.message import text_digest
from sms_connector.model.status import MessageStatus
from sms_connector.notifications.delivery import (
    OVERDUE_SECONDS,
    PAUSES,
    REFUSED_ATTEMPTS,
    Notification,
    NotificationDispatcher,
    NotificationOutbox,
)
from sms_connector.notifications.signature import Signer
from sms_connector.ports import Json, Write
from sms_connector.store.block_store import BlockStore
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.doubles import CannedSecrets, CannedTransport
from tests.fixtures.clocks import FakeClock
from tests.fixtures.memory_queue import MemoryQueue

URL = "https://crm.example.com/sms?tenant=7"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OK = HttpResponse(204, {}, b"")


@dataclass
class Stage:
    """`answers` are the receiver's, in order, the last one for ever."""

    ledger: SqliteLedger
    clock: FakeClock
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    secrets: CannedSecrets = field(default_factory=lambda: CannedSecrets({"callback-secret": SECRET}))
    receiver: CannedTransport = field(default_factory=lambda: CannedTransport(OK))
    log: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        log = StructuredLog("sms", stream=self.log, now=self.clock.time)
        outbox = NotificationOutbox(self.queue, clock=self.clock, log=log)
        self.store = BlockStore(self.ledger, outbox)
        self.out = NotificationDispatcher(
            ledger=self.ledger,
            store=BlockStore(self.ledger),
            queue=self.queue,
            transport=self.receiver,
            signer=Signer(self.secrets),
            form=StandardForm(),
            clock=self.clock,
            log=log,
        )

    def message(self, number: int = 1, url: str | None = URL) -> MessageRecord:
        now = self.clock.time()
        record = MessageRecord(
            id=f"msg_{number:026x}",
            to="+15558675310",
            sender="+15551234567",
            text_digest=text_digest("Hello"),
            created_at=now,
            updated_at=now,
            status=MessageStatus.QUEUED,
            phase=Phase.DONE,
            provider_message_id=f"SM{number:032x}",
            callback_url=url,
        )
        self.store.create([record])
        return record

    def apply_report(self, record: MessageRecord, status: MessageStatus) -> None:
        report = DeliveryReport(record.provider_message_id or "", status, str(status))
        self.store.apply(record, lambda current: current.apply_report(report, at=self.clock.time(), source="callback"))

    def final(self, number: int = 1) -> Notification:
        """A message that is delivered, and what is to be told of it."""
        self.apply_report(self.message(number), MessageStatus.DELIVERED)
        return self.all()[0]

    def all(self, **filtered: str) -> list[Notification]:
        return self.out.list(limit=100, **filtered)[0]  # type: ignore[arg-type]

    def work(self) -> None:
        """Carry out the tasks that are due."""
        for task in self.queue.take():
            if (task.not_before or 0.0) <= self.clock.time():
                self.out.deliver(task.payload["id"])
            else:
                self.queue.tasks.append(task)

    def work_until_over(self) -> list[float]:
        """Seconds between the attempts."""
        times = []
        while self.queue.tasks:
            due = self.queue.tasks[0].not_before or self.clock.time()
            times.append(due)
            self.clock.now = max(self.clock.now, due)
            self.work()
        return [later - earlier for earlier, later in pairwise(times)]

    def answers(self, *answers: Any) -> None:
        self.receiver.answers[:] = answers

    @property
    def posts(self) -> list[Json]:
        return [json.loads(request.body or b"") for request in self.receiver.requests]

    def logged(self, message: str) -> list[Json]:
        lines = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in lines if line["message"] == message]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    clock = FakeClock(1_767_225_600.0)
    ledger = SqliteLedger(tmp_path / "ledger.db", clock=clock)
    yield Stage(ledger, clock)
    ledger.close()


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_final_state_is_told_with_the_result_as_it_is_answered(stage: Stage) -> None:
    callback = stage.final()
    stage.work()
    [request] = stage.receiver.requests
    assert (request.method, request.url, request.authorization) == ("POST", URL, None)
    assert stage.posts == [
        {
            "type": "message.final",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "data": {
                "index": 0,
                "id": callback.message,
                "to": "+15558675310",
                "status": "delivered",
                "final": True,
                "sender": "+15551234567",
                "providerMessageId": f"SM{1:032x}",
                "segments": 0,
                "encoding": None,
                "attempts": 0,
                "sentAt": "2026-01-01T00:00:00.000Z",
                "updatedAt": "2026-01-01T00:00:00.000Z",
                "error": None,
            },
        }
    ]
    [told] = stage.all(state="delivered")
    assert (told.attempts, told.next_attempt_at, told.delivered_at) == (1, None, stage.clock.time())


def test_what_is_on_its_way_is_not_told(stage: Stage) -> None:
    record = stage.message()
    stage.apply_report(record, MessageStatus.SENDING)
    stage.apply_report(record, MessageStatus.SENT)
    assert (stage.all(), stage.queue.tasks) == ([], [])


def test_nobody_is_told_who_did_not_ask(stage: Stage) -> None:
    stage.apply_report(stage.message(url=None), MessageStatus.DELIVERED)
    assert (stage.all(), stage.queue.tasks) == ([], [])


def test_a_state_is_noted_once(stage: Stage) -> None:
    record = stage.message()
    for _ in range(3):
        stage.apply_report(record, MessageStatus.DELIVERED)
        stage.store.apply(record, lambda current: current.note(stage.clock.time(), "poll"))
    assert len(stage.all()) == 1
    assert len(stage.queue.tasks) == 1


def test_a_final_state_that_yields_to_another_is_told_again(stage: Stage) -> None:
    record = stage.message()
    stage.apply_report(record, MessageStatus.DELIVERED)
    stage.work()
    stage.apply_report(record, MessageStatus.READ)
    stage.work()
    assert [post["data"]["status"] for post in stage.posts] == ["delivered", "read"]
    assert len({request.headers["webhook-id"] for request in stage.receiver.requests}) == 2


# --- how it is signed -------------------------------------------------------------------------------------------------


def test_a_library_of_others_verifies_it(stage: Stage) -> None:
    stage.clock.now = time.time()
    stage.final()
    stage.work()
    [request] = stage.receiver.requests
    Webhook(SECRET).verify(request.body or b"", dict(request.headers))


def test_the_id_is_the_same_in_every_attempt_the_time_is_not(stage: Stage) -> None:
    stage.answers(HttpResponse(500, {}, b""), OK)
    stage.final()
    stage.work_until_over()
    first, second = (request.headers for request in stage.receiver.requests)
    assert first["webhook-id"] == second["webhook-id"] == stage.all()[0].id
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == PAUSES[0]


def test_without_any_secret_nothing_is_posted_until_there_is_one(stage: Stage) -> None:
    stage.secrets.values.clear()
    stage.final()
    stage.work()
    [callback] = stage.all()
    assert (stage.receiver.requests, callback.state) == ([], "pending")
    assert "callback-secret" in (callback.last_error or "")
    stage.secrets.values["callback-secret"] = SECRET
    stage.work_until_over()
    assert stage.all()[0].state == "delivered"


# --- how often it is tried --------------------------------------------------------------------------------------------

OUT_OF_REACH = NotSent("POST https://crm.example.com/sms: no connection in time", kind=ErrorKind.TIMEOUT)


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        pytest.param(HttpResponse(408, {}, b""), len(PAUSES) + 1, id="408"),
        pytest.param(HttpResponse(409, {}, b""), len(PAUSES) + 1, id="409"),
        pytest.param(HttpResponse(425, {}, b""), len(PAUSES) + 1, id="425"),
        pytest.param(OUT_OF_REACH, len(PAUSES) + 1, id="no connection"),
        pytest.param(NotSent("the answer was 503", retry_after=1.0), len(PAUSES) + 1, id="503"),
        pytest.param(HttpResponse(302, {"location": "https://elsewhere.example"}, b""), REFUSED_ATTEMPTS, id="302"),
        pytest.param(HttpResponse(400, {}, b""), REFUSED_ATTEMPTS, id="400"),
        pytest.param(HttpResponse(401, {}, b""), REFUSED_ATTEMPTS, id="401"),
        pytest.param(HttpResponse(404, {}, b""), REFUSED_ATTEMPTS, id="404"),
        pytest.param(HttpResponse(410, {}, b""), 1, id="gone"),
        pytest.param(NotSent("leads into a private network", kind=ErrorKind.NOT_PERMITTED), 1, id="a private address"),
        pytest.param(NotSent("the URL can't be used", kind=ErrorKind.INVALID_REQUEST), 1, id="no address at all"),
    ],
)
def test_it_is_given_up_with_a_record(stage: Stage, answer: Any, attempts: int) -> None:
    stage.answers(answer)
    stage.final()
    assert stage.work_until_over() == pytest.approx(list(PAUSES[: attempts - 1]))
    [callback] = stage.all(state="given_up")
    assert (len(stage.receiver.requests), callback.attempts) == (attempts, attempts)
    assert callback.next_attempt_at is None
    [line] = stage.logged("notification_given_up")
    assert line["attempts"] == attempts
    assert "tenant" not in stage.log.getvalue()


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        pytest.param(300.0, 300.0, id="longer than ours"),
        pytest.param(1.0, PAUSES[0], id="shorter"),
        pytest.param(1e9, PAUSES[-1], id="for ever"),
    ],
)
def test_the_receivers_own_pause_counts_where_it_is_longer(stage: Stage, told: float, waited: float) -> None:
    stage.answers(NotSent("the answer was 429", kind=ErrorKind.RATE_LIMITED, retry_after=told), OK)
    stage.final()
    assert stage.work_until_over() == [pytest.approx(waited)]
    assert stage.all()[0].state == "delivered"


def test_two_tasks_at_once_do_no_harm(stage: Stage) -> None:
    """Delivery is at least once: the second telling has the same id; the record says what is true."""
    stage.final()
    [task] = stage.queue.take()
    stage.out.deliver(task.payload["id"])
    stage.out.deliver(task.payload["id"])
    assert len(stage.receiver.requests) == 1
    assert stage.all()[0].attempts == 1


def test_a_task_that_comes_before_its_time_is_let_go(stage: Stage) -> None:
    stage.answers(OUT_OF_REACH)
    callback = stage.final()
    stage.work()
    stage.out.deliver(callback.id)
    assert len(stage.receiver.requests) == 1


def test_a_message_that_has_expired_is_not_told(stage: Stage) -> None:
    callback = stage.final()
    stage.clock.now += 29 * 86_400
    stage.out.replay(callback.id)
    stage.ledger.commit([Write("messages", callback.message, None)])
    stage.work()
    assert (stage.receiver.requests, stage.all()[0].state) == ([], "given_up")


def test_a_task_of_nothing_is_done(stage: Stage) -> None:
    stage.out.deliver("cb_" + "0" * 26)
    assert stage.receiver.requests == []


# --- lost tasks -------------------------------------------------------------------------------------------------------


def test_a_queue_out_of_reach_harms_no_message(stage: Stage) -> None:
    stage.queue.out = True
    callback = stage.final()
    assert callback.state == "pending"
    stage.queue.out = False
    stage.out.sweep(stage.clock.time())
    assert stage.queue.tasks == [], "its task may still come"
    stage.clock.now += OVERDUE_SECONDS
    stage.out.sweep(stage.clock.time())
    stage.work()
    assert stage.all()[0].state == "delivered"
    stage.clock.now += OVERDUE_SECONDS
    stage.out.sweep(stage.clock.time())
    assert stage.queue.tasks == [], "and then there is nothing to sweep"


def test_a_slow_queue_gets_no_second_task_in_the_same_minute(stage: Stage) -> None:
    stage.final()
    stage.queue.take()
    stage.clock.now += 2 * OVERDUE_SECONDS
    for _ in range(3):
        stage.out.sweep(stage.clock.time())
    assert len(stage.queue.tasks) == 1


def test_a_repeated_attempt_whose_task_is_lost_is_swept_too(stage: Stage) -> None:
    stage.answers(OUT_OF_REACH)
    stage.final()
    stage.work()
    stage.queue.take()
    stage.clock.now += PAUSES[0]
    stage.out.sweep(stage.clock.time())
    assert stage.queue.tasks == [], "its task may still come"
    stage.clock.now += OVERDUE_SECONDS
    stage.out.sweep(stage.clock.time())
    assert len(stage.queue.tasks) == 1


# --- listing and replaying --------------------------------------------------------------------------------------------


def test_they_are_listed_newest_first_in_pages(stage: Stage) -> None:
    for number in range(5):
        stage.final(number)
        stage.clock.now += 1.0
    first, cursor = stage.out.list(limit=2)
    second, cursor = stage.out.list(limit=2, after=cursor)
    third, end = stage.out.list(limit=2, after=cursor)
    listed = [callback.message for callback in (*first, *second, *third)]
    assert listed == [f"msg_{number:026x}" for number in reversed(range(5))]
    assert end is None


def test_a_replay_begins_anew(stage: Stage) -> None:
    stage.answers(HttpResponse(410, {}, b""))
    callback = stage.final()
    stage.work()
    stage.answers(OK)
    replayed = stage.out.replay(callback.id)
    assert (replayed.state, replayed.attempts, replayed.last_error) == ("pending", 0, None)
    stage.work()
    [told] = stage.all(state="delivered")
    assert (told.id, told.attempts) == (callback.id, 1)


def test_what_is_not_there_can_not_be_replayed(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.out.replay("cb_" + "0" * 26)


# --- inbound messages -------------------------------------------------------------------------------------------------


def test_an_inbound_message_is_notified_where_the_connection_wants_it(stage: Stage) -> None:
    log = StructuredLog("sms", stream=stage.log, now=stage.clock.time)
    outbox = NotificationOutbox(stage.queue, stage.clock, log, inbound_url=URL)
    [write] = outbox.write_inbound("inb_1")
    inbound: Json = {"from": "+15558675310", "to": "+15551234567", "text": "Yes", "createdAt": stage.clock.time()}
    stage.ledger.commit([Write("inboundMessages", "inb_1", inbound), write])
    stage.out.deliver(write.id)
    [request] = stage.receiver.requests
    told = json.loads(request.body or b"")
    assert (told["type"], told["data"]["text"]) == ("message.inbound", "Yes")
    assert NotificationOutbox(stage.queue, stage.clock, log).write_inbound("inb_1") == []


def test_a_status_that_is_not_reported_waits_for_the_next(stage: Stage) -> None:
    log = StructuredLog("sms", stream=stage.log, now=stage.clock.time)
    outbox = NotificationOutbox(stage.queue, stage.clock, log, frozenset({MessageStatus.UNKNOWN}))
    record = stage.message()
    record.status = MessageStatus.UNKNOWN
    assert outbox.writes([record]) == []
    record.status = MessageStatus.DELIVERED
    assert len(outbox.writes([record])) == 1
