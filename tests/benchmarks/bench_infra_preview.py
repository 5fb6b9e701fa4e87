"""How long the Pulumi program itself takes for the full configuration, under mocks: `python -m tests.benchmarks.bench_infra_preview`.

What a real preview adds is the command's and the plugin's own time. The bar is 3 s (issue 5); on a busy machine the processor's
seconds say more than the clock's.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 5
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


def run_once() -> tuple[int, float, float]:
    """(resources, seconds, the processor's seconds) in a process of its own: imports are part of what one waits for."""
    done = subprocess.run([sys.executable, "-c", ONE_RUN], capture_output=True, text=True, check=True)
    resources, seconds, processor = done.stdout.split()
    return int(resources), float(seconds), float(processor)


def main() -> None:
    started = time.perf_counter()
    runs = [run_once() for _ in range(RUNS)]
    seconds = sorted(run[1] for run in runs)
    processor = statistics.median(run[2] for run in runs)
    print(
        f"preview of the full configuration under mocks: {runs[0][0]} resources, fastest {seconds[0]:.2f} s, "
        f"median {statistics.median(seconds):.2f} s, slowest {seconds[-1]:.2f} s of {RUNS} runs, "
        f"{processor:.2f} s of processor (bar: 3 s; all took {time.perf_counter() - started:.0f} s)"
    )


if __name__ == "__main__":
    main()
