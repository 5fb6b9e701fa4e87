"""`make bench`: every benchmark, a table at the end, and the numbers into docs/performance.md.

    python -m tests.benchmarks [--only 1,3] [--quick] [--no-write]

Ends with 1 where a bar is missed. `--quick` is for working on the benchmarks: small sizes, nothing written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from . import report
from .figures import Figure

# Modules with a TITLE and `run(*, quick)`; the next benchmark is one more line.
BENCHMARKS = {
    1: "ideal_time",
    2: "throttle_load",
    3: "cpu_per_message",
    4: "cold_start",
    5: "memory_in_flight",
    6: "bench_webhook",
    7: "bench_campaign_intake",
    8: "bench_shares",
    9: "bench_infra_preview",
    10: "campaign_pace",
    11: "entity_listing",
    12: "entity_load",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(map(str, BENCHMARKS)), help="numbers, with commas between")
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance.md as it is")
    given = parser.parse_args()
    wanted = [int(number) for number in given.only.split(",")]
    benchmarks = _load()
    figures = _run(benchmarks, wanted, quick=given.quick)
    titles = {number: module.TITLE for number, module in benchmarks.items()}
    report.show(figures, titles)
    if not given.quick and not given.no_write and wanted == list(BENCHMARKS):
        report.write(figures, titles)
    return int(any(figure.verdict == "MISSED" for figure in figures))


def _load() -> dict[int, ModuleType]:
    """Some of them use the connector's own code, which is not installed but lies in function/."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "function"))
    return {number: import_module(f".{name}", __package__) for number, name in BENCHMARKS.items()}


def _run(benchmarks: Mapping[int, ModuleType], wanted: Sequence[int], *, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for number in wanted:
        begun = time.monotonic()
        print(f"{number}. {benchmarks[number].TITLE} …", flush=True)
        figures += benchmarks[number].run(quick=quick)
        print(f"   {time.monotonic() - begun:.0f} s", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
