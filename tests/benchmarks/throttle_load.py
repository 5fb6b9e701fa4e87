"""2: the node's limit under load: several requests at once, sends and polls, for half a minute and more.

Counted three times: by the connector as each call starts, by the kernel as it is on the wire, and by the simulator as it arrives.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from tests.fixtures.processes import clean_environ, run_script, sandbox_process
from tests.fixtures.wiretap import Wiretap, can_tap, tapping

from .figures import Figure, Figures, most_in_a_second, sustained_rate

RATE = 25
NAP = 0.001
TITLE = "the throttle under load: three requests at once, polls among them"


def run(*, quick: bool) -> list[Figure]:
    count = 70 if quick else 320
    with sandbox_process("--delivery-seconds=2") as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pauses_of_this_machine() as pauses, tapping(port) if can_tap() else nullcontext() as tap:
            output = run_script("tests.benchmarks.throttle_worker", [sandbox.url, str(count)], environ=clean_environ())
        last_send = sandbox.starts(method="POST")[-1]
        arrivals = [stamp for stamp in sandbox.starts() if stamp <= last_send]
    figures, found = Figures(2), json.loads(output)
    starts = found["starts"]
    seconds = starts[-1] - starts[0]
    return [
        figures.at_most("most starts in any 1 s, at the connector", most_in_a_second(starts), RATE, digits=0),
        *_judge_on_the_way(figures, tap, arrivals),
        figures.at_least(f"sustained over {seconds:.0f} s, at the connector", sustained_rate(starts), 24.9, "/s"),
        figures.at_least(f"sustained over {seconds:.0f} s, at the provider", sustained_rate(arrivals), 24.9, "/s"),
        figures.note("polls among the sends", found["polls"], digits=0),
        figures.note("longest pause of this machine meanwhile", max(pauses) * 1000, " ms", digits=1),
    ]


def _judge_on_the_way(figures: Figures, tap: Wiretap | None, arrivals: list[float]) -> Iterator[Figure]:
    """The kernel's word is exact. The simulator's is later by whatever kept the simulator, and is judged only where it is all
    there is."""
    what = "most requests in any 1 s, as the simulator gets round to them"
    if tap is None:
        yield figures.at_most(what, most_in_a_second(arrivals), RATE, digits=0)
        return
    yield figures.at_most(
        "most requests in any 1 s, on the wire (the kernel's stamps)", most_in_a_second(tap.starts()), RATE, digits=0
    )
    yield figures.note(what, most_in_a_second(arrivals), digits=0)


@contextmanager
def pauses_of_this_machine() -> Iterator[list[float]]:
    """How much later, in seconds, than asked for a thread wakes that has nothing else to do: so late may an arrival be dated."""
    pauses, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            before = time.monotonic()
            time.sleep(NAP)
            pauses.append(time.monotonic() - before - NAP)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield pauses
    finally:
        done.set()
        watcher.join()
