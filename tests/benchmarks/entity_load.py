"""12: messages beside long queries: how much longer one takes, and how both share the node's rate.

The connector runs as it is deployed; four clients run SELECTs over all rows, one after the other, meanwhile.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import requests

from sandbox import AdminClient
from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ, sandbox_process

from .figures import Figure, Figures, sustained_rate

TITLE = "messages beside long queries"
QUERY = "/v2/projects/p/locations/l/connections/local:executeSqlQuery"
CLIENTS = 4
ROWS = 100_000
# Seconds between two messages: they alone are no load.
EVERY = 0.2


def run(*, quick: bool) -> list[Figure]:
    alone, singles, several = (5, 10, 30) if quick else (20, 60, 200)
    with sandbox_process("--instant") as sandbox, tempfile.TemporaryDirectory() as name:
        sandbox.post("twilio/resources", {"type": "Calls", "fields": {"status": "completed"}, "count": ROWS})
        environ = connector_environ(Path(name), sandbox.url, SMS_LOG_LEVEL="error")
        function = FunctionProcess(ROOT / "function" / "main.py", environ, Path(name) / "function.log")
        with function.running():
            without = [_send(function.url, 1) for _ in range(alone)]
            time.sleep(2)  # their second is over
            with _queries(function.url, sandbox):
                beside = [_send(function.url, 1, after=EVERY) for _ in range(singles)]
                begun = time.monotonic()
                _send(function.url, several)
                ended = time.monotonic()
        sends, reads = (_starts(sandbox, method, begun, ended) for method in ("POST", "GET"))
    figures = Figures(12)
    share = len(sends) / (len(sends) + len(reads))
    longer = (median(beside) - median(without)) * 1000
    return [
        figures.note("one message without them takes (median)", median(without) * 1000, " ms", digits=0),
        figures.at_most("one message beside them takes longer by (median)", longer, 80, " ms", digits=0),
        figures.note("the longest of them takes", max(beside) * 1000, " ms", digits=0),
        figures.at_least("the messages' share of the calls, while both wait", share, 0.45),
        figures.at_least("the queries' share of the calls, while both wait", 1 - share, 0.45),
        figures.at_least("calls of both", sustained_rate(sorted([*sends, *reads])), 24, "/s", digits=1),
    ]


@contextmanager
def _queries(url: str, sandbox: AdminClient) -> Iterator[None]:
    """Clients that run one query after the other."""
    ends = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(_query, url, ends) for _ in range(CLIENTS)]
        while len(sandbox.starts(method="GET")) < CLIENTS:
            time.sleep(0.05)
        try:
            yield
        finally:
            ends.set()
    for each in running:
        each.result()


def _query(url: str, ends: threading.Event) -> None:
    statement = {"query": "SELECT count(*) AS n FROM Calls", "timeout": "60"}
    while not ends.is_set():
        answer = _post(url, QUERY, {"query": statement})
        if answer["results"] != [{"n": ROWS}]:
            raise RuntimeError(f"another answer than {ROWS} rows: {answer}")


def _send(url: str, count: int, *, after: float = 0.0) -> float:
    """Send so many messages in one request, and return the seconds it took."""
    time.sleep(after)
    begun = time.monotonic()
    records = [{"to": f"+1555{number:07}"} for number in range(count)]
    answer = _post(url, "/v1/messages:send", {"message": "Hello", "records": records})
    if any(each["status"] == "failed" for each in answer["results"]):
        raise RuntimeError("a message failed")
    return time.monotonic() - begun


def _post(url: str, path: str, document: Any) -> Any:
    answer = requests.post(url + path, json=document, timeout=120)
    answer.raise_for_status()
    return answer.json()


def _starts(sandbox: AdminClient, method: str, begun: float, ended: float) -> list[float]:
    return [stamp for stamp in sandbox.starts(method=method) if begun <= stamp <= ended]
