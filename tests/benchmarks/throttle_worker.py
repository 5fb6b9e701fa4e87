"""The node of benchmark 2, in a process of its own: prints when its calls started, as long as sends were waiting.

python -m tests.benchmarks.throttle_worker <sandbox url> <records of the largest request>
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sms_connector.model.send_request import Tracking
from sms_connector.transport.http import Lane

from .node import compose, make_request

RATE = 25
REQUESTS = 3
# Each request is this much shorter than the one before: its polls fall among the sends of those that go on.
SHORTER = 40


def main(url: str, count: int) -> None:
    stamps: list[tuple[float, Lane]] = []
    with tempfile.TemporaryDirectory() as folder:
        node = compose(Path(folder), url, rate=RATE, stamp=lambda lane: stamps.append((time.monotonic(), lane)))
        tracking = Tracking(interval=2.0, attempts=6, wait=True)
        work = [make_request(count - SHORTER * number, tracking, first=1000 * number) for number in range(REQUESTS)]
        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(node.engine.sender.send, work))
    last_send = max(stamp for stamp, lane in stamps if lane is Lane.SEND)
    loaded = [(stamp, lane) for stamp, lane in stamps if stamp <= last_send]
    polls = sum(lane is Lane.POLL for _, lane in loaded)
    print(json.dumps({"starts": sorted(stamp for stamp, _ in loaded), "polls": polls}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
