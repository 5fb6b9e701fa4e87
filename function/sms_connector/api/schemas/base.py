"""The base of all payloads, times on the wire, shared field types, and errors as they are answered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sms_connector.errors import ErrorKind, FieldProblem, RetrySafety

PAGE_SIZE = 25
MAX_PAGE_SIZE = 200

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)

_TAG = r'(?:W/)?"[!#-~]*"'
# What If-Match and If-None-Match hold: `*`, or entity tags (RFC 9110, 8.8.3).
ENTITY_TAGS = rf"^(?:\*|{_TAG}(?: *, *{_TAG})*)$"


class Payload(msgspec.Struct, rename="camel"):
    """An answer, or a part of one."""


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A request, or a part of one. Unknown fields are refused by name."""


class EmptyBody(Body):
    """Nothing; the body may be left out."""


class ReasonBody(EmptyBody):
    """The reason; the body may be left out."""

    reason: Annotated[str, Meta(max_length=500)] = ""


class Nothing(Payload):
    """Done; no content."""


P = TypeVar("P", bound=Payload)
T = TypeVar("T")
D = TypeVar("D")
# A field that may be left out; what it is without one is the caller's or the template's matter.
Maybe: TypeAlias = T | UnsetType

Time = Annotated[str, Meta(description="RFC 3339, UTC, with milliseconds", extra_json_schema={"format": "date-time"})]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE, description="Entries of a page.")]
PageToken = Annotated[
    str, Meta(min_length=1, max_length=1024, description="`nextPageToken` of the page before, with the same filter.")
]
NextPageToken = Annotated[str | None, Meta(description="Ask with it for the next page; null at the end.")]


class PageQuery(Body):
    """Which page."""

    page_size: PageSize = PAGE_SIZE
    page_token: PageToken = ""


def value_or(value: Maybe[T], default: D) -> T | D:
    return default if value is UNSET else value


def write_time(seconds: float) -> str:
    """Epoch seconds as RFC 3339 in UTC with milliseconds: `2026-01-01T00:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def payload_of(kind: type[P], /, *sources: object, **own: Any) -> P:
    """Make a payload of `own`, and of the attributes that the first source with such a name has.

    Epoch seconds (`at`, `…_at`) of a source become times, and None is left out where the field may be absent.
    """
    for name, default, is_time in _fields(kind):
        if name in own:
            value = own[name]
        else:
            value = next((found for each in sources if (found := getattr(each, name, UNSET)) is not UNSET), UNSET)
            if value is UNSET:
                continue
            if is_time and value is not None:
                value = write_time(value)
        own[name] = UNSET if value is None and default is UNSET else value
    return kind(**own)


@cache
def _fields(kind: type[Payload]) -> tuple[tuple[str, object, bool], ...]:
    fields = msgspec.structs.fields(kind)
    return tuple((each.name, each.default, each.name == "at" or each.name.endswith("_at")) for each in fields)


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


Line = Annotated[int, Meta(description="Of a file: the line on which the record begins, from 1.")]


class ProblemInfo(Payload):
    """What is wrong with a field, or a warning: what is odd about it, and carried out all the same unless `strict`."""

    field: str
    kind: ErrorKind
    message: str
    line: Maybe[Line] = UNSET


Warnings = Annotated[list[ProblemInfo], Meta(description="What looks wrong and is done; the first 100.")]


def write_warnings(problems: Iterable[FieldProblem]) -> list[ProblemInfo]:
    return [payload_of(ProblemInfo, each) for each in problems]


class ProblemDetail(Payload, kw_only=True):
    """One thing that is wrong. Which members are there depends on what it is about."""

    field: Maybe[Annotated[str, Meta(description="Path of the field, as the caller wrote it.")]] = UNSET
    line: Maybe[Line] = UNSET
    kind: ErrorKind
    message: Maybe[Annotated[str, Meta(description="There where several things are wrong.")]] = UNSET
    retry: Maybe[RetrySafety] = UNSET
    retry_after_millis: Maybe[int] = UNSET
    code: Maybe[Annotated[int | str, Meta(description="The provider's own code.")]] = UNSET
    more_info: Maybe[Annotated[str, Meta(description="The provider's own link.")]] = UNSET


class Problem(Payload):
    """`status` is a google.rpc code; programs branch on it and on `details[].kind`, people read `message`."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    status: str
    message: Annotated[str, Meta(description="What is wrong and how to fix it. Wording may change.")]
    details: list[ProblemDetail]


class ProblemDocument(Payload):
    """The answer of every request that failed."""

    error: Problem
