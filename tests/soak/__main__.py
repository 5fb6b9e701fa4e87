"""`python -m tests.soak`: thousands of messages, every fault, processes killed at random; 1 where a promise was not kept.

python -m tests.soak [--scenario messages] [--messages 2000] [--seed 1] [--short] [--keep <folder>]
python -m tests.soak --scenario campaigns [--backend sqlite|google] [--workers 4] …
python -m tests.soak --scenario polling: no callbacks, and nothing is sent afterwards: everything still becomes final
python -m tests.soak --scenario rotation: a token is rotated at the full rate, by a rotator that is killed again and again
python -m tests.soak --scenario rate [--connection-rate 40] [--kill] …: no faults; how even, and how many calls
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sandbox.providers import PACKAGES

from . import campaign_run
from .campaign_rate import measure
from .campaign_run import CampaignScenario, soak_campaigns
from .campaign_stage import BACKENDS
from .intents import MIXED, RESENT
from .polling_run import PollingScenario, soak_polling
from .rotation_run import RotationScenario, soak_rotation
from .run import FULL, SHORT, Outcome, soak

CALM = CampaignScenario(messages=7000)


def main() -> int:
    given = _parse()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(given.keep)) if given.keep else tempfile.TemporaryDirectory(prefix="sms-soak-") as folder:
        return SCENARIOS[given.scenario](given, Path(folder))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, default="messages")
    parser.add_argument("--backend", choices=BACKENDS, default="sqlite", help="of campaigns")
    parser.add_argument("--workers", type=int, help="of campaigns")
    parser.add_argument("--provider", choices=PACKAGES, default="twilio", help="of campaigns")
    parser.add_argument("--connection-rate", type=int, help="with --scenario rate: SMS_CONNECTION_RATE")
    parser.add_argument("--kill", action="store_true", help="with --scenario rate: a worker dies, another joins")
    parser.add_argument("--on-unknown", choices=RESENT, default=MIXED, help="what requests ask for")
    parser.add_argument("--messages", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="another run, told apart by its number")
    parser.add_argument("--short", action="store_true", help="the form that is part of make test")
    parser.add_argument("--keep", type=Path, help="leave ledger and logs in this folder")
    return parser.parse_args()


def _soak_messages(given: argparse.Namespace, folder: Path) -> int:
    scenario = SHORT if given.short else FULL
    scenario = replace(scenario, messages=given.messages or scenario.messages, on_unknown=given.on_unknown)
    print(f"soak: {scenario}, seed {given.seed} …", flush=True)
    return show(soak(scenario, folder, seed=given.seed))


def _soak_campaigns(given: argparse.Namespace, folder: Path) -> int:
    scenario = _adapt(campaign_run.SHORT if given.short else campaign_run.FULL, given)
    print(f"soak: {scenario}, seed {given.seed} …", flush=True)
    return show(soak_campaigns(scenario, folder, seed=given.seed))


def _soak_polling(given: argparse.Namespace, folder: Path) -> int:
    scenario = PollingScenario(messages=given.messages or PollingScenario().messages)
    print(f"soak: {scenario}, seed {given.seed} …", flush=True)
    return show(soak_polling(scenario, folder, seed=given.seed))


def _measure_rate(given: argparse.Namespace, folder: Path) -> int:
    scenario = _adapt(CALM, given)
    pace = measure(scenario, folder, seed=given.seed, connection_rate=given.connection_rate, kill=given.kill)
    flaws = list(pace.flaws())
    print("\n".join([*pace.lines(), *(f"MISSED {problem_text}" for problem_text in flaws)]))
    return int(bool(flaws))


def _adapt(scenario: CampaignScenario, given: argparse.Namespace) -> CampaignScenario:
    return replace(
        scenario,
        messages=given.messages or scenario.messages,
        workers=given.workers or scenario.workers,
        backend=given.backend,
        on_unknown=given.on_unknown,
        provider=given.provider,
    )


def _soak_rotation(given: argparse.Namespace, folder: Path) -> int:
    scenario = RotationScenario(messages=given.messages or RotationScenario().messages)
    print(f"soak: {scenario}, seed {given.seed} …", flush=True)
    return show(soak_rotation(scenario, folder, seed=given.seed))


SCENARIOS = {
    "rotation": _soak_rotation,
    "messages": _soak_messages,
    "campaigns": _soak_campaigns,
    "polling": _soak_polling,
    "rate": _measure_rate,
}


def show(outcome: Outcome) -> int:
    """1 where a promise was not kept."""
    console = Console()
    for story in [*outcome.stories, *outcome.curious]:
        console.print(story, markup=False, highlight=False, soft_wrap=True)
    for problem_text in outcome.flaws:
        console.print(f"FLAW {problem_text}", style="red", markup=False, highlight=False, soft_wrap=True)
    table = Table(title=f"{outcome.kills} kills in {outcome.seconds:.0f} s", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, number in sorted(outcome.counts.items()):
        table.add_row(name, str(number))
    table.add_section()
    table.add_row("promises not kept", str(len(outcome.flaws)), style="bold red" if outcome.flaws else "bold green")
    console.print(table)
    return int(bool(outcome.flaws))


if __name__ == "__main__":
    sys.exit(main())
