"""Time, so that tests own it."""

from __future__ import annotations

import threading
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests own it. `time` is epoch seconds, `monotonic` never goes back."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until the event is set (True) or `timeout` seconds have passed (False)."""

    def sleep(self, seconds: float) -> None: ...
