"""What a soak runs on: the sandbox with its faults on, and processes that are killed and started again at the same address."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from sandbox import AdminClient
from tests.fixtures.processes import FunctionProcess, connector_environ, sandbox_process

from .intents import OPTED_OUT

ENTRY = Path(__file__).with_name("connector_main.py")
# Requests that wait for their tracking hold a thread each.
THREADS = "48"


@dataclass(frozen=True, slots=True)
class Stage:
    """`victims` are the processes that may be killed; the first of them is the connector."""

    sandbox: AdminClient
    victims: tuple[FunctionProcess, ...]
    ledger: Path

    @property
    def url(self) -> str:
        return self.victims[0].url


@contextlib.contextmanager
def on_sqlite(folder: Path, *, seed: int) -> Iterator[Stage]:
    """One connector on a SQLite ledger. It has opted one recipient out."""
    with sandbox_process("--delivery-seconds=1", f"--seed={seed}") as sandbox:
        environ = connector_environ(folder, sandbox.url, THREADS=THREADS)
        with FunctionProcess(ENTRY, environ, folder / "connector.log").running() as connector:
            requests.put(f"{connector.url}/v1/optOuts/{OPTED_OUT}", json={}, timeout=10).raise_for_status()
            yield Stage(sandbox, (connector,), folder / "ledger.db")


def switch_faults_on(sandbox: AdminClient, probability: float) -> None:
    """Every kind of the sandbox's, each as likely; every way in which a 2xx can't be read; slower than anybody waits."""
    sandbox.all_faults(probability)
    for variant in ("html", "empty", "short"):
        sandbox.fault("unreadable_2xx", variant=variant, probability=probability / 3)
    sandbox.fault("slow", seconds=3, probability=probability)


@dataclass(slots=True)
class Killer:
    """SIGKILL for one of the victims every so often, at moments the seed decides; `kills` are their times (epoch)."""

    victims: Sequence[FunctionProcess]
    pause: tuple[float, float]
    dice: random.Random
    most: int | None = None
    kills: list[float] = field(default_factory=list)
    failure: Exception | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Until the block ends; then every victim is up."""
        thread = threading.Thread(target=self._run, name="killer")
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._done.wait(self.dice.uniform(*self.pause)) and (self.most or 1e9) > len(self.kills):
                victim = self.dice.choice(self.victims)
                self.kills.append(time.time())
                victim.kill()
                victim.start()
                victim.await_health()
        except RuntimeError as failure:
            self.failure = failure
