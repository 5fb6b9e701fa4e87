"""What can go wrong with an attempt, what it means for the message (docs/sending.md, section 1), and when it is repeated.

Without an answer, it decides whether the other side may hold the whole request, which the connection records; else the status
decides: a 3xx or 4xx whose body ended early took nothing all the same.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from sms_connector.errors import CallError, ErrorKind, NotSent, OutcomeUnknown
from sms_connector.structured_log import mask_url

from .http import HttpRequest, HttpResponse
from .settings import TransportSettings


class WireError(Exception):
    """No usable answer. `what` describes it without addresses, secrets or content. `written`: the other side may hold the whole request.
    `again`: repeating could help. `at_once`: a kept connection turned out dead, so a new one needs no pause."""

    def __init__(
        self,
        what: str,
        *,
        written: bool,
        kind: ErrorKind = ErrorKind.UNAVAILABLE,
        again: bool = True,
        at_once: bool = False,
    ) -> None:
        super().__init__(what)
        self.what, self.written, self.kind, self.again, self.at_once = what, written, kind, again, at_once


class Failure(msgspec.Struct, frozen=True):
    """An attempt without an answer: the error for the caller, and what the retry policy needs. `perhaps_taken`: the provider may have
    carried it out. `answer`: its own error, returned once no attempt is left."""

    error: CallError
    again: bool = True
    at_once: bool = False
    perhaps_taken: bool = False
    answer: HttpResponse | None = None


def describe(error: OSError) -> str:
    """Describe an operating system or TLS error without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'unexpected end'})"
    if isinstance(error, TimeoutError):
        return "time-out"
    return error.strerror or type(error).__name__


_SECONDS = re.compile(r"\d{1,9}(\.\d{1,6})?")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of `Retry-After` (number or HTTP date, RFC 9110 10.2.3); None for none, or an unreadable one."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" parses to a naive time; an HTTP date is always UTC.
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)


def failed_on_the_wire(failure: WireError, request: HttpRequest) -> Failure:
    """Return the consequence of an attempt without a usable answer."""
    message = f"{request.method} {mask_url(request.url)}: {failure.what}"
    if failure.written and not request.repeatable:
        kind = ErrorKind.TIMEOUT if failure.kind is ErrorKind.TIMEOUT else ErrorKind.UNKNOWN_OUTCOME
        return Failure(OutcomeUnknown(message, kind=kind), again=False, perhaps_taken=True)
    error = NotSent(message, kind=failure.kind)
    return Failure(error, again=failure.again, at_once=failure.at_once, perhaps_taken=failure.written)


def failed_by_status(status: int, headers: Mapping[str, str], *, request: HttpRequest, now: float) -> Failure | None:
    """Return the consequence of an answer's status; None where the answer is to be returned."""
    if status < 500 and status != 429:
        return None
    wait = retry_after(headers, now)
    later = f", try again in {wait:g} s" if wait is not None else ""
    message = f"{request.method} {mask_url(request.url)}: the answer was {status}{later}"
    is_refusal = status == 429 or (status == 503 and wait is not None)
    if not (is_refusal or request.repeatable):
        return Failure(OutcomeUnknown(message), again=False, perhaps_taken=True)
    kind = ErrorKind.RATE_LIMITED if status == 429 else ErrorKind.UNAVAILABLE
    return Failure(NotSent(message, kind=kind, retry_after=wait), perhaps_taken=not is_refusal)


class RetryPolicy:
    """Decides how long to wait before the next attempt. `uniform` draws from 0 to 1.

    Backoff is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The budget
    keeps an outage from being multiplied: each call deposits a share of a token, each repetition but of a 429 takes a whole one
    (Finagle's RetryBudget).
    """

    def __init__(self, settings: TransportSettings, uniform: Callable[[], float]) -> None:
        self._settings, self._uniform = settings, uniform
        self._tokens = float(settings.retry_reserve)
        self._lock = threading.Lock()

    def begin_call(self) -> None:
        """Add a new call's share of a repetition."""
        with self._lock:
            self._tokens = min(self._settings.retry_reserve, self._tokens + self._settings.retry_ratio)

    def pause(self, attempts: int, failure: Failure, remaining: float) -> float | None:
        """Return the seconds until the next attempt, which has to start within `remaining`; None for no other attempt."""
        # What may have been taken is never repeated blindly; a wrong certificate, password or setting stays wrong.
        if isinstance(failure.error, OutcomeUnknown) or not failure.again or attempts >= self._settings.attempts:
            return None
        step = min(self._settings.backoff_cap, self._settings.backoff_base * 2.0 ** (attempts - 1))
        # The provider's own Retry-After, never less, plus the jitter: all nodes were given the same. A dead connection that was
        # kept says nothing about the provider.
        at_once = failure.at_once and attempts == 1
        seconds = 0.0 if at_once else (failure.error.retry_after or 0.0) + self._uniform() * step
        if seconds > remaining:
            return None
        with self._lock:
            has_budget = failure.error.kind is ErrorKind.RATE_LIMITED or self._tokens >= 1.0
            self._tokens -= has_budget and failure.error.kind is not ErrorKind.RATE_LIMITED
        return seconds if has_budget else None
