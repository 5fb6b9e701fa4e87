"""The clients of a soak: they repeat a request, unchanged, until it is answered."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from .intents import Intent, Request, Style

READ_SECONDS = 45.0
# A client that hangs up early and asks again: the connector does not notice, and goes on.
IMPATIENT = (0.1, 0.3)
LONGEST_WAIT = 2.0
MOST_FLAWS = 20
REPEATABLE = frozenset((409, 429, 502, 503, 504))


@dataclass(slots=True)
class Report:
    """What the connector answered for one intent: its message's id at last, and every answer on the way."""

    intent: Intent
    request: Request
    id: str | None = None
    answers: list[tuple[float, str]] = field(default_factory=list)


@dataclass(slots=True)
class Traffic:
    """`run` returns when every request has been answered. `counts` says what the clients met; `flaws` what they never may."""

    url: str
    clients: int
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    flaws: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, wanted: Sequence[Request]) -> list[Report]:
        with ThreadPoolExecutor(self.clients, thread_name_prefix="client") as pool:
            return [report for reports in pool.map(self._insist, wanted) for report in reports]

    def _insist(self, request: Request) -> list[Report]:
        """Post until every record is answered; then, sometimes, once more, as if the answer had been lost."""
        dice = random.Random(f"{self.seed}/{request.key}")
        reports = [Report(intent, request) for intent in request.intents]
        self._post_until_answered(request, reports, dice)
        if dice.random() < 0.1:
            first = [report.id for report in reports]
            self._post_until_answered(request, reports, dice)
            others = [id_ for id_, report in zip(first, reports, strict=True) if id_ != report.id]
            if any(request.style is not Style.RECORD_KEYS or not self._is_free(id_) for id_ in others):
                self._flaw(f"{request.key}: repeated after its answer, it gave other messages")
        return reports

    def _is_free(self, message_id: str | None) -> bool:
        """Whether nothing was sent for sure: then the record's key is free again, and a repetition sends it."""
        [message] = read_messages(self.url, [message_id], until_final=READ_SECONDS).values() if message_id else [{}]
        return (message.get("error") or {}).get("retry") == "safe"

    def _post_until_answered(self, request: Request, reports: Sequence[Report], dice: random.Random) -> None:
        with requests.Session() as session:
            while (pause := self._post(session, request, reports, dice)) is not None:
                time.sleep(pause)

    def _post(
        self, session: requests.Session, request: Request, reports: Sequence[Report], dice: random.Random
    ) -> float | None:
        """None when all is answered, else the seconds to wait before asking again."""
        patience = dice.uniform(*IMPATIENT) if dice.random() < 0.05 else READ_SECONDS
        try:
            answer = session.post(
                f"{self.url}/v1/messages:send", json=request.document, headers=request.headers, timeout=(5, patience)
            )
        except requests.RequestException as error:
            self._note(reports, type(error).__name__)
            return dice.uniform(0.05, 0.3)
        self._note(reports, str(answer.status_code))
        if answer.status_code == 200:
            return self._read(answer.json()["results"], reports)
        if answer.status_code not in REPEATABLE:
            self._flaw(f"{request.key}: answered {answer.status_code}: {answer.text[:500]}")
            if answer.status_code < 500:
                return None
        return min(LONGEST_WAIT, float(answer.headers.get("Retry-After", 0.2)))

    def _read(self, results: Sequence[dict[str, Any]], reports: Sequence[Report]) -> float | None:
        """Records that another request with the same key is sending have to be asked for again."""
        waiting = 0
        for result, report in zip(results, reports, strict=True):
            kind = (result["error"] or {}).get("kind")
            report.answers.append((time.time(), f"{result['status']} {kind or ''} {result['id']}"))
            if kind == "IN_PROGRESS":
                waiting += 1
            else:
                report.id = result["id"]
        self._count("record in progress", waiting)
        return 0.5 if waiting else None

    def _note(self, reports: Sequence[Report], what: str) -> None:
        self._count(f"answer {what}" if what.isdigit() else what)
        for report in reports:
            report.answers.append((time.time(), what))

    def _count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.counts[what] += times

    def _flaw(self, what: str) -> None:
        """Raises when there are so many that the rest would tell nothing new."""
        with self._lock:
            self.flaws.append(what)
        if len(self.flaws) > MOST_FLAWS:
            raise RuntimeError("given up: " + "\n".join(self.flaws))


def read_messages(url: str, ids: Sequence[str], *, until_final: float) -> dict[str, dict[str, Any]]:
    """Each message by id as the connector knows it, asked for until it is final or so many seconds are over."""
    deadline = time.monotonic() + until_final
    known: dict[str, dict[str, Any]] = {}
    with requests.Session() as session:
        while True:
            still_open = [id_ for id_ in ids if not known.get(id_, {}).get("final")]
            for id_ in still_open:
                try:
                    answer = session.get(f"{url}/v1/messages/{id_}", timeout=READ_SECONDS)
                except requests.RequestException:
                    break  # the connector was killed and is starting again; a message still unread at the deadline counts as lost
                if answer.status_code == 200:
                    known[id_] = answer.json()
            if not still_open or time.monotonic() > deadline:
                return known
            time.sleep(0.5)
