"""1: a thousand records through one node by HTTP, delivered two seconds after they are accepted.

Three numbers, because "ideal" can mean three things (docs/performance.md): the sending phase alone, sending and delivery,
and the plain number of records by 25 over everything, which delivery alone keeps below 1.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ, sandbox_process

from .figures import Figure, Figures
from .records import recipient

RATE = 25
DELIVERY_SECONDS = 2.0
TITLE = "1 000 records through one node by HTTP, delivery 2 s"


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds since the request left."""

    last_start: float
    settled: float
    delivered: int
    calls: int


def run(*, quick: bool) -> list[Figure]:
    count = 100 if quick else 1000
    with tempfile.TemporaryDirectory() as folder, sandbox_process(f"--delivery-seconds={DELIVERY_SECONDS}") as sandbox:
        environ = connector_environ(Path(folder), sandbox.url)
        main = ROOT / "function" / "main.py"
        with FunctionProcess(main, environ, Path(folder) / "connector.log").running() as connector:
            begun = time.monotonic()
            results = _post(connector.url, count)
            settled = time.monotonic() - begun
        starts = sandbox.starts(method="POST")
        delivered = sum(result["status"] == "delivered" for result in results)
        found = _Run(starts[-1] - begun, settled, delivered, sandbox.summary()["total"])
    return _judge(found, count)


def _post(url: str, count: int) -> list[dict[str, Any]]:
    document = {
        "message": "Hello <first name>, order <order> ships today.",
        "mapping": {"to": "mobile", "first name": "firstName", "order": "orderId"},
        "records": [{"mobile": recipient(n), "firstName": "Zoë", "orderId": f"A-{n}"} for n in range(count)],
        "tracking": {"retryIntervalMillis": int(DELIVERY_SECONDS * 1000), "wait": True},
    }
    answer = requests.post(f"{url}/v1/messages:send", json=document, timeout=300)
    answer.raise_for_status()
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def _judge(found: _Run, count: int) -> list[Figure]:
    ideal, figures = count / RATE, Figures(1)
    return [
        figures.at_least("sending phase: N/25 ÷ time to the last start", ideal / found.last_start, 0.98, digits=3),
        figures.at_least(
            "whole: (N/25 + 2 s) ÷ time until all are settled",
            (ideal + DELIVERY_SECONDS) / found.settled,
            0.98,
            digits=3,
        ),
        figures.note("strict: N/25 ÷ time until all are settled (at most 0.976)", ideal / found.settled, digits=3),
        figures.at_least("delivered", found.delivered, count, digits=0),
        figures.at_most("provider calls per settled message", found.calls / max(1, found.delivered), 1.05, digits=3),
    ]
