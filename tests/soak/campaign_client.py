"""The client of a soak's campaigns: it repeats every request, unchanged, until it is answered."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from .campaign_plan import CampaignOrder
from .traffic import IMPATIENT, LONGEST_WAIT, READ_SECONDS, REPEATABLE

CLIENTS = 4
LOOK_SECONDS = 1.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Created:
    """A campaign that was accepted."""

    order: CampaignOrder
    id: str


@dataclass(slots=True)
class CampaignClient:
    """`counts`: what it met; `flaws`: what it never may."""

    url: str
    seed: int
    tracking: Json = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    flaws: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create(self, orders: Sequence[CampaignOrder]) -> list[Created]:
        with ThreadPoolExecutor(CLIENTS, thread_name_prefix="client") as pool:
            return list(pool.map(self._create, orders))

    def _create(self, order: CampaignOrder) -> Created:
        """Post until it is answered; then, sometimes, once more, as if the answer had been lost."""
        dice = random.Random(f"{self.seed}/{order.key}")
        id_ = self._post_until_answered(order, dice)
        if dice.random() < 0.5:
            again = self._post_until_answered(order, dice)
            if again != id_:
                self._flaw(f"{order.key}: repeated after its answer, it made another campaign: {id_}, {again}")
        return Created(order, id_)

    def _post_until_answered(self, order: CampaignOrder, dice: random.Random) -> str:
        while True:
            hurried = dice.random() < 0.3
            answer = self._ask(
                "POST",
                "/v1/campaigns",
                params=order.query | self.tracking,
                data=order.body,
                headers={"Idempotency-Key": order.key, "Content-Type": "application/x-ndjson"},
                timeout=(5, dice.uniform(*IMPATIENT) if hurried else READ_SECONDS),
            )
            if answer is not None and answer.status_code == 202:
                return str(answer.json()["id"])
            if answer is not None and answer.status_code not in REPEATABLE:
                self._flaw(f"{order.key}: answered {answer.status_code}: {answer.text[:500]}")
            time.sleep(min(LONGEST_WAIT, float(answer.headers.get("Retry-After", 0.2) if answer is not None else 0.2)))

    def await_campaigns(
        self, created: Sequence[Created], arrived: Callable[[Json], bool], *, seconds: float
    ) -> list[Json]:
        """All campaigns as they are when each has `arrived`, or so many seconds are over."""
        deadline = time.monotonic() + seconds
        known: dict[str, Json] = {}
        while True:
            for id_ in (each.id for each in created if not arrived(known.get(each.id, {}))):
                known[id_] = self.get(f"/v1/campaigns/{id_}")
            left = sum(not arrived(document) for document in known.values())
            if not left or time.monotonic() > deadline:
                return [known[each.id] for each in created]
            time.sleep(LOOK_SECONDS)

    def results(self, campaign_id: str) -> list[Json]:
        """All of them, in order."""
        found: list[Json] = []
        token: str | None = ""
        while token is not None:
            page = self.get(
                f"/v1/campaigns/{campaign_id}/results", pageSize=1000, **({"pageToken": token} if token else {})
            )
            found += page["results"]
            token = page["nextPageToken"] or None
        return found

    def get(self, path: str, **query: Any) -> Json:
        """Asked until it is answered."""
        while True:
            answer = self._ask("GET", path, params=query, timeout=(5, READ_SECONDS))
            if answer is not None and answer.status_code == 200:
                document: Json = answer.json()
                return document
            if answer is not None and answer.status_code not in REPEATABLE:
                self._flaw(f"GET {path}: answered {answer.status_code}: {answer.text[:500]}")
            time.sleep(0.3)

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response | None:
        try:
            answer = requests.request(method, self.url + path, **options)
        except requests.RequestException as error:
            self._count(f"client: {type(error).__name__}")
            return None
        self._count(f"client: {method} {answer.status_code}")
        return answer

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def _flaw(self, what: str) -> None:
        """Raises when there are so many that the rest would tell nothing new."""
        with self._lock:
            self.flaws.append(what)
            if len(self.flaws) > 20:
                raise RuntimeError("given up: " + "\n".join(self.flaws))
