"""The provider's limits of requests: at once, and per second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sandbox.options import Settings

WINDOW_SECONDS = 1.0


@dataclass(slots=True)
class Gate:
    """Counts requests under way and those let in during the last second.

    A request that was refused still counts as under way until its answer has left, but not against the rate.
    """

    under_way: int = 0
    _admitted: deque[float] = field(default_factory=deque)

    def enter(self) -> None:
        self.under_way += 1

    def leave(self) -> None:
        self.under_way -= 1

    def retry_after(self, settings: Settings, monotonic: float) -> float | None:
        """Seconds to wait when the request just entered is one too many, else None."""
        if settings.concurrency_limit is not None and self.under_way > settings.concurrency_limit:
            return WINDOW_SECONDS
        if settings.rate_limit is None:
            return None
        while self._admitted and self._admitted[0] <= monotonic - WINDOW_SECONDS:
            self._admitted.popleft()
        if len(self._admitted) >= settings.rate_limit:
            return self._admitted[0] + WINDOW_SECONDS - monotonic
        self._admitted.append(monotonic)
        return None

    def clear(self) -> None:
        self._admitted.clear()
