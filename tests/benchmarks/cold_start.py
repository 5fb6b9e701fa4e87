"""4: from the start of the process to its first answer, beside a functions-framework hello world, and the memory of both."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ

from .figures import Figure, Figures, paired_ratio

TITLE = "cold start and resident memory beside a functions-framework hello world"
HELLO = 'def connector(request):\n    return "hello"\n'
DRY_RUN = b'{"to": "+15558675310", "message": "Your code is 1234", "dryRun": true}'
JSON = {"Content-Type": "application/json"}
PATIENCE = 30.0


@dataclass(slots=True)
class _Runs:
    """Seconds to the first answers, MiB resident after them."""

    first: list[float] = field(default_factory=list)
    dry_run: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)


def run(*, quick: bool) -> list[Figure]:
    rounds = 3 if quick else 11
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "main.py").write_text(HELLO)
        hello, ours = _Runs(), _Runs()
        for number in range(rounds + 1):
            first, second = ((folder, hello), (ROOT / "function", ours))[:: 1 if number % 2 else -1]
            for source, runs in (first, second):
                _start_once(source / "main.py", folder, _Runs() if not number else runs, ours=runs is ours)
    return _judge(hello, ours)


def _start_once(source: Path, folder: Path, runs: _Runs, *, ours: bool) -> None:
    """The very first pair only writes bytecode, as the platform's build does, and is not counted."""
    environ = connector_environ(folder, "http://127.0.0.1:9")
    function = FunctionProcess(source, environ, folder / "function.log")
    begun = time.perf_counter()
    function.start()
    try:
        _await_answer(function.port, "GET", "/health" if ours else "/")
        runs.first.append(time.perf_counter() - begun)
        if ours:
            _await_answer(function.port, "POST", "/v1/messages:send", DRY_RUN)
            runs.dry_run.append(time.perf_counter() - begun)
        runs.resident.append(_resident(function.process.pid if function.process else 0))
    finally:
        function.kill()


def _await_answer(port: int, method: str, path: str, body: bytes | None = None) -> None:
    """As light as can be: the asking takes CPU that the start needs."""
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        connection = HTTPConnection("127.0.0.1", port)
        with suppress(ConnectionError):
            connection.request(method, path, body, JSON if body else {})
            answer = connection.getresponse()
            if answer.status == 200 and answer.read():
                return
        connection.close()
        time.sleep(0.003)
    raise RuntimeError(f"{method} {path} was not answered with 200 in {PATIENCE} s")


def _resident(leader: int) -> float:
    """MiB of the server and its workers together."""
    processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return sum(_resident_kib(process) for process in processes if _group(process) == leader) / 1024


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return -1


def _resident_kib(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _judge(hello: _Runs, ours: _Runs) -> list[Figure]:
    figures = Figures(4)
    above = median(ours.resident) - median(hello.resident)
    return [
        figures.at_most("first answer of GET /health ÷ hello world", paired_ratio(ours.first, hello.first), 1.5, " ×"),
        figures.at_most(
            "first messages:send (dryRun) ÷ hello world", paired_ratio(ours.dry_run, hello.first), 1.5, " ×"
        ),
        figures.note("hello world, first answer", _milliseconds(hello.first), " ms", digits=0),
        figures.note("connector, first answer", _milliseconds(ours.first), " ms", digits=0),
        figures.note("connector, first dry run after it", _milliseconds(ours.dry_run), " ms", digits=0),
        figures.at_most("resident memory above hello world, server and worker", above, 60, " MiB", digits=1),
        figures.note("resident memory, server and worker", median(ours.resident), " MiB", digits=1),
    ]


def _milliseconds(seconds: list[float]) -> float:
    return median(seconds) * 1000
