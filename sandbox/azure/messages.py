"""Messages, the book that keeps them, and what may be repeated without sending twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.azure.numbers import REPORTS, witness_status


@dataclass(frozen=True, slots=True)
class Message:
    """One message; times are epoch seconds. `code`: of its delivery report, which exists from `report_at` on (None:
    never). `reported`: asked for with the send. `request_id`: of a repeatable request."""

    id: str
    sequence: int
    sender: str
    to: str
    body: str
    segments: int
    accepted_at: float
    report_at: float = 0.0
    code: int | None = None
    reported: bool = False
    tag: str | None = None
    request_id: str | None = None

    def status(self, now: float) -> str:
        """Return what a tester wants to know."""
        if not self.id.startswith("Outgoing"):
            return "received"
        if self.code is None or now < self.report_at:
            return "accepted"
        return witness_status(self.code)

    def report(self, now: float) -> dict[str, Any] | None:
        """Return the delivery report, None while none exists. Without `enableDeliveryReport` none ever does (UNVERIFIED)."""
        if not self.reported or self.code is None or now < self.report_at:
            return None
        delivered = self.code == 2000
        attempt = {
            "timestamp": timestamp(self.report_at),
            "segmentsSucceeded": self.segments if delivered else 0,
            "segmentsFailed": 0 if delivered else self.segments,
        }
        document = {
            "deliveryStatus": "Delivered" if delivered else "Failed",
            "deliveryStatusDetails": f"{self.code}: {REPORTS[self.code]}",
            "deliveryAttempts": [attempt],
            "receivedTimestamp": timestamp(self.report_at),
            "messageId": self.id,
            "from": self.sender,
            "to": self.to,
        }
        return document if self.tag is None else {**document, "tag": self.tag}

    def witness(self, now: float) -> dict[str, Any]:
        """Return the message as the simulator itself knows it, for tests."""
        return {
            "sequence": self.sequence,
            "sid": self.id,
            "direction": "outbound" if self.id.startswith("Outgoing") else "inbound",
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": self.status(now),
            "code": self.code,
            "parts": self.segments,
            "acceptedAt": self.accepted_at,
            "tag": self.tag,
            "repeatabilityRequestId": self.request_id,
        }


@dataclass(slots=True)
class Book:
    """Everything the resource remembers. `taken`: of a repeatable request's id its recipient and date, and the item it was
    answered with. `opt_outs`: pairs of sender and recipient."""

    messages: list[Message] = field(default_factory=list)
    taken: dict[str, tuple[tuple[str, float], dict[str, Any]]] = field(default_factory=dict)
    opt_outs: set[tuple[str, str]] = field(default_factory=set)
    _by_id: dict[str, Message] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self._by_id[message.id] = message

    def find(self, message_id: str) -> Message | None:
        return self._by_id.get(message_id)

    def next_sequence(self) -> int:
        return len(self.messages) + 1

    def since(self, sequence: int) -> Iterator[Message]:
        """Sequences count from 1 without a gap."""
        return iter(self.messages[max(sequence, 0) :])


def timestamp(epoch: float) -> str:
    """Return ISO 8601 with seven decimals, as in the examples of the documents."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
