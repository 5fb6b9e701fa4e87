"""Messages, and when each is in which status: worked out when somebody asks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.telesign.codes import DELIVERED, IN_PROGRESS, QUEUED_BY_GATEWAY, RECEIVED, TO_GATEWAY

# (part of the delivery time, code), ascending.
Plan = tuple[tuple[float, int], ...]
REACHED_GATEWAY = frozenset({DELIVERED, 201, 250, 251, None})
RECEIVED_PLAN: Plan = ((0.0, RECEIVED),)


def plan_for(end: int | None) -> Plan:
    """Return the stages of a message that ends with the code; None: it stays at the gateway."""
    head: Plan = ((0.0, IN_PROGRESS), (0.25, QUEUED_BY_GATEWAY))
    handed_over: Plan = ((0.5, TO_GATEWAY),) if end in REACHED_GATEWAY else ()
    return (*head, *handed_over, *(() if end is None else ((1.0, end),)))


@dataclass(slots=True)
class Message:
    """One message; times are epoch seconds, numbers are digits without a plus."""

    sequence: int
    reference_id: str
    direction: str
    to: str
    sender: str
    body: str
    accepted_at: float
    span: float
    plan: Plan
    parts: int
    external_id: str | None = None
    callback_url: str | None = None

    def current(self, now: float) -> tuple[int, float]:
        """Return the code and since when."""
        reached = (now - self.accepted_at) / self.span if self.span > 0 else math.inf
        part, code = [stage for stage in self.plan if stage[0] <= max(reached, 0.0)][-1]
        return code, self.accepted_at + part * self.span

    def document(self, now: float) -> dict[str, Any]:
        """Return the message as the simulator knows it, for tests."""
        code, since = self.current(now)
        return {
            "sequence": self.sequence,
            "provider": "telesign",
            "sid": self.reference_id,
            "reference": self.external_id,
            "direction": self.direction,
            "to": f"+{self.to}",
            "from": self.sender,
            "body": self.body,
            "status": str(code),
            "acceptedAt": self.accepted_at,
            "statusSince": since,
            "segments": self.parts,
            "statusCallback": self.callback_url,
        }


@dataclass(slots=True)
class Book:
    """Every message, in order of acceptance."""

    messages: list[Message] = field(default_factory=list)
    by_id: dict[str, Message] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self.by_id[message.reference_id] = message

    def documents(self, since: int, now: float) -> Iterator[Mapping[str, Any]]:
        return (message.document(now) for message in self.messages[max(since, 0) :])
