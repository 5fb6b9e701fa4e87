"""The simulator's time: the machine's, plus what a test has skipped."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Wall-clock seconds that can be moved forward, so that no test waits 35 days for a scheduled message."""

    skipped: float = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.skipped

    def advance(self, seconds: float) -> None:
        self.skipped += seconds
