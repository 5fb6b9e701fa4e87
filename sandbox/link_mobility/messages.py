"""Messages, and what LINK posts about them: delivery reports, and inbound messages.

A part's id is the message's, `$` and the part's number from 0 (SMS REST API MT/DLR 1.18, "Delivery Reports").
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sandbox.callbacks import Outcome as Answer
from sandbox.callbacks import Webhook
from sandbox.credentials import basic_header
from sandbox.link_mobility.accounts import INBOUND_GATE, PARTNER_ID, PLATFORM_ID, Destination, Gate
from sandbox.link_mobility.codes import DELIVERED, QUEUED, RESULTS
from sandbox.link_mobility.numbers import Outcome
from sandbox.wire import JSON_TYPE

OPERATOR = "no.telenor"
# Seconds before each repeat, of our own choice; the last one holds for all that follow.
PAUSES = (2.0, 10.0, 60.0, 600.0, 1800.0)


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """LINK repeats until acknowledged or the gate's ttl (48 hours) ends; at which intervals is not documented.
    `acknowledge`: a 2xx without a body counts as none."""

    acknowledge: bool = False
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 172_800.0
    retries: int = 100

    def retries_on(self, outcome: Answer) -> bool:
        accepted = outcome.status is not None and 200 <= outcome.status < 300
        return not accepted or (self.acknowledge and not outcome.body)


@dataclass(frozen=True, slots=True)
class Stage:
    """A result of one part, after this fraction of the delivery."""

    fraction: float
    part: int
    code: int


@dataclass(slots=True)
class Message:
    """One message; its delivery begins at `start` and takes `span` seconds. `stages` in order of time."""

    id: str
    sequence: int
    direction: str
    to: str
    sender: str
    body: str
    accepted_at: float
    start: float
    span: float
    parts: int = 1
    ref_id: str | None = None
    stages: Sequence[Stage] = ()
    gates: Sequence[str] = field(default_factory=tuple)

    def part_id(self, part: int) -> str:
        return self.id if self.parts == 1 else f"{self.id}${part}"

    def due(self, stage: Stage) -> float:
        return self.start + stage.fraction * self.span

    def code(self, now: float) -> int:
        """Return the result: a failure of any part, else what the slowest part has reached."""
        reached = (now - self.start) / self.span if self.span > 0 else (math.inf if now >= self.start else -1.0)
        codes = dict.fromkeys(range(self.parts), QUEUED)
        codes.update((stage.part, stage.code) for stage in self.stages if stage.fraction <= reached)
        failed = [code for code in codes.values() if RESULTS[code].final and code != DELIVERED]
        open_codes = [code for code in codes.values() if not RESULTS[code].final]
        return next(iter([*failed, *open_codes, DELIVERED]))

    def witness(self, now: float) -> dict[str, Any]:
        """Return the message as the simulator itself knows it."""
        inbound = self.direction == "inbound"
        code = None if inbound else self.code(now)
        return {
            "sequence": self.sequence,
            "id": self.id,
            "reference": self.ref_id,
            "direction": self.direction,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": "received" if code is None else RESULTS[code].status,
            "errorCode": code if code is not None and RESULTS[code].status in ("failed", "undelivered") else None,
            "resultCode": code,
            "parts": self.parts,
            "acceptedAt": self.accepted_at,
            "gates": list(self.gates),
        }


def stages_for(outcome: Outcome, parts: int) -> tuple[Stage, ...]:
    """Return what happens to each part of a message with this outcome."""
    if outcome.silent:
        return ()
    stages = []
    for part in range(parts):
        code = outcome.last_part if outcome.last_part is not None and part == parts - 1 else outcome.code
        if RESULTS[code].final:
            stages.append(Stage(1.0, part, code))
        else:
            stages += [Stage(0.5, part, code), Stage(1.0, part, DELIVERED)]
    return tuple(sorted(stages, key=lambda stage: stage.fraction))


def report_document(message: Message, stage: Stage) -> dict[str, Any]:
    due = message.due(stage)
    moment = rfc3339(due)
    return {
        "refId": message.ref_id,
        "id": message.part_id(stage.part),
        "operator": OPERATOR,
        "sentTimestamp": rfc3339(message.start),
        "timestamp": moment,
        "resultCode": stage.code,
        "operatorResultCode": "2" if stage.code == DELIVERED else None,
        "segments": message.parts,
        "gateCustomParameters": {},
        "customParameters": {"received": moment.replace("T", " ").removesuffix("Z")},
    }


def inbound_document(message: Message) -> dict[str, Any]:
    moment = rfc3339(message.accepted_at)
    # A short number has its country before it; a long one is UNVERIFIED.
    destination = message.to if message.to.startswith("+") else f"NO-{message.to}"
    word = (message.body.split() or [""])[0].upper()
    return {
        "destination": destination,
        "subNumber": None,
        "source": message.sender,
        "content": {"type": "SMS", "userData": message.body, "encoding": "TEXT"},
        "operator": OPERATOR,
        "timestamp": moment,
        "messageId": message.id,
        "operatorTimestamp": moment,
        "operatorMessageId": f"op-{message.sequence}",
        "route": {
            "type": "KEYWORD_ROUTE",
            "id": "1",
            "refId": "sandbox",
            "gateIds": [INBOUND_GATE],
            "platformId": PLATFORM_ID,
            "platformPartnerId": PARTNER_ID,
            "number": destination,
            "keyword": word,
            "keywordType": "FIRST_WORD",
            "active": True,
            "shared": word == "STOP",
            "description": "sandbox",
        },
        "gateCustomParameters": {},
        "customParameters": {"platformPartnerId": PARTNER_ID, "platformId": PLATFORM_ID},
    }


def webhooks(gate: Gate, document: Mapping[str, Any], *, subject: str, label: str) -> list[Webhook]:
    """Return what is posted to the gate's destinations."""
    body, policy = json.dumps(document, ensure_ascii=False).encode(), GatePolicy(acknowledge=gate.acknowledge)
    return [
        Webhook(subject, label, "POST", each.url, (), partial(_headers, each), policy, body=body, pauses=PAUSES)
        for each in gate.destinations
    ]


def _headers(destination: Destination) -> Mapping[str, str]:
    headers = {"Content-Type": JSON_TYPE, "Accept": "*/*"}
    if destination.username:
        headers["Authorization"] = basic_header(destination.username, destination.password)
    return headers


def rfc3339(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
