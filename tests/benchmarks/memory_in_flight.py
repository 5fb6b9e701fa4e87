"""5: memory per message in flight: messages that were sent and whose requests wait for them to be delivered."""

from __future__ import annotations

from tests.fixtures.processes import clean_environ, run_script, sandbox_process

from .figures import Figure, Figures

TITLE = "memory per message in flight"
REQUEST = 1000


def run(*, quick: bool) -> list[Figure]:
    requests = 3 if quick else 20
    sizes: dict[str, float] = {}
    for way in ("traced", "resident"):
        with sandbox_process("--delivery-seconds=3600") as sandbox:
            sizes[way] = float(
                run_script("tests.benchmarks.memory_worker", [sandbox.url, str(requests), way], environ=clean_environ())
            )
    figures, bar = Figures(5), 4.0
    what = f"per message, {REQUEST * requests} waiting"
    return [
        figures.at_most(f"{what}: allocated by Python (tracemalloc)", sizes["traced"] / 1024, bar, " KiB"),
        figures.at_most(f"{what}: resident memory of the process", sizes["resident"] / 1024, bar, " KiB"),
    ]
