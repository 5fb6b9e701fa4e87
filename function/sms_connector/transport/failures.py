"""What can go wrong on the wire, and what it means for the message: the table of `sending.md`, section 1.

The one fact that decides is whether the other side may hold the whole request. The connection knows it, because it opens, writes
and reads in three separate steps; nothing here guesses from the type of an exception.

    | what happened                                                    | non-repeatable | repeatable |
    |------------------------------------------------------------------|----------------|------------|
    | before the request was written: name, refused, timeout, TLS,     | NotSent        | NotSent    |
    |   proxy before its tunnel stood; the first write failed          |                |            |
    | after: silence, lost connection, TLS failure, broken framing,    | OutcomeUnknown | NotSent    |
    |   a 2xx that ended early or is over the size limit               |                |            |
    | 429; 503 with a readable Retry-After                             | NotSent        | NotSent    |
    | any other 5xx                                                    | OutcomeUnknown | NotSent    |
    | 2xx, 3xx, other 4xx                                              | returned       | returned   |
    | 429 or 5xx in which `HttpRequest.read_provider_error` reads a final error  | returned       | returned   |

A 3xx or 4xx whose body ended early is returned with what arrived: its status line alone says that nothing was taken.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from sms_connector.errors import CallError, ErrorKind, NotSent, OutcomeUnknown

from .http import HttpRequest, HttpResponse
from .redaction import redact_url


class WireError(Exception):
    """No usable answer. `what` says it without addresses, secrets or content.

    `written`   the other side may hold the whole request
    `again`     repeating could help (a wrong certificate or password stays wrong)
    `at_once`   a connection from the pool turned out dead: a new one needs no pause
    """

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
    """An attempt that gave no answer: the error the caller would get, and what the retry policy wants to know. `perhaps_taken`
    says that the provider may have carried it out, also where doing it again is harmless. `answer` is the
    provider's own error, which is returned once there is no further attempt."""

    error: CallError
    again: bool = True
    at_once: bool = False
    perhaps_taken: bool = False
    answer: HttpResponse | None = None


def describe(error: OSError) -> str:
    """Say what an operating system or TLS error says, without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'unexpected end'})"
    if isinstance(error, TimeoutError):
        return "time-out"
    return error.strerror or type(error).__name__


_SECONDS = re.compile(r"\d{1,9}(\.\d{1,6})?")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds of `Retry-After` (number or HTTP date, RFC 9110 10.2.3); None where there is none, or none readable."""
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
    """The consequence of an attempt without a usable answer."""
    message = f"{request.method} {redact_url(request.url)}: {failure.what}"
    if failure.written and not request.repeatable:
        kind = ErrorKind.TIMEOUT if failure.kind is ErrorKind.TIMEOUT else ErrorKind.UNKNOWN_OUTCOME
        return Failure(OutcomeUnknown(message, kind=kind), again=False, perhaps_taken=True)
    error = NotSent(message, kind=failure.kind)
    return Failure(error, again=failure.again, at_once=failure.at_once, perhaps_taken=failure.written)


def failed_by_status(status: int, headers: Mapping[str, str], *, request: HttpRequest, now: float) -> Failure | None:
    """The consequence of an answer's status; None where it is the provider's word, to be returned."""
    if status < 500 and status != 429:
        return None
    wait = retry_after(headers, now)
    message = f"{request.method} {redact_url(request.url)}: the answer was {status}" + (
        f", try again in {wait:g} s" if wait is not None else ""
    )
    if status == 429:
        return Failure(NotSent(message, kind=ErrorKind.RATE_LIMITED, retry_after=wait))
    if status == 503 and wait is not None:
        return Failure(NotSent(message, retry_after=wait))
    if request.repeatable:
        return Failure(NotSent(message, retry_after=wait), perhaps_taken=True)
    return Failure(OutcomeUnknown(message), again=False, perhaps_taken=True)
