"""The connection's rate over processes that share nothing but the ledger's file: four nodes, one killed, one joining.

Every node has work enough for its own 25 a second, so all of the connection's 40 are wanted all the time. What a killed node
held is nobody's until its lease has ended and a window has passed: that dip is measured by itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fixtures.processes import ROOT, clean_environ

from .figures import Figure, Figures, most_in_a_second

BENCH = 8
TITLE = "a connection's 40 a second over four nodes, one killed and one joining"
RATE = 40
NODES = 4
SETTLE = 4.0


def run(*, quick: bool) -> list[Figure]:
    part = 6.0 if quick else 25.0
    with tempfile.TemporaryDirectory() as name, _nodes(Path(name)) as (folder, nodes):
        for _ in range(NODES):
            nodes.append(_start(folder))
        time.sleep(SETTLE + part)
        nodes[0].kill()
        killed = time.monotonic()
        time.sleep(SETTLE + part)
        nodes.append(_start(folder))
        joined = time.monotonic()
        time.sleep(SETTLE + part)
        ended = time.monotonic()
        pairs = [line.split() for file in folder.glob("*.stamps") for line in file.read_text().splitlines()]
    let_go, left = (sorted(float(pair[column]) for pair in pairs if float(pair[1]) < ended) for column in (0, 1))
    late = max(float(pair[1]) - float(pair[0]) for pair in pairs)
    figures = Figures(BENCH)
    return [
        figures.at_most("most calls of all nodes let go in any 1 s", most_in_a_second(let_go), RATE, digits=0),
        figures.note("most calls of all nodes that left in any 1 s", most_in_a_second(left), digits=0),
        figures.note("the latest a call left after it was let go", late * 1000, " ms", digits=1),
        *_judge(let_go, killed, joined, part=part),
    ]


@contextmanager
def _nodes(folder: Path) -> Iterator[tuple[Path, list[subprocess.Popen[bytes]]]]:
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        yield folder, nodes
    finally:
        for node in nodes:
            node.kill()
            node.wait()


def _start(folder: Path) -> subprocess.Popen[bytes]:
    stamps = folder / f"{time.monotonic_ns()}.stamps"
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.shares_worker",
        str(folder / "ledger.db"),
        str(RATE),
        str(stamps),
    ]
    return subprocess.Popen(command, env=clean_environ(), cwd=ROOT)


def _judge(stamps: Sequence[float], killed: float, joined: float, *, part: float) -> list[Figure]:
    figures = Figures(BENCH)
    begun = stamps[0] + SETTLE
    lost = RATE * (joined - killed) - _count(stamps, killed, joined)
    return [
        figures.at_least("sustained by four nodes", _rate(stamps, begun, killed), 39, "/s"),
        figures.at_least("sustained by the three that are left", _rate(stamps, joined - part, joined), 39, "/s"),
        figures.at_least("sustained while one joins", _rate(stamps, joined, stamps[-1]), 39, "/s"),
        figures.note("calls not made because of the kill", lost, digits=0),
        figures.note("over all, kill and join included", _rate(stamps, begun, stamps[-1]), "/s"),
    ]


def _count(stamps: Sequence[float], begin: float, end: float) -> int:
    return sum(begin < stamp <= end for stamp in stamps)


def _rate(stamps: Sequence[float], begin: float, end: float) -> float:
    return _count(stamps, begin, end) / (end - begin)
