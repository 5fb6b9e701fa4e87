"""One soak of campaigns from beginning to end: sending under faults and kills, then quiet, then the reckoning."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from .campaign_audit import Account, flaws_of, judge_campaigns
from .campaign_client import CampaignClient, Json
from .campaign_plan import plan_campaigns
from .campaign_stage import BACKENDS, CampaignStage, Cast, on_stage
from .campaign_story import Teller
from .intents import MIXED
from .run import STORIES, Outcome
from .stage import Killer
from .witness import read_witness

# Longer than the functions' own windows (patience.py), with the looks of several maintenance runs, one each minute, and with Vibes'
# pause of 300 s before it repeats a callback.
SETTLE_SECONDS = 400.0
NODE_RATE = 25
# How long a run may take, in parts of what it would take with nothing in its way.
PATIENCE = 8.0
OPEN = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
TRACKING = {"retryIntervalMillis": 1000, "retryAttempts": 100}
CALLBACKS = {
    "delaySeconds": 0.5,
    "repeat": 2,
    "repeatChance": 0.2,
    "reorder": 0.3,
    "beforeAnswer": 0.2,
    "drop": 0.05,
}


@dataclass(frozen=True, slots=True)
class CampaignScenario:
    """`fault` is the chance of each kind of fault on each call to the provider; `pause` the seconds between two kills."""

    messages: int
    workers: int = 4
    campaigns: int = 5
    fault: float = 0.008
    pause: tuple[float, float] = (2.0, 6.0)
    most_kills: int | None = None
    backend: str = "sqlite"
    on_unknown: str = MIXED
    provider: str = "twilio"

    @property
    def patience(self) -> float:
        return 120 + PATIENCE * self.messages / self.workers / NODE_RATE


SHORT = CampaignScenario(messages=100, workers=2, campaigns=2, fault=0.01, pause=(0.5, 1.5), most_kills=3)
FULL = CampaignScenario(messages=10_000)


def soak_campaigns(scenario: CampaignScenario, folder: Path, *, seed: int) -> Outcome:
    begun = time.monotonic()
    cast, backend = Cast.of(scenario.workers), BACKENDS[scenario.backend]
    with on_stage(folder, cast, backend=backend, seed=seed, provider=scenario.provider) as stage:
        client = CampaignClient(stage.url, seed, TRACKING)
        killer = Killer(stage.victims, scenario.pause, random.Random(f"{seed}/kills"), scenario.most_kills)
        with _faults(stage, scenario.fault), killer.at_work():
            orders = plan_campaigns(
                scenario.messages, campaigns=scenario.campaigns, seed=seed, on_unknown=scenario.on_unknown
            )
            created = client.create(orders)
            client.await_campaigns(created, _is_sent, seconds=scenario.patience)
        documents = client.await_campaigns(created, is_settled, seconds=SETTLE_SECONDS)
        accounts = [Account(c, document, client.results(c.id)) for c, document in zip(created, documents, strict=True)]
        return _reckon(stage, client, accounts, killer=killer, seconds=time.monotonic() - begun)


def _reckon(
    stage: CampaignStage, client: CampaignClient, accounts: Sequence[Account], *, killer: Killer, seconds: float
) -> Outcome:
    can = client.get("/v1/connection")["capabilities"]
    witness = read_witness(stage.provider, stage.sandbox.messages())
    has_list = stage.provider == "twilio"
    verdict = judge_campaigns(accounts, witness, may_stay_unknown=not (has_list or can["idempotentSend"]))
    flaws = [f"{what}: {case.text!r}" for what, case in verdict.violations] + client.flaws
    flaws += [problem_text for account in accounts for problem_text in flaws_of(account)]
    teller = Teller(stage, client, killer.kills)
    stories = [f"{what}\n{teller.tell(case)}" for what, case in verdict.violations[:STORIES]]
    curious = [f"unresolved\n{teller.tell(case)}" for case in verdict.unresolved[:STORIES]]
    counts = verdict.counts + client.counts + provider_counts(stage)
    return Outcome(flaws, stories, curious, counts, len(killer.kills), seconds)


def _is_sent(document: Json) -> bool:
    return document.get("waiting") == 0 or document.get("state") == "done"


def is_done(document: Json) -> bool:
    return document.get("state") == "done"


def is_settled(document: Json) -> bool:
    """Return whether every message has a final status: attempts may be used up long before a callback comes again."""
    return is_done(document) and not document["open"] and not OPEN & document["counts"].keys()


@contextmanager
def _faults(stage: CampaignStage, probability: float) -> Iterator[None]:
    """Every kind of the sandbox's; the one that shuts its door to everybody for a second more seldom, as it strikes all nodes."""
    # A report that is lost for good is made up for by polling, where the provider can be asked: Vibes by the id that a report tells.
    can = requests.get(f"{stage.url}/v1/connection", timeout=30).json()["capabilities"]
    polled = can["statusByPolling"] and stage.provider != "vibes"
    stage.sandbox.settings(callbacks=CALLBACKS if polled else {**CALLBACKS, "drop": 0.0})
    stage.sandbox.all_faults(probability, refuse_connection=probability / 10)
    for variant in ("html", "empty", "short"):
        stage.sandbox.fault("unreadable_2xx", variant=variant, probability=probability / 3)
    stage.sandbox.fault("slow", seconds=3, probability=probability)
    yield
    stage.sandbox.clear_faults()


def provider_counts(stage: CampaignStage) -> Counter[str]:
    summary = stage.sandbox.summary()
    counts = Counter({f"fault {kind}": number for kind, number in summary["faults"].items()})
    counts["provider: messages"] = len(stage.sandbox.messages())
    counts["provider: calls"] = summary["total"]
    counts.update(f"callback answered {attempt['status'] or 'nothing'}" for attempt in stage.sandbox.callbacks())
    return counts
