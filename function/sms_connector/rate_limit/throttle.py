"""The node's throttle: every call to the provider takes its turn here, retries included.

Turns are first come, first served: a request reserves turns for all its calls when it arrives, and the earliest request
whose worker is ready goes first. A request of one call goes before every request of several, so that a one-time code
does not wait behind a large request. Sends and polls are two lanes that alternate, so that neither starves the other.
Polls are spaced evenly also where a burst would be free: a long list leaves the window to a message that comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

import msgspec

from sms_connector.errors import Throttled
from sms_connector.model.message import BeforeAttempt
from sms_connector.ports import Clock
from sms_connector.rate_limit.start_schedule import CATCH_UP_TURNS, WINDOW, Schedule
from sms_connector.transport.http import Lane, Written

DEFAULT_QUEUE_LIMIT = 30.0
# Waiting threads are woken when their time has come. They wake by themselves this often at most.
LONGEST_NAP = 60.0
# A request far from its turns checks this often whether an earlier one is slower than its turns.
CHECK_AGAIN = 0.5
# Requests of several calls are ordered from here on, behind every request of one.
BULK = 2**62
# Far below a millisecond, far above what sums of floats lose.
INSTANT = 1e-6


class Reservation(msgspec.Struct, eq=False):
    """A request's position in the queue; `remaining` of its calls have not started."""

    order: int
    remaining: int
    nearer: threading.Event = msgspec.field(default_factory=threading.Event)


class Call(msgspec.Struct, eq=False):
    """One call of a reservation; `check` is called with the number (from 1) of each attempt, and may raise to prevent
    it."""

    reservation: Reservation
    check: Callable[[int], object]
    attempts: int = 0

    def __call__(self) -> None:
        self.attempts += 1
        self.check(self.attempts)


class _Waiter(msgspec.Struct, order=True):
    """Ordered by the first two: no ticket is given out twice."""

    order: int
    ticket: int
    lane: Lane
    reservation: Reservation | None  # that counts it already
    wake: threading.Event = msgspec.field(default_factory=threading.Event)
    started: float | None = None  # when its turn came


class ThrottleState(msgspec.Struct, frozen=True):
    """The state for `GET /v1/limits`, in calls and seconds. `leased`: calls may start at `rate` now."""

    rate: int
    started_last_second: int
    available_now: int
    queued: int
    queue_limit_seconds: float
    wait_seconds: float
    leased: bool = True


