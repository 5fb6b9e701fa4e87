"""`python -m tests.soak`: two thousand messages, every fault, the connector killed at random; 1 where a promise was not kept.

python -m tests.soak [--messages 2000] [--seed 1] [--short] [--keep <folder>]
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

from .run import FULL, SHORT, Outcome, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--messages", type=int, help=f"how many (default {FULL.messages})")
    parser.add_argument("--seed", type=int, default=1, help="another run, told apart by its number")
    parser.add_argument("--short", action="store_true", help="the form that is part of make test")
    parser.add_argument("--keep", type=Path, help="leave ledger and log in this folder")
    given = parser.parse_args()
    scenario = SHORT if given.short else FULL
    scenario = replace(scenario, messages=given.messages or scenario.messages)
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(given.keep)) if given.keep else tempfile.TemporaryDirectory(prefix="sms-soak-") as folder:
        print(f"soak: {scenario}, seed {given.seed} …", flush=True)
        outcome = soak(scenario, Path(folder), seed=given.seed)
    show(outcome)
    return int(bool(outcome.flaws))


def show(outcome: Outcome) -> None:
    console = Console()
    for story in outcome.stories:
        console.print(story, markup=False, highlight=False, soft_wrap=True)
    for flaw in outcome.flaws:
        console.print(f"FLAW {flaw}", style="red", markup=False, highlight=False, soft_wrap=True)
    table = Table(title=f"{outcome.kills} kills in {outcome.seconds:.0f} s", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, number in sorted(outcome.counts.items()):
        table.add_row(name, str(number))
    table.add_section()
    table.add_row("promises not kept", str(len(outcome.flaws)), style="bold red" if outcome.flaws else "bold green")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
