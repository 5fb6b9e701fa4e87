"""The machine's own clock."""

from __future__ import annotations

import threading
import time


class SystemClock:
    """`ports.Clock` on the standard library."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(timeout)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
