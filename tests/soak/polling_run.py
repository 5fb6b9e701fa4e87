"""One soak of polling: no callbacks, connector and worker killed at random; when everything is sent, no request is made any more.

What is open then has to be found by maintenance runs alone: the ledger's file is read, as a look-up would ask the provider itself.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from .campaign_client import CampaignClient
from .campaign_plan import plan_campaigns
from .campaign_run import OPEN, TRACKING, provider_counts
from .campaign_stage import Cast, on_sqlite, on_stage
from .run import Outcome
from .stage import Killer

CLIENTS = 4
RECORDS_EACH = 20
# Several of the minutes in which a run is started whatever happens.
SETTLE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class PollingScenario:
    """Half of the messages are a campaign's. `quiet_kills`: seconds of kills after the last request."""

    messages: int = 1000
    fault: float = 0.01
    pause: tuple[float, float] = (1.0, 4.0)
    quiet_kills: float = 15.0


def soak_polling(scenario: PollingScenario, folder: Path, *, seed: int) -> Outcome:
    begun = time.monotonic()
    with on_stage(folder, Cast.without_webhook(workers=1), backend=on_sqlite, seed=seed) as stage:
        client = CampaignClient(stage.url, seed, TRACKING)
        killer = Killer(stage.victims, scenario.pause, random.Random(f"{seed}/kills"))
        stage.sandbox.all_faults(scenario.fault, refuse_connection=scenario.fault / 10)
        with killer.at_work():
            in_campaign = scenario.messages // 2
            client.create(plan_campaigns(in_campaign, campaigns=1, seed=seed, plain=True))
            _send(client, scenario.messages - in_campaign, seed=seed)
            _await(lambda: _statuses(folder).total() == scenario.messages, 120.0)
            time.sleep(scenario.quiet_kills)
        stage.sandbox.clear_faults()
        quiet = time.monotonic()
        _await(lambda: not _open(folder), SETTLE_SECONDS)
        statuses, left = _statuses(folder), _open(folder)
        counts = Counter({f"status {status}": number for status, number in statuses.items()})
        counts["seconds until all were final"] = round(time.monotonic() - quiet)
        flaws = [*client.flaws]
        if statuses.total() != scenario.messages:
            flaws.append(f"{statuses.total()} of {scenario.messages} messages are in the ledger")
        if left:
            flaws.append(f"{left} messages are open, and nothing follows them: {dict(statuses)}")
        counts += client.counts + provider_counts(stage)
    return Outcome(flaws, [], [], counts, len(killer.kills), time.monotonic() - begun)


def _send(client: CampaignClient, messages: int, *, seed: int) -> None:
    """Requests of some records each, repeated with their key until they are answered."""

    def post(first: int) -> None:
        numbers = range(first, min(first + RECORDS_EACH, messages))
        records = [{"to": f"+1555{3_000_000 + number:07d}", "n": str(number)} for number in numbers]
        body = {"message": f"Polling soak {seed}: <n>", "records": records, "tracking": TRACKING}
        headers = {"Idempotency-Key": f"polling-{seed}-{first}"}
        while True:
            try:
                answer = requests.post(f"{client.url}/v1/messages:send", json=body, headers=headers, timeout=60)
            except requests.RequestException:
                time.sleep(0.3)
                continue
            if answer.status_code == 200:
                return
            time.sleep(min(5.0, float(answer.headers.get("Retry-After", 0.3))))

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(post, range(0, messages, RECORDS_EACH)))


def _await(arrived: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not arrived() and time.monotonic() < deadline:
        time.sleep(1.0)


def _records(folder: Path) -> list[tuple[str, str]]:
    """Status and phase of every message."""
    connection = sqlite3.connect(f"file:{folder / 'ledger.db'}?mode=ro", uri=True, timeout=30.0)
    try:
        own = [json.loads(data) for (data,) in connection.execute("SELECT data FROM messages")]
        blocks = [json.loads(data) for (data,) in connection.execute("SELECT data FROM blocks")]
    finally:
        connection.close()
    items = [item for block in blocks for item in block["items"].values()]
    return [(each["status"], each["phase"]) for each in [*own, *items]]


def _statuses(folder: Path) -> Counter[str]:
    return Counter(status for status, _ in _records(folder))


def _open(folder: Path) -> int:
    return sum(status in OPEN or phase != "done" for status, phase in _records(folder))
