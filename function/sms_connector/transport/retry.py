"""When an attempt is repeated: small callables that combine, in tenacity's manner, and a budget over the whole node.

Repetitions happen at this one layer. Backoff is exponential with full jitter (waiting a uniformly random part of
the step spreads callers best: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The
budget keeps an outage from being multiplied: each call deposits a share of a token, each repetition takes a whole one
(Finagle's RetryBudget). A 429 is no outage: the provider is there and says "later", and the throttle bounds what repeating it can do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from sms_connector.errors import ErrorKind, OutcomeUnknown

from .failures import Failure


class Attempted(msgspec.Struct, frozen=True):
    """A failed attempt: its number (the first is 1), why it failed, and the seconds in which the next has to start."""

    number: int
    failure: Failure
    remaining: float


Stop = Callable[[Attempted], bool]
Wait = Callable[[Attempted], float | None]


def stop_any(*stops: Stop) -> Stop:
    """Stop as soon as one of them says so."""
    return lambda attempted: any(stop(attempted) for stop in stops)


def stop_after(attempts: int) -> Stop:
    """At most this many attempts."""
    return lambda attempted: attempted.number >= attempts


def stop_when_unsafe(attempted: Attempted) -> bool:
    """It may have been taken: never repeated blindly."""
    return isinstance(attempted.failure.error, OutcomeUnknown)


def stop_when_hopeless(attempted: Attempted) -> bool:
    """A wrong certificate, password or setting stays wrong."""
    return not attempted.failure.again


def wait_first(*waits: Wait) -> Wait:
    """The first of them that has an opinion."""

    def wait(attempted: Attempted) -> float | None:
        return next((seconds for each in waits if (seconds := each(attempted)) is not None), None)

    return wait


def wait_not_when_stale(attempted: Attempted) -> float | None:
    """A dead connection from the pool says nothing about the provider: no pause, once."""
    return 0.0 if attempted.failure.at_once and attempted.number == 1 else None


def wait_for_retry_after(spread: Wait) -> Wait:
    """The provider's own Retry-After, never less, plus some spread: all nodes were told the same."""

    def wait(attempted: Attempted) -> float | None:
        told = attempted.failure.error.retry_after
        return None if told is None else told + (spread(attempted) or 0.0)

    return wait


def full_jitter(base: float, *, cap: float, random: Callable[[], float]) -> Wait:
    """A random part of base, 2 base, 4 base … at most cap."""
    return lambda attempted: float(random() * min(cap, base * 2.0 ** (attempted.number - 1)))


class RetryBudget:
    """Tokens of a node: at most `reserve`, `ratio` of one deposited by each call, one taken by each repetition."""

    def __init__(self, *, ratio: float, reserve: int) -> None:
        self._ratio = ratio
        self._reserve = float(reserve)
        self._tokens = float(reserve)
        self._lock = threading.Lock()

    def deposit(self) -> None:
        with self._lock:
            self._tokens = min(self._reserve, self._tokens + self._ratio)

    def take(self) -> bool:
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


class RetryPolicy:
    """Says how long to wait before the next attempt, or that there is none."""

    def __init__(self, *, stop: Stop, wait: Wait, budget: RetryBudget) -> None:
        self._stop = stop
        self._wait = wait
        self._budget = budget

    def call_begins(self) -> None:
        """A new call: it earns its share of a repetition."""
        self._budget.deposit()

    def pause(self, attempted: Attempted) -> float | None:
        """Seconds until the next attempt; None: give up now. A token is taken only when the answer is a number."""
        if self._stop(attempted):
            return None
        seconds = self._wait(attempted)
        if seconds is None or seconds > attempted.remaining:
            return None
        retry_after_given = attempted.failure.error.kind is ErrorKind.RATE_LIMITED
        return seconds if retry_after_given or self._budget.take() else None
