"""3: CPU per message with the limit lifted, beside the official SDK and a bare `requests.Session`.

Each way runs in a process of its own against one sandbox, and the ways take turns: a round of each, then again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from subprocess import PIPE, Popen
from sys import executable

from tests.fixtures.processes import ROOT, clean_environ, sandbox_process

from .figures import Figure, Figures, paired_ratio

TITLE = "CPU per message with the limit lifted"
CONNECTOR, SDK, SESSION, TRANSPORT = "connector", "sdk", "session", "transport"
WAYS = (CONNECTOR, SDK, SESSION, TRANSPORT)


def run(*, quick: bool) -> list[Figure]:
    messages, rounds = (200, 2) if quick else (1000, 7)
    with sandbox_process("--instant") as sandbox:
        cpu = _measure(sandbox.url, messages, rounds)
    figures = Figures(3)
    rate = {way: median(messages / seconds for seconds in cpu[way]) for way in WAYS}
    return [
        figures.at_least("connector ÷ official SDK", paired_ratio(cpu[SDK], cpu[CONNECTOR]), 1.5, " ×"),
        figures.at_least("connector ÷ bare requests.Session", paired_ratio(cpu[SESSION], cpu[CONNECTOR]), 1.4, " ×"),
        figures.note("connector: messages per CPU-second, durable ledger included", rate[CONNECTOR], "/s", digits=0),
        figures.note("official SDK (one client, messages.create)", rate[SDK], "/s", digits=0),
        figures.note("bare requests.Session, same form, answer parsed", rate[SESSION], "/s", digits=0),
        figures.note("our provider room and transport alone", rate[TRANSPORT], "/s", digits=0),
    ]


def _measure(url: str, messages: int, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each round, by way."""
    cpu: dict[str, list[float]] = {way: [] for way in WAYS}
    with ExitStack() as closing:
        workers = {way: closing.enter_context(_start(way, url, messages)) for way in WAYS}
        for way, worker in _in_turn(workers, rounds):
            if worker.stdin is None or worker.stdout is None:
                raise RuntimeError("a worker without pipes")
            worker.stdin.write("round\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            cpu[way].append(json.loads(line)["cpu"])
        for worker in workers.values():
            if worker.stdin is not None:
                worker.stdin.close()
    return cpu


def _in_turn(workers: dict[str, Popen[str]], rounds: int) -> Iterator[tuple[str, Popen[str]]]:
    for _ in range(rounds):
        yield from workers.items()


def _start(way: str, url: str, messages: int) -> Popen[str]:
    command = [executable, "-m", "tests.benchmarks.cpu_worker", way, url, str(messages)]
    return Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=clean_environ(), cwd=ROOT)
