"""The base of all payloads, times on the wire, and shared field types."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

PAGE_SIZE = 25
MAX_PAGE_SIZE = 200

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)

_TAG = r'(?:W/)?"[!#-~]*"'
# What If-Match and If-None-Match hold: `*`, or entity tags (RFC 9110, 8.8.3).
ENTITY_TAGS = rf"^(?:\*|{_TAG}(?: *, *{_TAG})*)$"


class Payload(msgspec.Struct, rename="camel"):
    """An answer, or a part of one."""


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a caller sends, or a part of it. Unknown fields are refused by name."""


P = TypeVar("P", bound=Payload)
T = TypeVar("T")
# A field that may be left out; what it is without one is the caller's or the template's matter.
Maybe: TypeAlias = T | UnsetType

Time = Annotated[str, Meta(description="RFC 3339, UTC, with milliseconds", extra_json_schema={"format": "date-time"})]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE, description="Entries of a page.")]
PageToken = Annotated[
    str, Meta(min_length=1, max_length=1024, description="`nextPageToken` of the page before, with the same filter.")
]
NextPageToken = Annotated[str | None, Meta(description="Ask with it for the next page; null at the end.")]


def write_time(seconds: float) -> str:
    """Epoch seconds as RFC 3339 in UTC with milliseconds: `2026-01-01T00:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def write_time_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else write_time(seconds)


def payload_of(kind: type[P], source: object, /, **own: Any) -> P:
    """Make a payload of the attributes that `source` has under the same names, and of `own`.

    Epoch seconds (`at`, `…_at`) become times, and None is left out where the field may be absent.
    """
    for name, default in _fields(kind):
        if name not in own and hasattr(source, name):
            value = getattr(source, name)
            if value is None:
                own[name] = UNSET if default is UNSET else None
            else:
                own[name] = write_time(value) if name == "at" or name.endswith("_at") else value
    return kind(**own)


@cache
def _fields(kind: type[Payload]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in msgspec.structs.fields(kind))


def read_time(text: str) -> datetime:
    """Parse a time in RFC 3339 form. Raises ValueError with the fix."""
    problem = "is not a time in RFC 3339 form, such as 2026-01-31T09:30:00Z"
    if not _RFC3339.fullmatch(text):
        needs_offset = "has no offset from UTC; end it with Z for UTC, or with one such as +02:00"
        raise ValueError(needs_offset if _RFC3339.fullmatch(f"{text}Z") else problem)
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(problem) from None
