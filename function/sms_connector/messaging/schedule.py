"""When a node may start its next call: pure arithmetic on start times, no threads and no clock.

Two rules, both kept (sending.md section 5):

- the window: in no second are more than `rate` calls started. Call i starts no earlier than one second after call i - rate;
- the pace: an idle node may start `rate` calls at once; once the window has held a call back, calls are spaced evenly, so that a
  loaded node sends a steady stream and not a burst each second. A short hiccup is made up for, within the window.

Both keep a margin of 2.5 ms a second (0.25 %): a call's journey to the provider differs by milliseconds, and the rate has to hold
where it is counted. 24.94 of 25 calls a second remain.
"""

from __future__ import annotations

from collections import deque

WINDOW = 1.0
MARGIN = 0.0025
CATCH_UP_SLOTS = 4


class Schedule:
    """Start times of one stream of calls. Not thread-safe: its owner holds a lock. Times are seconds of a monotonic clock."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._starts: deque[float] = deque(maxlen=max(rate, 1))
        self._paced = False
        self._due = 0.0  # the pace: when the next call is due
        self._held_until = 0.0  # until when the window last held a call back

    def change_rate(self, rate: int) -> None:
        """A new rate holds at once, for the calls already started too. 0 lets nothing start."""
        if rate != self.rate:
            self.rate = rate
            self._starts = deque(self._starts, maxlen=max(rate, 1, len(self._starts)))

    def next_start(self, now: float) -> float:
        """The earliest time the next call may start; infinity where the rate is 0."""
        if not self.rate:
            return float("inf")
        earliest = self._window_opens()
        if self._is_idle(now):
            self._paced = False
        elif earliest > now:
            self._hold(earliest)
        return max(earliest, self._due) if self._paced else max(earliest, now)

    def start(self, now: float) -> None:
        """A call starts now; the caller has seen that `next_start(now)` is not later."""
        spacing = (WINDOW + MARGIN) / self.rate
        self._due = max(self._due + spacing, now + spacing * (1 - CATCH_UP_SLOTS))
        if not self._paced:
            self._due = now + spacing
        self._starts.append(now)
        while len(self._starts) > self.rate:
            self._starts.popleft()

    def start_after(self, now: float, ahead: int) -> float:
        """When a call would start that has `ahead` calls before it, all of which start as early as they may."""
        first = max(self.next_start(now), now)
        if first == float("inf"):
            return first
        spacing = (WINDOW + MARGIN) / self.rate
        at_once = 0 if self._paced else self.rate - self.started_since(now - WINDOW)
        if ahead < at_once:
            return first
        opens = max(first, self._starts[0] + WINDOW + MARGIN if self._starts else now + WINDOW + MARGIN)
        return opens + (ahead - at_once) * spacing if not self._paced else first + ahead * spacing

    def started_since(self, time: float) -> int:
        return sum(1 for start in self._starts if start > time)

    def _window_opens(self) -> float:
        if len(self._starts) < self.rate:
            return 0.0
        return self._starts[-self.rate] + WINDOW + MARGIN

    def _hold(self, until: float) -> None:
        if not self._paced:
            self._paced, self._due = True, until
        self._held_until = until

    def _is_idle(self, now: float) -> bool:
        return not self._starts or now - max(self._starts[-1], self._held_until) > WINDOW
