"""What a soak wants to be sent: every message told apart by its text, so that the simulator's list can be held against it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

OPTED_OUT = "+15558999999"
# The sandbox's magic numbers: what becomes of a message to them (sandbox/README.md).
REFUSED = ("+15005550001", "+15005550002", "+15005550009", OPTED_OUT)
LOST_ON_THE_WAY = ("+15005530003", "+15005530034", "+15005530008")
# Of so many messages, one goes to each kind of number above, and one has a twin: same recipient, same text, meant twice.
ONE_OF = 20
# Which share of the requests asks for `onUnknown: "resend"`.
MIXED = "mixed"
RESENT = {"report": 0.0, MIXED: 0.1, "resend": 1.0}


class Style(StrEnum):
    """How a request is protected against being repeated."""

    SINGLE = "one message, Idempotency-Key"
    BATCH = "records, Idempotency-Key"
    RECORD_KEYS = "records with a key each"


@dataclass(frozen=True, slots=True)
class Intent:
    """One message that somebody wants to be sent once. `key` is the record's own, where its request has such."""

    text: str
    to: str
    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """One POST, repeated by its client until it is answered. `resend`: the caller prefers twice to never."""

    key: str
    style: Style
    intents: tuple[Intent, ...]
    wait: bool
    resend: bool

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.style is Style.RECORD_KEYS else {"Idempotency-Key": self.key}

    @property
    def document(self) -> dict[str, Any]:
        tracking = {"retryIntervalMillis": 1000, "retryAttempts": 100, "wait": self.wait}
        common = {"tracking": tracking, "onUnknown": "resend" if self.resend else "report"}
        if self.style is Style.SINGLE:
            return {"to": self.intents[0].to, "message": self.intents[0].text, **common}
        with_keys = self.style is Style.RECORD_KEYS
        records = [
            {"to": intent.to, "text": intent.text} | ({"key": intent.key} if with_keys else {})
            for intent in self.intents
        ]
        return {"message": "<text>", "records": records, **common}


def plan(messages: int, *, seed: int, largest: int = 40, on_unknown: str = MIXED) -> list[Request]:
    """Requests of all styles with so many messages together; the same seed gives the same plan.

    `on_unknown` is `report` or `resend` for all of them, or `mixed`: `resend` for one in ten.
    """
    dice = random.Random(seed)
    intents = list(_intents(messages, seed, dice))
    requests: list[Request] = []
    share = RESENT[on_unknown]
    while intents:
        style = dice.choice(tuple(Style))
        size = 1 if style is Style.SINGLE else dice.randint(2, largest)
        chosen, intents = tuple(intents[:size]), intents[size:]
        key = f"soak-{seed}-{len(requests)}"
        requests.append(Request(key, style, chosen, wait=dice.random() < 0.5, resend=dice.random() < share))
    return requests


def _intents(messages: int, seed: int, dice: random.Random) -> Iterator[Intent]:
    made = 0
    while made < messages:
        text, to = f"Soak {seed}: order {made} ships today.", f"+1555{8_000_000 + made:07d}"
        kind = dice.randrange(ONE_OF)
        if kind == 0:
            to = dice.choice(REFUSED)
        elif kind == 1:
            to = dice.choice(LOST_ON_THE_WAY)
        copies = 2 if kind == 2 and made + 2 <= messages else 1
        for copy in range(copies):
            yield Intent(text, to, f"record-{seed}-{made + copy}")
        made += copies
