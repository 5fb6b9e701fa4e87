"""11: a list of 100 000 rows through Google's client, beside the official SDK listing the same.

The connector runs as it is deployed, under functions-framework, and the CPU is that of its server and worker; the SDK's
is that of the process that lists. Both read pages of 1 000 of one sandbox, and take turns.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN
from tests.fixtures.processes import (
    ROOT,
    FunctionProcess,
    clean_environ,
    connector_environ,
    run_script,
    sandbox_process,
)

from .figures import Figure, Figures, paired_ratio

TITLE = "a list of 100 000 rows, by Google's client"
CALL = {
    "to": "+15558675310",
    "from": "+15551234567",
    "status": "completed",
    "start_time": "Mon, 06 Jul 2026 12:00:00 +0000",
    "end_time": "Mon, 06 Jul 2026 12:01:00 +0000",
    "duration": "60",
    "price": "-0.01300",
}
PARENT = "projects/p/locations/l/connections/local/entityTypes/Calls"
PAGE = 200
# Calls of the SDK before its clock starts.
_SDK_WARMS_UP = 2


def run(*, quick: bool) -> list[Figure]:
    rows, rounds = (10_000, 1) if quick else (100_000, 3)
    with sandbox_process("--instant") as sandbox, tempfile.TemporaryDirectory() as name:
        sandbox.post("twilio/resources", {"type": "Calls", "fields": CALL, "count": rows})
        environ = connector_environ(Path(name), sandbox.url, SMS_LOG_LEVEL="error")
        function = FunctionProcess(ROOT / "function" / "main.py", environ, Path(name) / "function.log")
        connector, sdk, resident = [], [], [0.0]
        with function.running():
            server = _find_processes(function)
            list(_read(function.url, 2000, server))  # catalogue and connections
            calls = sandbox.summary()["recorded"]
            for _ in range(rounds):
                begun = _cpu_seconds(server)
                resident = list(_read(function.url, rows, server))
                connector.append(_cpu_seconds(server) - begun)
                sdk.append(float(run_script(__name__, [sandbox.url, str(rows)], environ=clean_environ())))
            made = sandbox.summary()["recorded"] - calls - rounds * _SDK_WARMS_UP - rounds * rows / 1000
    figures = Figures(11)
    return [
        figures.at_most("CPU: connector ÷ official SDK", paired_ratio(connector, sdk), 0.75, " ×"),
        figures.note("CPU of the connector, a row", median(connector) / rows * 1e6, " µs", digits=1),
        figures.note("CPU of the official SDK, a row", median(sdk) / rows * 1e6, " µs", digits=1),
        figures.at_most("provider calls per 1 000 rows", made / rounds / rows * 1000, 1.1),
        figures.at_most("memory at the end ÷ at a tenth", resident[-1] / resident[len(resident) // 10], 1.05, " ×"),
    ]


def _read(url: str, rows: int, server: Sequence[Path]) -> Iterator[float]:
    """List so many rows, and yield the server's memory at each page, in bytes."""
    from googleapiclient.discovery import build
    from httplib2 import Http

    options = {"api_endpoint": url}
    service = build("connectors", "v2", http=Http(), client_options=options, static_discovery=True)
    entities = service.projects().locations().connections().entityTypes().entities()
    request, seen = entities.list(parent=PARENT, pageSize=PAGE), 0
    while request is not None and seen < rows:
        answer = request.execute(num_retries=3)
        seen += len(answer["entities"])
        yield _resident(server)
        request = entities.list_next(request, answer)
    if seen != rows:
        raise RuntimeError(f"{seen} rows instead of {rows}")


def _find_processes(function: FunctionProcess) -> list[Path]:
    """The server and its workers, which are one process group."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError):  # another's, which has ended meanwhile
            if function.process is not None and _stat(process)[2] == function.process.pid:
                found.append(process)
    return found


def _stat(process: Path) -> list[int]:
    """The fields behind a process's name and state (proc(5)): the third is its group."""
    return [0, *map(int, (process / "stat").read_text().rpartition(")")[2].split()[1:])]


def _cpu_seconds(processes: Iterable[Path]) -> float:
    return sum(sum(_stat(process)[11:13]) for process in processes) / os.sysconf("SC_CLK_TCK")


def _resident(processes: Iterable[Path]) -> float:
    pages = sum(int((process / "statm").read_text().split()[1]) for process in processes)
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def list_by_sdk(url: str, rows: int) -> float:
    """List as the SDK's documentation shows it; return the CPU seconds."""
    from twilio.rest import Client

    client = Client(ACCOUNT_SID, AUTH_TOKEN)
    client.api.base_url = url
    client.calls.list(limit=1000 * _SDK_WARMS_UP, page_size=1000)
    begun, seen = time.process_time(), 0
    for call in client.calls.stream(page_size=1000):
        seen += call.sid is not None
    if seen != rows:
        raise RuntimeError(f"{seen} rows instead of {rows}")
    return time.process_time() - begun


if __name__ == "__main__":
    print(json.dumps(list_by_sdk(sys.argv[1], int(sys.argv[2]))))
