"""How long the Pulumi program itself takes for the full configuration, under mocks.

What a real preview adds is the command's and the plugin's own time. Each run is a process of its own: imports are part of what one
waits for.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from .figures import Figure, Figures

BENCH = 9
TITLE = "preview of the Pulumi program under mocks, everything configured"
ROOT = Path(__file__).resolve().parents[2]
BAR_SECONDS = 3.0
ONE_RUN = """
import sys, time
sys.path[:0] = ["infra", "."]
started = time.perf_counter()
from tests.infra import harness
from tests.infra.configurations import CONFIGURATIONS
full = CONFIGURATIONS["everything"]
stack = harness.run(full.plain, secrets=full.secret, preview=True)
print(len(stack.resources), time.perf_counter() - started, time.process_time())
"""


def run(*, quick: bool) -> list[Figure]:
    runs = [_run_once() for _ in range(2 if quick else 5)]
    figures = Figures(BENCH)
    return [
        figures.at_most("from start to the last resource, fastest run", min(run[1] for run in runs), BAR_SECONDS, " s"),
        figures.note("the same, median", _median(runs, 1), " s"),
        figures.note("the processor's part, median", _median(runs, 2), " s"),
        figures.note("resources registered", _median(runs, 0), digits=0),
    ]


def _run_once() -> tuple[float, float, float]:
    """(resources, seconds, the processor's seconds)."""
    done = subprocess.run([sys.executable, "-c", ONE_RUN], capture_output=True, text=True, check=True, cwd=ROOT)
    resources, seconds, processor = map(float, done.stdout.split())
    return resources, seconds, processor


def _median(runs: list[tuple[float, float, float]], column: int) -> float:
    return statistics.median(run[column] for run in runs)
