"""The node of benchmark 5, in a process of its own: prints the bytes a message in flight takes.

    python -m tests.benchmarks.memory_worker <sandbox url> <requests of 1 000> <traced | resident>

The first request warms everything up and is not counted.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path

from sms_connector.model.policy import Policy
from sms_connector.model.send_request import MessageFilter, Tracking

from .node import BareNode, compose, make_request

REQUEST = 1000
WAITING = Tracking(interval=3600.0, attempts=1, wait=True)


def main(url: str, requests: int, way: str) -> None:
    measure = {"traced": _traced, "resident": _resident}[way]
    with tempfile.TemporaryDirectory() as folder:
        node = compose(Path(folder), url, rate=None, policy=Policy(max_parallel_calls=4))
        if way == "traced":
            tracemalloc.start()
        _leave_waiting(node, 0)
        before = measure()
        for number in range(1, requests + 1):
            _leave_waiting(node, number)
        print(json.dumps((measure() - before) / (REQUEST * requests)), flush=True)
        os._exit(0)  # the requests would wait for an hour


def _leave_waiting(node: BareNode, number: int) -> None:
    """One request whose messages have all been sent, and are waited for from now on."""
    request = make_request(REQUEST, WAITING, first=number * REQUEST)
    threading.Thread(target=node.engine.sender.send, args=(request,), daemon=True).start()
    last = MessageFilter(to=request.drafts[-1].to)
    del request
    while not any(record.sent_at for record in node.engine.messages.list(last, limit=1)[0]):
        time.sleep(0.05)
    time.sleep(0.3)


def _traced() -> int:
    return tracemalloc.get_traced_memory()[0]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
