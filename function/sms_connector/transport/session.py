"""`HttpTransport`: a `requests` session, one per node, for all its threads. Why: docs/decisions/0002-transport.md."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sms_connector.errors import NotSent, OutcomeUnknown, RequestError
from sms_connector.model.message import BeforeAttempt
from sms_connector.ports import Clock, SecretSource

from .failures import Failure, RetryPolicy, WireError, failed_by_status, failed_on_the_wire
from .http import Gate, HttpRequest, HttpResponse, Lane, Verdict, Written
from .outgoing import Resolver, resolve_by_system
from .settings import TransportSettings

if TYPE_CHECKING:
    from .adapter import Session


def _no_gate(_lane: Lane, before_attempt: BeforeAttempt | None = None, /) -> None:
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
    def _session(self) -> Session:
        # At the first call: to import requests takes some 50 ms of a cold start, which answers without it.
        from .adapter import Session

        return Session(self._settings, self._clock, secrets=self._secrets, resolve=self._resolve)

    def send(self, request: HttpRequest) -> HttpResponse:
        """See `http.Transport.send`."""
        written = self._gate(request.lane, request.before_attempt)
        self._policy.begin_call()
        before: list[Failure] = []
        try:
            return self._send(request, before, written)
        except (NotSent, RequestError) as error:
            if request.lane is Lane.SEND and any(failure.perhaps_taken for failure in before):
                # The last attempt sent nothing, but an earlier one may have.
                raise OutcomeUnknown(f"{error}; an attempt before it may have been taken") from error
            raise

    def close(self) -> None:
        """Close the kept connections; the next request opens a new one."""
        self._session.close()

    def _send(self, request: HttpRequest, before: list[Failure], written: Written | None) -> HttpResponse:
        """Attempt until there is an answer or no further attempt; add the failed ones to `before`."""
        own_time = self._settings.connect_timeout + self._settings.read_timeout
        last_start = self._clock.monotonic() + self._settings.total_timeout - own_time
        while True:
            # However long the gate took, an attempt has its own time-outs to end, and no longer: leases count on it.
            outcome = self._attempt(request, self._clock.monotonic() + own_time, written)
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
                return replace(failure, answer=response) if verdict else failure
            if broken is not None and response.status < 300:  # only a 2xx says by its body what was done
                raise broken
            return response
        except WireError as failure:
            return failed_on_the_wire(failure, request)
