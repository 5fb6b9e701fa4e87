"""`HttpTransport`: a `requests` session, one per node, for all its threads. Why: docs/decisions/0002-transport.md.

What a failed attempt means: docs/sending.md, section 1. Without an answer, it counts whether the other side may hold
the whole request, which the connection records; else the status does, also where the body of a 3xx or 4xx ended early.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from sms_connector.errors import CallError, ErrorKind, NotSent, OutcomeUnknown, RequestError
from sms_connector.model.message import BeforeAttempt
from sms_connector.ports import Clock, SecretSource
from sms_connector.structured_log import mask_url

from .http import Gate, HttpRequest, HttpResponse, Lane, Verdict, WireError, Written
from .outgoing import Resolver, resolve_by_system
from .settings import TransportSettings

if TYPE_CHECKING:
    from .adapter import CallSession


def _no_gate(_lane: Lane, before_attempt: BeforeAttempt | None) -> None:
    if before_attempt is not None:
        before_attempt()


class HttpTransport:
    """`http.Transport` over kept connections. No error of it holds a secret, a body or a whole number."""

    def __init__(
        self,
        settings: TransportSettings,
        *,
        clock: Clock,
        secrets: SecretSource,
        gate: Gate = _no_gate,
        uniform: Callable[[], float] = random.random,
        resolve: Resolver = resolve_by_system,
    ) -> None:
        self._settings, self._clock, self._gate = settings, clock, gate
        self._secrets, self._resolve, self._policy = secrets, resolve, RetryPolicy(settings, uniform)

    @cached_property
    def _session(self) -> CallSession:
        # At the first call: to import requests takes some 50 ms of a cold start, which answers without it.
        from .adapter import Adapter, CallSession

        adapter = Adapter(self._settings, self._clock, secrets=self._secrets, resolve=self._resolve)
        return CallSession(adapter, self._settings.user_agent)

    def send(self, request: HttpRequest) -> HttpResponse:
        """See `http.Transport.send`."""
        written = self._gate(request.lane, request.before_attempt)
        self._policy.begin_call()
        before: list[Failure] = []
        try:
            response = self._send(request, before, written)
            if request.lane is Lane.SEND and response.status >= 400 and any(each.perhaps_taken for each in before):
                raise NotSent(f"{request.method} {mask_url(request.url)}: the answer was {response.status}")
            return response
        except (NotSent, RequestError) as error:
            if request.lane is Lane.SEND and any(failure.perhaps_taken for failure in before):
                raise OutcomeUnknown(f"{error}; an attempt before it may have been taken") from error
            raise

    def close(self) -> None:
        self._session.close()

    def _send(self, request: HttpRequest, before: list[Failure], written: Written | None) -> HttpResponse:
        """Attempt until there is an answer or no further attempt; add the failed ones to `before`."""
        own_time = self._settings.connect_timeout + self._settings.read_timeout
        last_start = self._clock.monotonic() + self._settings.total_timeout - own_time
        while True:
            # However long the gate took, an attempt has its own time-outs to end, and no longer: leases count on it.
            deadline = self._clock.monotonic() + own_time
            outcome = self._attempt(request.renew() if request.renew else request, deadline, written)
            if isinstance(outcome, HttpResponse):
                return outcome
            before.append(outcome)
            pause = self._policy.pause(len(before), outcome, last_start - self._clock.monotonic())
            if pause is None and outcome.answer is not None:
                return outcome.answer
            if pause is None:
                raise outcome.error
            if pause > 0.0:
                self._clock.sleep(pause)
            written = self._gate(request.lane, request.before_attempt)

    def _attempt(self, request: HttpRequest, deadline: float, written: Written | None) -> HttpResponse | Failure:
        try:
            reply = self._session.exchange(request, deadline, written)
            response, broken = HttpResponse(reply.status_code, reply.headers, reply.raw.read()), reply.broken
            failure = failed_by_status(response.status, response.headers, request=request, now=self._clock.time())
            if failure is not None:
                verdict = request.read_provider_error and not broken and request.read_provider_error(response)
                if verdict is Verdict.FINAL:
                    return response
                return msgspec.structs.replace(failure, answer=response) if verdict else failure
            if broken is not None and response.status < 300:  # only a 2xx says by its body what was done
                raise broken
            return response
        except WireError as failure:
            return failed_on_the_wire(failure, request)


class Failure(msgspec.Struct, frozen=True):
    """A failed attempt. `perhaps_taken`: the provider may have carried it out. `answer`: its own error, for the end."""

    error: CallError
    again: bool = True
    at_once: bool = False
    perhaps_taken: bool = False
    answer: HttpResponse | None = None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110 10.2.3: a number or a date in UTC), None without a readable one."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
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
    """The wait before the next attempt. `uniform` draws from 0 to 1.

    Backoff is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    Each call deposits a share of a token, each repetition but of a 429 takes one (Finagle's RetryBudget).
    """

    def __init__(self, settings: TransportSettings, uniform: Callable[[], float]) -> None:
        self._settings, self._uniform = settings, uniform
        self._tokens = float(settings.retry_reserve)
        self._lock = threading.Lock()

    def begin_call(self) -> None:
        with self._lock:
            self._tokens = min(self._settings.retry_reserve, self._tokens + self._settings.retry_ratio)

    def pause(self, attempts: int, failure: Failure, remaining: float) -> float | None:
        """Return the seconds until the next attempt, which has to start within `remaining`; None for none."""
        # What may have been taken is never repeated blindly; a wrong certificate, password or setting stays wrong.
        if isinstance(failure.error, OutcomeUnknown) or not failure.again or attempts >= self._settings.attempts:
            return None
        step = min(self._settings.backoff_cap, self._settings.backoff_base * 2.0 ** (attempts - 1))
        # Never less than Retry-After, plus the jitter, as all nodes got the same. A dead kept connection says nothing.
        at_once = failure.at_once and attempts == 1
        seconds = 0.0 if at_once else (failure.error.retry_after or 0.0) + self._uniform() * step
        if seconds > remaining:
            return None
        if failure.error.kind is ErrorKind.RATE_LIMITED:
            return seconds
        with self._lock:
            has_budget = self._tokens >= 1.0
            self._tokens -= has_budget
        return seconds if has_budget else None
