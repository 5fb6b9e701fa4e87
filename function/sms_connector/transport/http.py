"""The transport's interface to the providers' packages. No library's type crosses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from sms_connector.errors import ErrorKind, NotSent
from sms_connector.model.message import BeforeAttempt
from sms_connector.structured_log import mask_url

# What a gate may return: called when the last byte of a request has been written.
Written = Callable[[], object]


class Lane(StrEnum):
    """The queue at the node's throttle that a call waits in: sends and everything else share fairly."""

    SEND = "send"
    POLL = "poll"


class Verdict(StrEnum):
    """The decision of the provider's own error, whatever its status: `FINAL` ends the call, `LATER` repeats it."""

    FINAL = "final"
    LATER = "later"


class HttpRequest(msgspec.Struct, frozen=True):
    """One call. `url` is absolute. Host, framing and Connection are not in `headers`: they are the transport's.

    `authorization` is a header value, which nothing prints. `repeatable`: doing it twice is harmless. The gate calls
    `before_attempt`. `read_provider_error` reads the provider's error in a 429 or 5xx; at None the status decides.
    `renew` makes it anew behind the gate for each attempt, where a signature holds for one or for some minutes.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    authorization: str | None = None
    lane: Lane = Lane.POLL
    repeatable: bool = False
    read_provider_error: Callable[[HttpResponse], Verdict | None] | None = None
    before_attempt: BeforeAttempt | None = None
    renew: Callable[[], HttpRequest] | None = None

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {mask_url(self.url)})"


class HttpResponse(msgspec.Struct, frozen=True):
    """An answer of the provider. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"HttpResponse({self.status}, {len(self.body)} bytes)"


class WireError(Exception):
    """No usable answer; it does not leave the transport. `what` holds no address, secret or content. `written`: the
    other side may hold the whole request. `again`: repeating could help. `at_once`: a kept connection was dead."""

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


# Called before every attempt; returns when its turn has come and `before_attempt` raised nothing. See `Written`.
Gate = Callable[[Lane, BeforeAttempt | None], Written | None]


class Transport(Protocol):
    def send(self, request: HttpRequest) -> HttpResponse:
        """Return every 2xx, 3xx and 4xx but 429; of those and 5xx, what `read_provider_error` finds final.

        Repeats what is safe, within its budget, each attempt through the gate. Raises errors.NotSent (not processed, or
        `repeatable` without an answer in time), errors.OutcomeUnknown, errors.Throttled (by the gate: nothing sent).
        """


class NoTransport:
    """For a provider whose methods are called only where they need no call."""

    def send(self, request: HttpRequest) -> HttpResponse:
        raise NotSent(f"{request.method}: no call can be made before the start")
