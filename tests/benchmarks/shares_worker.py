"""A node of benchmark 8: starts calls as fast as it may, and writes down when each was let go and when it left.

python -m tests.benchmarks.shares_worker <ledger file> <connection's rate> <file for the stamps>
"""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from pathlib import Path

from sms_connector.local.clock import SystemClock
from sms_connector.local.ledger import SqliteLedger
from sms_connector.rate_limit.connection_rate import SPARE, SQLITE_TIMING, ConnectionRate
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.transport.http import Lane

LIMIT = 25
THREADS = 4


class WatchedClock(SystemClock):
    """Remembers for each thread what time it was told last: the moment its call was let go."""

    def __init__(self) -> None:
        self.told = threading.local()

    def monotonic(self) -> float:
        self.told.last = super().monotonic()
        return float(self.told.last)


def main(ledger: Path, rate: int, stamps: Path) -> None:
    clock = WatchedClock()
    throttle = Throttle(LIMIT, clock=clock, spare=SPARE)
    store = SqliteLedger(ledger, clock=clock)
    keeper = ConnectionRate(
        uuid.uuid4().hex, store, throttle, rate=rate, limit=LIMIT, clock=clock, timing=SQLITE_TIMING
    )
    out = os.open(stamps, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def work() -> None:
        while True:
            written = keeper.wait_turn(Lane.SEND)
            written()
            os.write(out, b"%.6f %.6f\n" % (clock.told.last, time.monotonic()))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
