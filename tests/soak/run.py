"""One soak from beginning to end: traffic under faults and kills, then quiet, then the reckoning."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .audit import judge
from .intents import MIXED, plan
from .stage import Killer, Stage, on_sqlite, switch_faults_on
from .story import tell
from .traffic import Traffic, read_messages
from .witness import read_witness

# Longer than the connector's own windows (connector_main.py), with its last looks.
SETTLE_SECONDS = 60.0
STORIES = 10


@dataclass(frozen=True, slots=True)
class Scenario:
    """`fault` is the chance of each kind of fault on each call to the provider; `pause` the seconds between two kills."""

    messages: int
    clients: int
    fault: float
    pause: tuple[float, float]
    largest_request: int = 40
    most_kills: int | None = None
    on_unknown: str = MIXED


SHORT = Scenario(messages=70, clients=8, fault=0.02, pause=(0.8, 2.0), largest_request=12, most_kills=3)
FULL = Scenario(messages=2000, clients=16, fault=0.015, pause=(2.0, 6.0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`flaws` are what must not be: empty where the soak was passed. `stories` tell the first of them in full, `curious` the first
    messages that stayed unknown though the provider has them."""

    flaws: list[str]
    stories: list[str]
    curious: list[str]
    counts: Counter[str]
    kills: int
    seconds: float


def soak(scenario: Scenario, folder: Path, *, seed: int) -> Outcome:
    begun = time.monotonic()
    wanted = plan(scenario.messages, seed=seed, largest=scenario.largest_request, on_unknown=scenario.on_unknown)
    with on_sqlite(folder, seed=seed) as stage:
        traffic = Traffic(stage.url, scenario.clients, seed)
        killer = Killer(stage.victims, scenario.pause, random.Random(f"{seed}/kills"), scenario.most_kills)
        with _faults(stage, scenario.fault), killer.at_work():
            reports = traffic.run(wanted)
        messages = read_messages(stage.url, [each.id for each in reports if each.id], until_final=SETTLE_SECONDS)
        verdict = judge(reports, messages, read_witness("twilio", stage.sandbox.messages()))
        flaws = [f"{what}: {case.text!r}" for what, case in verdict.violations] + traffic.flaws
        stories = [f"{what}\n{tell(case, stage, kills=killer.kills)}" for what, case in verdict.violations[:STORIES]]
        curious = [f"unresolved\n{tell(case, stage, kills=killer.kills)}" for case in verdict.unresolved[:STORIES]]
        counts = verdict.counts + traffic.counts + _provider_counts(stage)
    return Outcome(flaws, stories, curious, counts, len(killer.kills), time.monotonic() - begun)


@contextmanager
def _faults(stage: Stage, probability: float) -> Iterator[None]:
    switch_faults_on(stage.sandbox, probability)
    yield
    stage.sandbox.clear_faults()


def _provider_counts(stage: Stage) -> Counter[str]:
    summary = stage.sandbox.summary()
    counts = Counter({f"fault {kind}": number for kind, number in summary["faults"].items()})
    counts["provider: messages"] = len(stage.sandbox.messages())
    counts["provider: calls"] = summary["total"]
    return counts
