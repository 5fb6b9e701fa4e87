"""When an attempt is repeated: at this one layer, with a budget over the whole node.

Backoff is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The budget
keeps an outage from being multiplied: each call deposits a share of a token, each repetition takes a whole one (Finagle's
RetryBudget). A 429 is no outage: the provider is there and says "later", and the throttle bounds what repeating it can do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sms_connector.errors import ErrorKind, OutcomeUnknown

from .failures import Failure
from .settings import TransportSettings


class RetryPolicy:
    """Says how long to wait before the next attempt, or that there is none. `uniform` draws from 0 to 1."""

    def __init__(self, settings: TransportSettings, uniform: Callable[[], float]) -> None:
        self._settings, self._uniform = settings, uniform
        self._tokens = float(settings.retry_reserve)
        self._lock = threading.Lock()

    def begin_call(self) -> None:
        """A new call earns its share of a repetition."""
        with self._lock:
            self._tokens = min(self._settings.retry_reserve, self._tokens + self._settings.retry_ratio)

    def pause(self, attempts: int, failure: Failure, remaining: float) -> float | None:
        """Seconds until the next attempt, which has to start within `remaining`; None: give up now.

        A token is taken only when the answer is a number.
        """
        # What may have been taken is never repeated blindly; a wrong certificate, password or setting stays wrong.
        if isinstance(failure.error, OutcomeUnknown) or not failure.again or attempts >= self._settings.attempts:
            return None
        seconds = self._wait(attempts, failure)
        if seconds > remaining:
            return None
        return seconds if failure.error.kind is ErrorKind.RATE_LIMITED or self._take_token() else None

    def _wait(self, attempts: int, failure: Failure) -> float:
        if failure.at_once and attempts == 1:
            return 0.0  # a dead connection that was kept says nothing about the provider
        step = min(self._settings.backoff_cap, self._settings.backoff_base * 2.0 ** (attempts - 1))
        # The provider's own Retry-After, never less, plus the jitter: all nodes were given the same.
        return (failure.error.retry_after or 0.0) + self._uniform() * step

    def _take_token(self) -> bool:
        with self._lock:
            enough = self._tokens >= 1.0
            self._tokens -= enough
            return enough
