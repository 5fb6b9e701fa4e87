"""Messages, the bulks they were sent in, and the book that keeps them."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sandbox.infobip.numbers import Plan, digits
from sandbox.infobip.statuses import (
    CANCELED_ERROR,
    NO_ERROR,
    NOT_SENT,
    STATUS_GROUPS,
    STATUSES,
    error_document,
    status_document,
)
from sandbox.infobip.validation import Draft

PRICE = {"pricePerMessage": 0.01, "currency": "EUR"}
Stage = tuple[float, int, int]


# Statuses of a bulk. The simulator never gives FAILED.
PENDING, PAUSED, PROCESSING, CANCELED, FINISHED = "PENDING", "PAUSED", "PROCESSING", "CANCELED", "FINISHED"


@dataclass(slots=True)
class Bulk:
    """The messages of one send request. `held`: PAUSED or CANCELED, since `held_at`. `changes` counts the
    changes: reports that were planned before one are not sent."""

    id: str
    send_at: float
    scheduled: bool = False
    held: str = ""
    held_at: float = 0.0
    changes: int = 0
    messages: list[Message] = field(default_factory=list)

    def status(self, now: float) -> str:
        if self.held or now < self.send_at:
            return self.held or PENDING
        is_over = all(STATUS_GROUPS[STATUSES[each.stage(now)[1]][0]] != "PENDING" for each in self.messages)
        return FINISHED if is_over else PROCESSING


@dataclass(slots=True)
class Message:
    """One destination of a request. Its delivery takes `span` seconds from the sending of its bulk. `rejected`: at once."""

    id: str
    draft: Draft
    bulk: Bulk
    sequence: int
    to: str
    sender: str
    parts: int
    accepted_at: float
    span: float
    plan: Plan
    rejected: bool
    logged: bool
    callback_url: str | None

    def stage(self, now: float) -> Stage:
        """Return since when (epoch seconds), the status and the error."""
        start = self.bulk.send_at
        if self.bulk.held and not self.rejected:
            first = (start, *self.plan[0][1:])
            return (self.bulk.held_at, NOT_SENT, CANCELED_ERROR) if self.bulk.held == CANCELED else first
        reached = [each for each in self.plan if each[0] * self.span <= now - start] or [self.plan[0]]
        fraction, status, error = reached[-1]
        return start + fraction * self.span, status, error


@dataclass(frozen=True, slots=True)
class Inbound:
    id: str
    sequence: int
    to: str
    sender: str
    body: str
    parts: int
    received_at: float


@dataclass(slots=True)
class Book:
    """Every message in order of arrival."""

    everything: list[Message | Inbound] = field(default_factory=list)
    by_id: defaultdict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    by_bulk: defaultdict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))

    def next_sequence(self) -> int:
        return len(self.everything) + 1

    def add(self, message: Message) -> None:
        self.everything.append(message)
        self.by_id[message.id].append(message)
        self.by_bulk[message.bulk.id].append(message)


def log_document(message: Message, now: float) -> dict[str, Any]:
    common = _common(message, message.stage(now))
    return {"destination": message.to, "content": {"text": message.draft.text}, **common}


def report_document(message: Message, stage: Stage) -> dict[str, Any]:
    """Return the delivery report of a message at a stage."""
    data = message.draft.callback_data
    return {"to": message.to, **_common(message, stage)} | ({"callbackData": data} if data else {})


def _common(message: Message, stage: Stage) -> dict[str, Any]:
    since, status, error = stage
    document: dict[str, Any] = {
        "bulkId": message.bulk.id,
        "messageId": message.id,
        "sender": message.sender,
        "sentAt": date_text(message.bulk.send_at),
        "doneAt": date_text(since),
        "messageCount": message.parts,
        "price": PRICE,
        "status": status_document(status),
        "error": error_document(error),
    }
    if message.draft.platform:
        document["platform"] = message.draft.platform
    if message.draft.campaign:
        document["campaignReferenceId"] = message.draft.campaign
    return document


def inbound_document(inbound: Inbound) -> dict[str, Any]:
    """Return a result of the format MO_JSON_2."""
    return {
        "messageId": inbound.id,
        "from": inbound.sender,
        "to": inbound.to,
        "text": inbound.body,
        "cleanText": inbound.body,
        "receivedAt": date_text(inbound.received_at),
        "smsCount": inbound.parts,
        "price": {**PRICE, "pricePerMessage": 0},
    }


def witness_document(message: Message | Inbound, now: float) -> dict[str, Any]:
    """Return a message as the simulator itself knows it, with `+` before numbers, for tests."""
    common = {
        "sequence": message.sequence,
        "sid": message.id,
        "to": _with_plus(message.to),
        "from": _with_plus(message.sender),
        "parts": message.parts,
    }
    if isinstance(message, Inbound):
        received = {"direction": "inbound", "body": message.body, "status": "received"}
        return {**common, **received, "acceptedAt": message.received_at}
    since, status, error = message.stage(now)
    return {
        **common,
        "direction": "outbound-api",
        "body": message.draft.text,
        "bulkId": message.bulk.id,
        "status": STATUSES[status][1],
        "statusGroup": STATUS_GROUPS[STATUSES[status][0]],
        "errorCode": None if error == NO_ERROR else error,
        "acceptedAt": message.accepted_at,
        "statusSince": since,
        "statusCallback": message.callback_url,
    }


def date_text(epoch: float) -> str:
    """Return `yyyy-MM-dd'T'HH:mm:ss.SSSZ`."""
    seconds, millis = divmod(round(epoch * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{millis:03d}+0000"


def _with_plus(address: str) -> str:
    return f"+{address}" if digits(address) else address
