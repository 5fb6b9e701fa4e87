"""Campaigns of a million records: how fast they are taken in, in how much memory, and how long their pages take then.

The connector runs under functions-framework, pinned to one core, its ledger and queue are SQLite files on the disk. Bodies lie on
the disk too and are sent by another process. Memory is the peak of the process's resident set (VmHWM, reset before each upload)
above what it was after a small campaign.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import requests
from msgspec.structs import replace

from sms_connector.local.clock import SystemClock
from sms_connector.local.ledger import SqliteLedger
from sms_connector.ports import Query
from sms_connector.store.campaign_record import PROGRESS, UNTRACKED, Progress
from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ

from .figures import Figure, Figures

BENCH = 7
TITLE = "campaign of a million records: intake and pages"
POOL = "MG" + "0" * 32
MESSAGE = "Hello <name>, your order <order> ships today. Track it at https://example.com/t"
MAPPING = {"to": "mobile", "name": "firstName", "order": "orderId"}
NAMES = ("Ann", "Zoë", "François", "Max", "Olga")
RECORDS_A_SECOND, KIBIBYTES, MILLIS = 20_000, 64 * 1024, 100
ASKS = 20


def run(*, quick: bool) -> list[Figure]:
    records = 50_000 if quick else 1_000_000
    figures = Figures(BENCH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = connector_environ(folder, "http://127.0.0.1:9", SMS_LOG_LEVEL="error")
        environ |= {"SMS_QUEUE": f"sqlite:{folder / 'queue.db'}", "SMS_SENDER": POOL, "SMS_WORKERS_MAX": "50"}
        function = FunctionProcess(ROOT / "function" / "main.py", environ, folder / "function.log")
        with function.running():
            _create(function.url, *_write(folder, "csv", 1000))  # what is imported late is in memory now
            found = []
            campaign = ""
            for form in ("ndjson", "csv", "json"):
                seconds, peak, campaign = _measure(function, *_write(folder, form, records))
                found.append(
                    figures.at_least(f"{form}: records a second", records / seconds, RECORDS_A_SECOND, digits=0)
                )
                found.append(figures.at_most(f"{form}: memory above idle", peak, KIBIBYTES, " KiB", digits=0))
            _send_all(folder, campaign)
            return found + _pages(figures, function.url, campaign)


def _write(folder: Path, form: str, records: int) -> tuple[str, Path]:
    path = folder / f"{records}.{form}"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_csv(records) if form == "csv" else _ndjson(records) if form == "ndjson" else _json(records))
    return form, path


def _record(number: int) -> dict[str, Any]:
    return {"mobile": f"+1555{number:07d}", "firstName": NAMES[number % len(NAMES)], "orderId": f"A-{number}"}


def _ndjson(records: int) -> Iterator[str]:
    return (json.dumps(_record(number), ensure_ascii=False) + "\n" for number in range(records))


def _csv(records: int) -> Iterator[str]:
    yield "mobile;firstName;orderId\n"
    for number in range(records):
        yield ";".join(_record(number).values()) + "\n"


def _json(records: int) -> Iterator[str]:
    """The fields stand behind the records, which is the harder case."""
    yield '{"records": ['
    for number in range(records):
        yield (", " if number else "") + json.dumps(_record(number), ensure_ascii=False)
    yield f'], "message": {json.dumps(MESSAGE)}, "mapping": {json.dumps(MAPPING)}}}'


def _create(url: str, form: str, path: Path) -> str:
    types = {"ndjson": "application/x-ndjson", "csv": "text/csv", "json": "application/json"}
    query = {} if form == "json" else {"message": MESSAGE, "mapping": json.dumps(MAPPING)}
    with path.open("rb") as body:
        answer = requests.post(
            f"{url}/v1/campaigns", params=query, data=body, headers={"Content-Type": types[form]}, timeout=600
        )
    if answer.status_code != 202:
        raise RuntimeError(f"the connector answered {answer.status_code}: {answer.text[:1000]}")
    return str(answer.json()["id"])


def _measure(function: FunctionProcess, form: str, path: Path) -> tuple[float, float, str]:
    """Seconds, kibibytes above idle, and the campaign."""
    worker = _worker(function)
    os.sched_setaffinity(worker, {0})
    for thread in Path(f"/proc/{worker}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {0})
    idle = _status(worker, "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    begun = time.perf_counter()
    campaign = _create(function.url, form, path)
    return time.perf_counter() - begun, _status(worker, "VmHWM") - idle, campaign


def _send_all(folder: Path, campaign: str) -> None:
    """The dearest state for counting: every chunk is sent, and none is over."""
    ledger = SqliteLedger(folder / "ledger.db", clock=SystemClock())
    after: tuple[str, str] | None = None
    while found := ledger.find(Query(PROGRESS, (("campaign", "==", campaign),), limit=250, after=after)):
        chunks = [replace(Progress.of(document), state=UNTRACKED, holder="") for document in found]
        for chunk in chunks:
            chunk.counts, chunk.open_messages = {"sent": chunk.valid}, chunk.valid
        ledger.commit([chunk.to_write(expires_at=time.time() + 86_400) for chunk in chunks])
        after = (found[-1].id, found[-1].id)
    ledger.close()


def _worker(function: FunctionProcess) -> int:
    """The process that serves: gunicorn's child."""
    if function.process is None:
        raise RuntimeError("the function is not running")
    parent = function.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[0]) if children else parent


def _status(process: int, name: str) -> int:
    """Kibibytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _pages(figures: Figures, url: str, campaign: str) -> list[Figure]:
    place = f"{url}/v1/campaigns/{campaign}"
    progress = _median(place)
    first = _median(f"{place}/results?pageSize=100")
    large = _median(f"{place}/results?pageSize=1000")
    return [
        figures.at_most("progress", progress, MILLIS, " ms", digits=1),
        figures.at_most("a page of 100 results", first, MILLIS, " ms", digits=1),
        figures.at_most("a page of 1 000 results", large, MILLIS, " ms", digits=1),
        figures.at_most("all results as CSV, a million rows", _csv_seconds(place), 60, " s", digits=1),
    ]


def _median(url: str) -> float:
    """Milliseconds from the call to the whole answer."""
    return 1000 * median(_timed(url) for _ in range(ASKS))


def _timed(url: str) -> float:
    begun = time.perf_counter()
    requests.get(url, timeout=60).raise_for_status()
    return time.perf_counter() - begun


def _csv_seconds(place: str) -> float:
    begun = time.perf_counter()
    with requests.get(f"{place}/results", headers={"Accept": "text/csv"}, stream=True, timeout=600) as answer:
        for _ in answer.iter_content(1 << 20):
            pass
    return time.perf_counter() - begun
