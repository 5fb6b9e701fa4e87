"""What a soak of campaigns wants to be sent: NDJSON with texts of which no two are alike."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from .intents import LOST_ON_THE_WAY, MIXED, ONE_OF, REFUSED, Intent, Request, Style


@dataclass(frozen=True, slots=True)
class CampaignOrder:
    """One POST, repeated by its client until it is answered."""

    key: str
    intents: tuple[Intent, ...]
    resend: bool

    @property
    def body(self) -> bytes:
        lines = (json.dumps({"to": intent.to, "text": intent.text}) for intent in self.intents)
        return "\n".join(lines).encode()

    @property
    def query(self) -> dict[str, str | int]:
        return {
            "message": "<text>",
            "onUnknown": "resend" if self.resend else "report",
        }

    @property
    def as_request(self) -> Request:
        """What the reckoning (`audit`) wants to know of it."""
        return Request(self.key, Style.BATCH, self.intents, wait=False, resend=self.resend)


def plan_campaigns(
    messages: int, *, campaigns: int, seed: int, plain: bool = False, on_unknown: str = MIXED
) -> list[CampaignOrder]:
    """So many messages in campaigns of different sizes; the last of several may send again what stays unknown. `plain`: to
    recipients who are reached, all of them."""
    dice = random.Random(f"{seed}/campaigns")
    intents = list(_intents(messages, seed, dice, plain))
    cuts = sorted(dice.sample(range(1, messages), campaigns - 1))
    orders = []
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, messages], strict=True)):
        last = campaigns > 1 and number == campaigns - 1
        resend = last if on_unknown == MIXED else on_unknown == "resend"
        orders.append(CampaignOrder(f"campaign-{seed}-{number}", tuple(intents[start:end]), resend))
    return orders


def _intents(messages: int, seed: int, dice: random.Random, plain: bool) -> Iterator[Intent]:
    for number in range(messages):
        to = f"+1555{8_000_000 + number:07d}"
        kind = ONE_OF if plain else dice.randrange(ONE_OF)
        if kind == 0:
            to = dice.choice(REFUSED)
        elif kind == 1:
            to = dice.choice(LOST_ON_THE_WAY)
        yield Intent(f"Campaign soak {seed}: order {number} ships today.", to, f"record-{number}")
