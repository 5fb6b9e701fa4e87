"""Work for later, on one timer: a heap of due times, because 100 000 messages must not mean 100 000 timers."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

from sandbox.clock import Clock

Action = Callable[[], None]


class Scheduler:
    """Runs actions at or after their due time, in order of due time; same time means first come, first run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def at(self, due: float, action: Action) -> None:
        heapq.heappush(self._heap, (due, next(self._order), action))
        if self._heap[0][2] is action:
            self._arm()

    def poke(self) -> None:
        """Look again: the clock was moved."""
        self._arm()

    def clear(self) -> None:
        self._heap.clear()
        self._disarm()

    def _run_due(self) -> None:
        self._timer = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
        self._arm()

    def _arm(self) -> None:
        self._disarm()
        if self._heap:
            wait = max(0.0, self._heap[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(wait, self._run_due)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
