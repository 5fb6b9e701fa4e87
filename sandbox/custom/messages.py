"""Messages of the channel, and the documents that tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.custom import numbers
from sandbox.segments import segment_count


@dataclass(slots=True)
class Message:
    """One message; times are epoch seconds. `ends_at` is None where it stays as it is."""

    sequence: int
    message_id: str
    request_id: str
    idempotency_id: str
    direction: str
    to: str
    sender: str
    body: str
    accepted_at: float
    ends_at: float | None
    end: tuple[str, str] = (numbers.DELIVERED, "")

    def status(self, now: float) -> tuple[str, str]:
        """Return the status and its reason."""
        if self.direction == "inbound":
            return "Received", ""
        return self.end if self.ends_at is not None and now >= self.ends_at else (numbers.SENT, "")

    def report(self, status: str, reason: str) -> dict[str, Any]:
        details = {"Reason": reason, "Message": f"the message ended as {status}"} if reason else {}
        return {"RequestId": self.request_id, "MessageId": self.message_id, "Status": status, "Details": details}

    def document(self, now: float) -> dict[str, Any]:
        """Return the message as the simulator knows it, for tests."""
        return {
            "sequence": self.sequence,
            "provider": "custom",
            "sid": self.message_id,
            "reference": self.request_id,
            "idempotencyId": self.idempotency_id,
            "direction": self.direction,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": self.status(now)[0],
            "acceptedAt": self.accepted_at,
            "segments": segment_count(self.body),
        }


@dataclass(slots=True)
class Book:
    """Every message in order of acceptance, and the answer to each `IdempotencyId`."""

    messages: list[Message] = field(default_factory=list)
    by_request: dict[str, Message] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self.by_request[message.request_id] = message

    def documents(self, since: int, now: float) -> Iterator[Mapping[str, Any]]:
        return (message.document(now) for message in self.messages[max(since, 0) :])
