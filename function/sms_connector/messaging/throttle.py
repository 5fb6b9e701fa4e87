"""The node's throttle: every call to the provider takes its turn here, retries included.

Turns are first come, first served: a request takes a place for all its calls when it arrives, and the earliest request whose
worker is ready goes first. Sends and polls are two lanes that share alternately, so that neither starves the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf

from sms_connector.errors import Throttled
from sms_connector.messaging.schedule import WINDOW, Schedule
from sms_connector.ports import Clock
from sms_connector.transport.http import Lane

DEFAULT_QUEUE_LIMIT = 30.0
# A waiter looks again at least this often: a changed rate must not be slept through.
LONGEST_NAP = 0.5


@dataclass(slots=True, eq=False)
class Place:
    """A request's place in the line: how many of its calls have not started. `on_start` hears of each that does."""

    order: int
    remaining: int
    on_start: Callable[[], None] | None = None


@dataclass(order=True, slots=True)
class _Waiter:
    order: int
    ticket: int
    place: Place | None = field(compare=False)
    wake: threading.Event = field(compare=False, default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """What is left, for `GET /v1/limits`. Seconds; calls."""

    rate: int
    started_last_second: int
    available_now: int
    queued: int
    queue_limit_seconds: float
    wait_seconds: float


_current_place: ContextVar[Place | None] = ContextVar("place", default=None)


class Throttle:
    """Thread-safe. `rate` None lifts the limit (benchmarks of everything else)."""

    def __init__(self, rate: int | None, *, clock: Clock, queue_limit: float = DEFAULT_QUEUE_LIMIT) -> None:
        self._schedule = Schedule(rate) if rate is not None else None
        self._clock = clock
        self.queue_limit = queue_limit
        self._lock = threading.Lock()
        self._lanes: dict[Lane, list[_Waiter]] = {Lane.SEND: [], Lane.POLL: []}
        self._last_lane = Lane.POLL
        self._promised = 0  # calls of all places that have not started
        self._orders = count()
        self._tickets = count()

    @contextmanager
    def place(self, calls: int, *, on_start: Callable[[], None] | None = None) -> Iterator[Place]:
        """Take a place in the line for `calls` calls.

        Raises Throttled when the first of them could not start within the queue limit; nothing was sent then.
        """
        place = self._take_place(calls, on_start)
        try:
            yield place
        finally:
            with self._lock:
                self._promised -= place.remaining
                place.remaining = 0

    @contextmanager
    def working_for(self, place: Place) -> Iterator[None]:
        """Calls that this thread makes inside are the place's."""
        token = _current_place.set(place)
        try:
            yield
        finally:
            _current_place.reset(token)

    def forgo(self, place: Place, calls: int) -> None:
        """So many of the place's calls are not needed after all."""
        with self._lock:
            given_up = min(calls, place.remaining)
            place.remaining -= given_up
            self._promised -= given_up

    def wait_turn(self, lane: Lane) -> None:
        """The transport's gate: returns when the call may start, and counts it as started.

        A call without a place of its own is refused (Throttled) where it could not start within the queue limit.
        """
        if self._schedule is None:
            self._notify(_current_place.get())
            return
        waiter = self._join(lane, self._schedule)
        while (pause := self._try_start(waiter, lane, self._schedule)) is not None:
            self._clock.wait(waiter.wake, pause)
            waiter.wake.clear()
        self._notify(waiter.place)

    def change_rate(self, rate: int) -> None:
        """What this node may start a second from now on (its share of the connection's rate)."""
        if self._schedule is not None:
            with self._lock:
                self._schedule.change_rate(rate)

    def state(self) -> ThrottleState:
        if self._schedule is None:
            return ThrottleState(0, 0, 0, 0, self.queue_limit, 0.0)
        with self._lock:
            now = self._clock.monotonic()
            started = self._schedule.started_since(now - WINDOW)
            queued = self._queued()
            wait = self._schedule.start_after(now, queued) - now
            rate = self._schedule.rate
            available = max(0, rate - started - queued) if self._schedule.next_start(now) <= now else 0
            return ThrottleState(rate, started, available, queued, self.queue_limit, max(0.0, wait))

    # --- inside --------------------------------------------------------------------------------------------------------

    def _take_place(self, calls: int, on_start: Callable[[], None] | None) -> Place:
        with self._lock:
            if self._schedule is not None:
                self._refuse_if_too_long(self._schedule)
            self._promised += calls
            return Place(next(self._orders), calls, on_start)

    def _refuse_if_too_long(self, schedule: Schedule) -> None:
        now = self._clock.monotonic()
        wait = schedule.start_after(now, self._queued()) - now
        if wait > self.queue_limit:
            after = WINDOW if wait == inf else wait - self.queue_limit
            raise Throttled(
                f"the node is busy: this request could not start within {self.queue_limit:g} s; "
                f"nothing was sent; ask again in {after:.1f} s or spread the load over more nodes",
                retry_after=after,
            )

    def _queued(self) -> int:
        homeless = sum(1 for lane in self._lanes.values() for waiter in lane if waiter.place is None)
        return self._promised + homeless

    def _join(self, lane: Lane, schedule: Schedule) -> _Waiter:
        place = _current_place.get()
        with self._lock:
            if place is None:
                self._refuse_if_too_long(schedule)
            order = place.order if place is not None else next(self._orders)
            waiter = _Waiter(order, next(self._tickets), place)
            heappush(self._lanes[lane], waiter)
            return waiter

    def _try_start(self, waiter: _Waiter, lane: Lane, schedule: Schedule) -> float | None:
        """None when the waiter's call has started, else how long it may sleep before it looks again."""
        with self._lock:
            if self._next_waiter() is not waiter:
                return LONGEST_NAP
            now = self._clock.monotonic()
            pause = schedule.next_start(now) - now
            if pause > 0:
                return min(pause, LONGEST_NAP)
            schedule.start(now)
            heappop(self._lanes[lane])
            self._last_lane = lane
            if waiter.place is not None and waiter.place.remaining:
                waiter.place.remaining -= 1
                self._promised -= 1
            follower = self._next_waiter()
        if follower is not None:
            follower.wake.set()
        return None

    def _next_waiter(self) -> _Waiter | None:
        other = Lane.POLL if self._last_lane is Lane.SEND else Lane.SEND
        for lane in (other, self._last_lane):
            if self._lanes[lane]:
                return self._lanes[lane][0]
        return None

    @staticmethod
    def _notify(place: Place | None) -> None:
        if place is not None and place.on_start is not None:
            place.on_start()