class Throttle:
    """Thread-safe. `rate` None lifts the limit (benchmarks of everything else). `spare` is the schedule's."""

    def __init__(
        self, rate: int | None, *, clock: Clock, queue_limit: float = DEFAULT_QUEUE_LIMIT, spare: float = 0.0
    ) -> None:
        self._schedule = Schedule(rate, spare=spare) if rate is not None else None
        self._clock = clock
        self.queue_limit = queue_limit
        self._lock = threading.Lock()
        self._lanes: dict[Lane, list[_Waiter]] = {Lane.SEND: [], Lane.POLL: []}
        self._last_lane = Lane.POLL
        self._poll_due = -inf
        self._until = inf
        self._reservations: dict[int, Reservation] = {}
        self._singles, self._bulk = count(), count(BULK)
        self._tickets = count()

    @property
    def rate(self) -> int | None:
        """Return the present calls a second; None without a limit."""
        return self._schedule.rate if self._schedule is not None else None

    # --- reservations -------------------------------------------------------------------------------------------------

    @contextmanager
    def reservation(self, calls: int, *, patient: bool = False) -> Iterator[Reservation]:
        """Reserve turns for `calls` calls: behind all others, or for one call behind the other requests of one.

        Raises Throttled if the first of them could not start within the queue limit, unless `patient`; nothing was sent
        then.
        """
        with self._lock:
            reservation = Reservation(next(self._singles if calls == 1 else self._bulk), calls)
            if not patient:
                self._refuse_if_too_long(Lane.SEND, reservation.order)
            self._reservations[reservation.order] = reservation
        try:
            yield reservation
        finally:
            with self._lock:
                del self._reservations[reservation.order]
                reservation.remaining = 0
                self._wake_reservations()

    def wait_until_near(self, reservation: Reservation, within: float) -> None:
        """Wait until the turn of the next call is at most `within` seconds away, or turns go by unused."""
        while (distance := self._distance(reservation)) > within + INSTANT:
            self._clock.wait(reservation.nearer, min(distance - within, CHECK_AGAIN))
            reservation.nearer.clear()

    @contextmanager
    def attempting(self, reservation: Reservation, check: Callable[[int], object]) -> Iterator[Call]:
        """Make one call of the reservation in the block, with the yielded value as its `before_attempt`: `wait_turn`
        knows it by that."""
        call = Call(reservation, check)
        try:
            yield call
        finally:
            if not call.attempts:
                self.release(reservation, 1)

    def release(self, reservation: Reservation, calls: int) -> None:
        """Give back turns of calls that are not needed after all."""
        if calls:
            with self._lock:
                reservation.remaining -= min(calls, reservation.remaining)
                self._wake_reservations()

    # --- turns --------------------------------------------------------------------------------------------------------

    def wait_turn(self, lane: Lane, before_attempt: BeforeAttempt | None = None) -> Written:
        """Wait until the call may start, and count it as started. Return a function to call when the request has been
        written.

        Raises Throttled if a call without a reservation could not start within the queue limit.
        """
        call = before_attempt if isinstance(before_attempt, Call) else None
        turn = self._join_queue(lane, call, self._schedule) if self._schedule is not None else None
        if before_attempt is not None:
            before_attempt()
        return partial(self._count_from_now, self._count_from_now(turn))

    def _count_from_now(self, start: float | None) -> float | None:
        """Count a call that was held up since its turn at `start` from now on."""
        if self._schedule is None or start is None:
            return None
        with self._lock:
            now = self._clock.monotonic()
            self._schedule.delay(start, now)
            return now

    def change_rate(self, rate: int, *, until: float = inf) -> None:
        """Set what this node may start a second from now on: its share of the connection's rate. Its lease ends at
        `until` (monotonic): nothing starts after that."""
        if self._schedule is not None:
            with self._lock:
                self._schedule.change_rate(rate)
                self._until = until
                self._wake_reservations()
                for waiter in (*self._lanes[Lane.SEND], *self._lanes[Lane.POLL]):
                    waiter.wake.set()

    def state(self) -> ThrottleState:
        if self._schedule is None:
            return ThrottleState(0, 0, 0, 0, self.queue_limit, 0.0)
        with self._lock:
            schedule, now = self._schedule, self._clock.monotonic()
            queued = self._sends() + len(self._lanes[Lane.POLL])
            return ThrottleState(
                rate=schedule.rate,
                started_last_second=schedule.started_since(now - WINDOW),
                available_now=max(0, schedule.free_now(now, schedule.rate) - queued),
                queued=queued,
                queue_limit_seconds=self.queue_limit,
                wait_seconds=schedule.start_after(now, self._ahead(Lane.SEND, self._sends())) - now,
                leased=now < self._until,
            )

    # --- inside, under the lock ---------------------------------------------------------------------------------------

    def _join_queue(self, lane: Lane, call: Call | None, schedule: Schedule) -> float | None:
        """Wait for a turn and return when it came."""
        waiter = self._join(lane, call)
        try:
            while (pause := self._try_start(waiter, schedule)) > 0:
                self._clock.wait(waiter.wake, min(pause, LONGEST_NAP))
                waiter.wake.clear()
            return waiter.started
        finally:
            if waiter.started is None:
                self._leave(waiter)

    def _join(self, lane: Lane, call: Call | None) -> _Waiter:
        with self._lock:
            order = call.reservation.order if call is not None else next(self._singles)
            if call is None:
                self._refuse_if_too_long(lane, order)
            counted_by = call.reservation if call is not None and not call.attempts else None
            waiter = _Waiter(order, next(self._tickets), lane, counted_by)
            heappush(self._lanes[lane], waiter)
            return waiter

    def _try_start(self, waiter: _Waiter, schedule: Schedule) -> float:
        """Return 0 if the waiter's call has started, else how long it may sleep before it checks again."""
        with self._lock:
            now = self._clock.monotonic()
            following = self._next_waiter(now)
            if following is not waiter:
                if following is not None:
                    following.wake.set()
                return inf
            poll_due = self._poll_due if waiter.lane is Lane.POLL else -inf
            pause = max(schedule.next_start(now), poll_due) - now if now < self._until else inf
            if pause > 0:
                return pause
            schedule.start(now)
            if waiter.lane is Lane.POLL:
                self._poll_due = max(self._poll_due, now - CATCH_UP_TURNS * schedule.spacing) + schedule.spacing
            heappop(self._lanes[waiter.lane])
            waiter.started = now
            self._last_lane = waiter.lane
            if waiter.reservation is not None and waiter.reservation.remaining:
                waiter.reservation.remaining -= 1
            self._wake_next()
            return 0.0

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            self._lanes[waiter.lane].remove(waiter)
            heapify(self._lanes[waiter.lane])
            self._wake_next()

    def _wake_next(self) -> None:
        waiter = self._next_waiter(self._clock.monotonic())
        if waiter is not None:
            waiter.wake.set()

    def _next_waiter(self, now: float) -> _Waiter | None:
        """Return whose turn it is. A poll that is not due by its own pace is passed by sends."""
        other = Lane.POLL if self._last_lane is Lane.SEND else Lane.SEND
        for lane in (other, self._last_lane):
            passed = lane is Lane.POLL and now < self._poll_due and self._lanes[Lane.SEND]
            if self._lanes[lane] and not passed:
                return self._lanes[lane][0]
        return None

    def _wake_reservations(self) -> None:
        for reservation in self._reservations.values():
            reservation.nearer.set()

    def _refuse_if_too_long(self, lane: Lane, order: int) -> None:
        if self._schedule is None:
            return
        now = self._clock.monotonic()
        own = self._sends(order) if lane is Lane.SEND else len(self._lanes[Lane.POLL])
        wait = self._schedule.start_after(now, self._ahead(lane, own)) - now
        if wait > self.queue_limit + INSTANT:
            after = WINDOW if wait == inf else wait - self.queue_limit
            raise Throttled(
                f"the node is busy: this request could not start within {self.queue_limit:g} s; "
                f"nothing was sent; send it again in {after:.1f} s, or send many records as a campaign, which waits "
                "by itself",
                retry_after=after,
            )

    def _sends(self, before: float = inf) -> int:
        """Return the calls in the send lane ahead of that order: reserved ones, retries, and those without a
        reservation."""
        promised = sum(
            reservation.remaining for reservation in self._reservations.values() if reservation.order < before
        )
        others = sum(waiter.reservation is None and waiter.order < before for waiter in self._lanes[Lane.SEND])
        return promised + others

    def _ahead(self, lane: Lane, own: int) -> int:
        """Return the calls of both lanes that start before one with `own` calls before it in its own lane."""
        other = len(self._lanes[Lane.POLL]) if lane is Lane.SEND else self._sends()
        return own + min(other, own + (self._last_lane is lane))

    def _distance(self, reservation: Reservation) -> float:
        """Return seconds until the reservation's next call may start."""
        with self._lock:
            if self._schedule is None:
                return 0.0
            now = self._clock.monotonic()
            if not self._lanes[Lane.SEND] and self._schedule.next_start(now) <= now:
                return 0.0
            return self._schedule.start_after(now, self._ahead(Lane.SEND, self._sends(reservation.order))) - now
