"""Notifications: every final status of a message with a `callbackUrl`, posted at least once, signed, retried, kept.

A notification is written in the same commit as the status (`NotificationOutbox`), so that neither is stored without the
other. A task delivers it (`NotificationDispatcher.deliver`); a maintenance run finds lost tasks (`sweep`). Form and
signature are those of Standard Webhooks (https://www.standardwebhooks.com), for which receivers have a library;
`webhook-id` is the same in every attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from sms_connector.errors import CallError, Conflict, ErrorKind, NotFound, QueueUnavailable
from sms_connector.model.status import MessageStatus
from sms_connector.notifications.signature import Signer
from sms_connector.ports import Clock, Document, Json, Ledger, Query, Task, TaskQueue, Version, Write
from sms_connector.ports.ledger_access import Cursor, conditions, document_data, page, read_document
from sms_connector.store.message_record import RETENTION_SECONDS, MessageRecord
from sms_connector.store.message_store import MessageStore
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.http import HttpRequest, Transport

COLLECTION = "notifications"
PATH = "/tasks/notification"
PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "given_up"
# Pauses after the first, second … failed attempt: nine attempts in 21 hours.
PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 21600.0, 43200.0)
ATTEMPTS = len(PAUSES) + 1
# A 4xx answer rarely changes: five attempts in three quarters of an hour.
REFUSED_ATTEMPTS = 5
# 4xx that say "later": time-out, conflict, too early, too many (RFC 9110, RFC 8470).
PASSING = frozenset({408, 409, 425, 429})
GONE = 410
# An address in a private network, or an invalid one.
HOPELESS = frozenset({ErrorKind.NOT_PERMITTED, ErrorKind.INVALID_REQUEST, ErrorKind.UNSUPPORTED})
# A notification that is overdue by this many seconds has lost its task.
OVERDUE_SECONDS = 60.0
SWEEP_LIMIT = 300


INBOUND = "inboundMessages"


class NotificationForm(Protocol):
    """Writes the body of a notification."""

    def of_message(self, record: MessageRecord) -> bytes: ...

    def of_inbound(self, inbound: Json) -> bytes: ...


class Notification(msgspec.Struct, rename="camel"):
    """One notification of a message's final status, or of an `inbound` message.

    `state` is `pending`, `delivered` or `given_up`; times are epoch seconds.
    """

    id: str
    message: str
    url: str
    created_at: float
    campaign: str | None = None
    index: int = 0
    state: str = PENDING
    attempts: int = 0
    next_attempt_at: float | None = None
    last_error: str | None = None
    delivered_at: float | None = None
    inbound: bool = False
    version: Version | None = None

    def to_write(self) -> Write:
        data = document_data(self) | {"expiresAt": self.created_at + RETENTION_SECONDS}
        return Write(COLLECTION, self.id, data, self.version)

    @classmethod
    def of(cls, document: Document) -> Notification:
        return read_document(document, cls)


def notification_id(message_id: str, status: str) -> str:
    """Return one id for a message's final status, however often it is written."""
    return "cb_" + hashlib.sha256(f"{message_id}:{status}".encode()).hexdigest()[:26]


class NotificationOutbox(msgspec.Struct, frozen=True):
    """`message_store.Outbox`: writes notifications. `unreported` statuses have none; inbound messages are notified to
    `inbound_url`, where there is one."""

    queue: TaskQueue | None
    clock: Clock
    log: StructuredLog
    unreported: frozenset[MessageStatus] = frozenset()
    inbound_url: str | None = None

    def writes(self, records: Sequence[MessageRecord]) -> list[Write]:
        """Return a write for each final record without a notification of its status; one may follow another (unknown,
        delivered, read)."""
        return [
            self._write(record)
            for record in records
            if record.final
            and record.callback_url is not None
            and record.announced != record.status
            and record.status not in self.unreported
        ]

    def write_inbound(self, inbound_id: str) -> list[Write]:
        """Return the write that notifies of an inbound message."""
        if not self.inbound_url:
            return []
        id_, now = notification_id(inbound_id, "inbound"), self.clock.time()
        return [Notification(id_, inbound_id, self.inbound_url, now, next_attempt_at=now, inbound=True).to_write()]

    def enqueue(self, ids: Sequence[str]) -> None:
        """Enqueue their delivery. A maintenance run checks for lost tasks."""
        put_tasks(self.queue, [task_of(id_) for id_ in ids], self.log)

    def _write(self, record: MessageRecord) -> Write:
        record.announced, now = str(record.status), self.clock.time()
        id_, url = notification_id(record.id, record.announced), record.callback_url or ""
        notification = Notification(id_, record.id, url, now, record.campaign, record.index, next_attempt_at=now)
        return notification.to_write()


class _Refusal(msgspec.Struct, frozen=True):
    """Why an attempt failed; `attempts` is the limit for that reason, `wait` the receiver's Retry-After in seconds."""

    why: str
    attempts: int = ATTEMPTS
    wait: float = 0.0


