"""The connector's log: one line of JSON an event on stdout, as Cloud Logging reads it, without numbers and bodies.

    {"severity": "INFO", "message": "request", "time": "2026-01-01T00:00:00.000Z", "connection": "sms", "requestId":
    "…",
     "logging.googleapis.com/trace": "projects/p/traces/…", "status": 200, "durationMillis": 81.0}

What is written is masked here and nowhere else, so that no caller can forget it:

- seven digits or more in a row, however they are grouped, keep their last two (`+1 555 867-5310` → `…10`);
- fields that hold an address, a text or a credential by their name are masked whole (`to`, `body`, `authToken`, …);
- of an exception its type and its place in the code are written, never its text: it may quote what a caller wrote.

An identifier made by a machine (32 hexadecimal digits, a UUID, also behind `msg_` or `SM`) is not a number and stays.
"""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TextIO
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec.structs import replace

LEVELS: Final = ("debug", "info", "error")

_NUMBER = re.compile(r"[+＋]?\d(?:[\s ()./\-‐-―−]{0,3}\d){6,}")
_CREDENTIALS = re.compile(r"(?i)\b(basic|bearer|digest)\s+[\w.~+/=-]{6,}|(?<=://)[^/\s@]*@")
_MACHINE_ID = re.compile(
    r"(?:[a-z]{2,6}_|[A-Z]{2})?[0-9a-f]{32}|msg_[0-9a-f]{26}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
# In URLs: account and message ids, keyed digests. A version of an API is a date, and no number.
_ID = re.compile(r"(?<![\w-])(?=[\w-]*\d)([A-Za-z0-9_-]{2})[A-Za-z0-9_-]{10,}([A-Za-z0-9_-]{4})(?![\w-])")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;o=(\d))?")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")

# Compared in lower case and without separators.
_PRIVATE_FIELDS = frozenset(
    {
        *("to", "from", "sender", "recipient", "number", "phone", "address"),
        *("text", "body", "messagetext", "content", "reason", "reply"),
        *("authorization", "cookie", "token", "secret", "password", "authtoken", "apikey", "apikeysecret"),
        *("credential", "credentials", "key", "idempotencykey"),
    }
)
_MEASURES = ("millis", "seconds", "bytes", "count", "at")
_LARGEST_PLAIN = 9_999_999


class Headers(Protocol):
    """A request's headers, whatever its framework calls them."""

    def get(self, name: str, default: str, /) -> str: ...


class StructuredLog(msgspec.Struct, frozen=True):
    """Writes events at or above `level` (`error`, `info`, `debug`). `project` is where the traces are.

    `context` holds the fields of every event, masked already. `stream` None is whatever `sys.stdout` is at the time.
    """

    connection: str = ""
    level: str = "info"
    project: str | None = None
    stream: TextIO | None = None
    now: Callable[[], float] = time.time
    context: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def bind(self, **fields: Any) -> StructuredLog:
        """Return the same log with more fields in every event."""
        return replace(self, context={**self.context, **_mask_fields(fields)})

    def bind_request(self, headers: Headers, *, request_id: str) -> StructuredLog:
        """Return the same log for one HTTP request: with its id, and with its trace where the platform sent one."""
        log = self.bind(requestId=request_id)
        return replace(log, context={**log.context, **read_trace(headers, project=self.project)})

    def error(self, message: str, *, exception: BaseException | None = None, **fields: Any) -> None:
        """Write an event that has to be looked at. `exception` adds its type and its place in the code."""
        self._write("error", message, {**fields, **_describe(exception)} if exception is not None else fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Write an event that alerts count, at every level: a quiet log would silence them."""
        self._write("warning", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """Write an event that an operator wants to count or find again."""
        self._write("info", message, fields)

    def debug(self, message: str, **fields: Any) -> None:
        """Write what helps to find a fault."""
        self._write("debug", message, fields)

    def _write(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        if level != "warning" and LEVELS.index(level) < LEVELS.index(self.level):
            return
        moment = datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {**_mask_fields(fields), **self.context}
        event |= {"severity": level.upper(), "message": mask_text(message), "time": moment}
        if self.connection:
            event["connection"] = self.connection
        stream = self.stream or sys.stdout
        stream.write(json.dumps(event) + "\n")
        stream.flush()


def mask_text(text: str) -> str:
    """Return `text` without what could be a phone number or a credential; all else stays readable."""
    if _MACHINE_ID.fullmatch(text):
        return text
    return _CREDENTIALS.sub("***", _NUMBER.sub(_mask_number, text))


def mask_url(url: str) -> str:
    """Return `url` without user info, query values, fragment, numbers and whole ids: enough to find a request at the
    provider.

    https://user:pw@api.example/Accounts/AC0123…/Messages.json?To=%2B15558675310 →
    https://api.example/Accounts/AC…cdef/Messages.json?To=***
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    path = "/".join(map(_mask_segment, parts.path.split("/")))
    query = "&".join(f"{_mask_segment(pair.partition('=')[0])}=***" for pair in parts.query.split("&") if pair)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}" + (f"?{query}" if query else "")


def _mask_segment(segment: str) -> str:
    plain = unquote(segment)
    masked = plain if _DATE.fullmatch(plain) else _NUMBER.sub(_mask_number, _ID.sub(r"\1…\2", plain))
    return segment if masked == plain else masked


def read_trace(headers: Headers, *, project: str | None) -> dict[str, Any]:
    """Return the fields that tie an event to its trace: from `X-Cloud-Trace-Context`, else from W3C's `traceparent`."""
    span: str | None
    if google := _TRACE.fullmatch(headers.get("X-Cloud-Trace-Context", "")):
        trace, span, sampled = google[1].lower(), google[2] and f"{int(google[2]):016x}", google[3] == "1"
    elif w3c := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        trace, span, sampled = w3c[1], w3c[2], bool(int(w3c[3], 16) & 1)
    else:
        return {}
    fields = {"logging.googleapis.com/trace": f"projects/{project}/traces/{trace}" if project else trace}
    if span:
        fields["logging.googleapis.com/spanId"] = span
    return fields | {"logging.googleapis.com/trace_sampled": sampled}


def _mask_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {mask_text(str(name)): _mask_value(str(name), value) for name, value in fields.items()}


def _mask_value(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if re.sub(r"[^a-z]", "", name.lower()) in _PRIVATE_FIELDS:
        return "***"
    if isinstance(value, int | float):
        return value if abs(value) <= _LARGEST_PLAIN or name.lower().endswith(_MEASURES) else mask_text(f"{value:.0f}")
    if isinstance(value, str):
        # A secret shows itself as '***' (ports.Secret); this module knows it by that alone.
        return "***" if repr(value) == "'***'" else mask_text(str(value))
    if isinstance(value, Mapping):
        return _mask_fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask_value(name, item) for item in value]
    return mask_text(str(value))


def _mask_number(match: re.Match[str]) -> str:
    return "…" + match[0][-2:]


def _describe(exception: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(exception.__traceback__)
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    described: dict[str, Any] = {"exception": type(exception).__name__, "stack": places}
    cause = exception.__cause__ or exception.__context__
    if cause is not None:
        described["cause"] = type(cause).__name__
    return described
