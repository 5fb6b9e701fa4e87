"""Compute when a node may start its next call: pure arithmetic on start times, no threads and no clock.

Two rules, both kept (sending.md section 5):

- the window: in no second are more than `rate` calls started. Call i starts no earlier than a second after call
  i - rate;
- the pace: an idle node may start `rate` calls at once; once the window has held a call back, calls are spaced evenly,
  so that a loaded node sends a steady stream and not a burst each second. A short hiccup is made up for, within the
  window.

Both keep a margin: a call's latency to the provider varies by milliseconds, and the rate has to hold where it is
counted. The pace's margin is the larger one, so that a late thread's loss can be made up for: 24.94 of 25 calls a
second remain. The first window of a burst is longer still: calls that leave at the same moment delay each other by tens
of milliseconds.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from contextlib import suppress
from copy import copy
from math import inf

WINDOW = 1.0
WINDOW_MARGIN = 0.002
PACE_MARGIN = 0.0025
BURST_MARGIN = 0.03
# Missed turns that are made up for at once: more would be another burst, a second later.
CATCH_UP_TURNS = 3


class Schedule:
    """Start times of one stream of calls. Not thread-safe: its owner holds a lock. Times are seconds of a monotonic
    clock.

    `spare` is more margin, in seconds, for streams that are counted together.
    """

    def __init__(self, rate: int, *, spare: float = 0.0) -> None:
        self.rate = rate
        self._spare = spare
        self._starts: deque[float] = deque()
        self._paced = False
        self._due = -inf  # the pace: when the next call is due
        self._held = -inf  # when a call was last held back by window or pace

    def next_start(self, now: float) -> float:
        """Return the earliest time from now on at which the next call may start; infinity if the rate is 0."""
        if not self.rate:
            return inf
        if self._paced and not self._idle_at(now):
            return max(now, self._due, self._window_opens())
        return max(now, self._window_opens())

    def start(self, now: float) -> None:
        """Count a call as started now; `next_start(now)` must not be later."""
        opened = self._window_opens()
        if self._idle_at(now):
            self._paced = False
        if self._paced:
            self._note_held(now, max(opened, self._due))
            self._due = max(self._due, now - CATCH_UP_TURNS * self.spacing) + self.spacing
        elif self._note_held(now, opened):
            self._paced, self._due = True, opened + self.spacing
        self._starts.append(now)
        self._forget_before(now)

    def delay(self, start: float, actual: float) -> None:
        """Count the call of the turn at `start` from `actual` on, also if that turn was forgotten since."""
        with suppress(ValueError):
            self._starts.remove(start)
        insort(self._starts, actual)
        self._forget_before(actual)

    def change_rate(self, rate: int) -> None:
        """Change the rate at once, for the calls already started too. 0 lets nothing start."""
        self.rate = rate
        if rate and self._starts:
            self._due = min(self._due, self._starts[-1] + self.spacing)

    def start_after(self, now: float, ahead: int) -> float:
        """Return when a call with `ahead` calls before it will start, if all of them start as early as they may."""
        future = self._copy()
        time, on_pace = now, 0
        for done in range(ahead):
            time = future.next_start(time)
            if time == inf:
                return inf
            on_pace = on_pace + 1 if future._paced and time == future._due else 0
            if on_pace > self.rate:  # a whole window of even steps: the window can't hold the next one back either
                return time + (ahead - done) * future.spacing
            future.start(time)
        return future.next_start(time)

    def free_now(self, now: float, wanted: int) -> int:
        """Return how many calls, of at most `wanted`, could start now."""
        future = self._copy()
        for started in range(wanted):
            if future.next_start(now) > now:
                return started
            future.start(now)
        return wanted

    def started_since(self, time: float) -> int:
        return sum(1 for start in self._starts if start > time)

    def _note_held(self, now: float, since: float) -> bool:
        """Return whether a call that may start since then was held back, which is so if it starts as soon as it may."""
        held = now - since < self.spacing
        if held:
            self._held = now
        return held

    def _forget_before(self, now: float) -> None:
        """Forget starts outside any window; after a change of the rate there may be more than `rate` in one."""
        while len(self._starts) > self.rate and self._starts[0] + self._window <= now:
            self._starts.popleft()

    @property
    def _window(self) -> float:
        return WINDOW + (WINDOW_MARGIN if self._paced else BURST_MARGIN) + self._spare

    @property
    def spacing(self) -> float:
        """The seconds between two calls of a steady stream."""
        return (WINDOW + PACE_MARGIN + self._spare) / self.rate

    def _window_opens(self) -> float:
        return self._starts[-self.rate] + self._window if len(self._starts) >= self.rate else -inf

    def _idle_at(self, now: float) -> bool:
        """Return whether nothing was held back for a window: then a burst is allowed again."""
        return now - max(self._held, self._window_opens()) > WINDOW + PACE_MARGIN + self._spare

    def _copy(self) -> Schedule:
        same = copy(self)
        same._starts = self._starts.copy()
        return same
