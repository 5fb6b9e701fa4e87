"""4: from the start of the process to its first answer, beside a functions-framework hello world, and the memory of both."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ

from .figures import Figure, Figures, paired_ratio

TITLE = "cold start and resident memory beside a functions-framework hello world"
FIRESTORE = "from google.cloud.firestore_v1.services.firestore import FirestoreClient\n"
TASKS = "from google.cloud.tasks_v2 import CloudTasksClient\n"
HELLO = 'def {}(request):\n    return "hello"\n'
DRY_RUN = b'{"to": "+15558675310", "message": "Your code is 1234", "dryRun": true}'
JSON = {"Content-Type": "application/json"}
PATIENCE = 30.0
CALLBACKS = {"SMS_WEBHOOK_URL": "https://webhook.example", "SMS_QUEUE": "cloud-tasks:a-project/europe-west3"}
# Google's libraries import it where it is installed: it is here, and not where the functions run (function/requirements.txt).
NOT_DEPLOYED = "aiohttp"
# Neither client is used before the first answers: they are made at the first call.
AS_DEPLOYED = CALLBACKS | {
    "SMS_LEDGER": "firestore:a-project/a-database",
    "SMS_CONNECTOR_URL": "https://connector.example",
    "SMS_WORKER_URL": "https://worker.example",
    "SMS_TASKS_ACCOUNT": "tasks@a-project.iam.gserviceaccount.com",
}


@dataclass(slots=True)
class _Function:
    """What is started; seconds to its first answers, MiB resident after them."""

    source: Path
    environ: dict[str, str]
    target: str = "connector"
    health: str = "/health"
    has_dry_run: bool = False
    first: list[float] = field(default_factory=list)
    dry_run: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)


def run(*, quick: bool) -> list[Figure]:
    rounds = 3 if quick else 11
    with tempfile.TemporaryDirectory() as name:
        folder, ours = Path(name), ROOT / "function" / "main.py"
        environ = _environ(folder)
        pairs = [
            (_hello(folder, "", "connector", environ), _Function(ours, environ, has_dry_run=True)),
            (
                _hello(folder, FIRESTORE + TASKS, "connector", environ),
                _Function(ours, environ | AS_DEPLOYED, has_dry_run=True),
            ),
            (_hello(folder, TASKS, "webhook", environ), _Function(ours, environ | AS_DEPLOYED, "webhook")),
        ]
        for number in range(rounds + 1):
            for pair in pairs:
                for function in pair[:: 1 if number % 2 else -1]:
                    # The very first ones only write bytecode, as the platform's build does, and are not counted.
                    _start_once(function if number else replace(function, first=[], dry_run=[], resident=[]), folder)
    return _judge(*pairs)


def _environ(folder: Path) -> dict[str, str]:
    environ = connector_environ(folder, "http://127.0.0.1:9")
    (folder / "secrets" / "webhook-key").write_text("0123456789abcdef0123456789abcdef")
    absent = folder / "absent"
    absent.mkdir()
    (absent / f"{NOT_DEPLOYED}.py").write_text("raise ImportError\n")
    return environ | {"PYTHONPATH": os.pathsep.join((str(absent), environ["PYTHONPATH"]))}


def _hello(folder: Path, imports: str, target: str, environ: dict[str, str]) -> _Function:
    source = folder / f"hello-{len(list(folder.glob('hello-*')))}" / "main.py"
    source.parent.mkdir()
    source.write_text(imports + HELLO.format(target))
    return _Function(source, environ, target, "/")


def _start_once(function: _Function, folder: Path) -> None:
    process = FunctionProcess(function.source, function.environ, folder / "function.log", function.target)
    begun = time.perf_counter()
    process.start()
    try:
        _await_answer(process.port, "GET", function.health)
        function.first.append(time.perf_counter() - begun)
        if function.has_dry_run:
            _await_answer(process.port, "POST", "/v1/messages:send", DRY_RUN)
            function.dry_run.append(time.perf_counter() - begun)
        function.resident.append(_resident(process.process.pid if process.process else 0))
    finally:
        process.kill()


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


Pair = tuple[_Function, _Function]


def _judge(local: Pair, connector: Pair, webhook: Pair) -> list[Figure]:
    figures, (hello, ours) = Figures(4), local
    above = median(ours.resident) - median(hello.resident)
    found = [
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
    for name, (hello, ours) in (("connector", connector), ("webhook", webhook)):
        what = f"as deployed: {name}, first answer"
        ratio = paired_ratio(ours.first, hello.first)
        found += [
            figures.at_most(f"{what} ÷ hello world with the same Google clients", ratio, 1.3, " ×"),
            figures.note(f"{what} ÷ bare hello world", paired_ratio(ours.first, local[0].first), " ×"),
            figures.note(what, _milliseconds(ours.first), " ms", digits=0),
            figures.note(
                f"as deployed: hello world with {name}'s clients", _milliseconds(hello.first), " ms", digits=0
            ),
        ]
    dry_run = paired_ratio(connector[1].dry_run, connector[0].first)
    return [*found, figures.note("as deployed: first messages:send (dryRun) ÷ the same hello world", dry_run, " ×")]


def _milliseconds(seconds: list[float]) -> float:
    return median(seconds) * 1000