class NotificationDispatcher(msgspec.Struct, frozen=True):
    """Delivers, lists and repeats notifications."""

    ledger: Ledger
    store: MessageStore
    queue: TaskQueue | None
    transport: Transport
    signer: Signer
    form: NotificationForm
    clock: Clock
    log: StructuredLog = msgspec.field(default_factory=StructuredLog)

    def deliver(self, id_: str) -> None:
        """Make an attempt if one is due, and plan the next if it fails. Raises only what ledger or queue raise."""
        notification = self._get(id_)
        now = self.clock.time()
        if notification is None or notification.next_attempt_at is None or notification.next_attempt_at > now + 1.0:
            return
        body = self._write_body(notification)
        refusal = _Refusal("the message has expired", 0) if body is None else self._post(notification, body)
        notification.attempts += 1
        if refusal is None:
            notification.state, notification.delivered_at = DELIVERED, self.clock.time()
            notification.next_attempt_at = notification.last_error = None
        else:
            self._note_refusal(notification, refusal)
        self._save(notification)

    def sweep(self, now: float) -> None:
        """Enqueue overdue notifications."""
        where = conditions(("nextAttemptAt", "<=", now - OVERDUE_SECONDS))
        overdue = self.ledger.find(Query(COLLECTION, where, order_by="nextAttemptAt", limit=SWEEP_LIMIT))
        # Named by the minute: a slow queue does not get a second task in every run.
        slot = int(now // OVERDUE_SECONDS)
        put_tasks(self.queue, [task_of(each.id, name=f"{each.id}-{slot}") for each in overdue], self.log)

    def list(
        self, *, limit: int, after: Cursor | None = None, state: str | None = None
    ) -> tuple[list[Notification], Cursor | None]:
        """Return notifications, newest first, and where the next page begins."""
        query = Query(
            COLLECTION,
            conditions(("state", "==", state)),
            order_by="createdAt",
            descending=True,
            limit=limit,
            after=after,
        )
        return page(self.ledger, query, Notification.of)

    def replay(self, id_: str) -> Notification:
        """Deliver it again from the start. Raises NotFound."""
        notification = self._get(id_)
        if notification is None:
            raise NotFound(f"no callback {id_}; ids begin with cb_ and are kept for 30 days")
        notification.state, notification.attempts, notification.next_attempt_at = PENDING, 0, self.clock.time()
        notification.delivered_at = notification.last_error = None
        notification.version = None  # an attempt under way conflicts
        self.ledger.commit([notification.to_write()])
        put_tasks(self.queue, [task_of(id_)], self.log)
        return notification

    def _get(self, id_: str) -> Notification | None:
        [document] = self.ledger.get(COLLECTION, [id_])
        return Notification.of(document) if document is not None else None

    def _write_body(self, notification: Notification) -> bytes | None:
        if notification.inbound:
            [inbound] = self.ledger.get(INBOUND, [notification.message])
            return None if inbound is None else self.form.of_inbound(inbound.data)
        [record] = self.store.get([notification.message])
        return None if record is None else self.form.of_message(record)

    def _post(self, notification: Notification, body: bytes) -> _Refusal | None:
        now = self.clock.time()
        headers = self.signer.headers(notification.id, body, at=now)
        if headers is None:
            return _Refusal("no secret to sign with: write callback-secret or webhook-key")
        request = HttpRequest("POST", notification.url, headers, body, repeatable=True)
        try:
            status = self.transport.send(request).status
        except CallError as error:
            # The transport masks addresses in its errors.
            return _Refusal(str(error)[:300], 0 if error.kind in HOPELESS else ATTEMPTS, error.retry_after or 0.0)
        if 200 <= status < 300:
            return None
        if status == GONE:
            return _Refusal(f"the answer was {status}", 0)
        return _Refusal(
            f"the answer was {status}", ATTEMPTS if status in PASSING or status >= 500 else REFUSED_ATTEMPTS
        )

    def _note_refusal(self, notification: Notification, refusal: _Refusal) -> None:
        notification.last_error = refusal.why
        if notification.attempts >= refusal.attempts:
            notification.state, notification.next_attempt_at = GIVEN_UP, None
            self.log.error(
                "notification_given_up", notification=notification.id, attempts=notification.attempts, why=refusal.why
            )
            return
        pause = max(PAUSES[notification.attempts - 1], min(refusal.wait, PAUSES[-1]))
        notification.next_attempt_at = self.clock.time() + pause

    def _save(self, notification: Notification) -> None:
        try:
            self.ledger.commit([notification.to_write()])
        except Conflict:
            return  # delivered twice at the same moment, or replayed: the stored one counts
        if notification.next_attempt_at is not None:
            put_tasks(self.queue, [task_of(notification.id, not_before=notification.next_attempt_at)], self.log)


def put_tasks(queue: TaskQueue | None, tasks: Sequence[Task], log: StructuredLog) -> None:
    """Enqueue tasks. If the queue is out of reach, the sweep finds the notifications without a task."""
    if queue is None or not tasks:
        return
    try:
        queue.enqueue(tasks)
    except QueueUnavailable as error:
        log.error("notification_tasks_not_enqueued", exception=error, count=len(tasks))


def task_of(id_: str, *, name: str | None = None, not_before: float | None = None) -> Task:
    return Task("events", PATH, {"id": id_}, name=name, not_before=not_before)
