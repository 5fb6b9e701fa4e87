"""Forms and filters by the description's types: text in, values out, refused with Twilio's codes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from sandbox.twilio import numbers
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.listing import EVER, Span, read_moment
from sandbox.twilio.resources.description import FieldType, Operation, Schema, snake
from sandbox.twilio.validation import Form

Takes = Callable[[Mapping[str, Any]], bool]
# "before this date" of calls, "at or before midnight" of the others: the parameters' descriptions in the document.
STRICT = frozenset({"StartTime<", "EndTime<"})


def read_form(operation: Operation, form: Form, *, update: bool = False) -> dict[str, Any]:
    """Return the fields of a form. An empty value of an update clears what may be empty, else it counts as absent.

    Raises TwilioError for a missing or an unreadable one; names that are not described are ignored, as at Twilio.
    """
    missing = [name for name in operation.required if form.get(name) is None]
    if missing:
        # Recorded wording of the younger APIs; UNVERIFIED for the 2010 API, where some parameters have codes of their own.
        raise TwilioError(20001, message=f"Missing required parameter {missing[0]} in the post body")
    found = {}
    for name, wanted in operation.form.items():
        given = form.all(name)
        if given:
            found[snake(name)] = list(given) if wanted.kind == "array" else read_value(name, given[0], wanted)
        elif update and form.has(name) and not wanted.allowed and wanted.kind not in ("boolean", "integer"):
            found[snake(name)] = [] if wanted.kind == "array" else None
    return found


def read_value(name: str, text: str, wanted: FieldType) -> Any:
    """Raises TwilioError 20001 for a text that is none of the wanted type."""
    try:
        value = _read(text, wanted.kind)
    except ValueError:
        raise TwilioError(20001, name=name, value=text) from None
    if wanted.allowed and value not in wanted.allowed:
        raise TwilioError(20001, name=name, value=text)
    return value


def read_filters(filters: Schema, query: Mapping[str, str]) -> Takes:
    """Return what a list's filters take of the shown values; several must all agree."""
    checks: list[Takes] = []
    dates: dict[str, Span] = {}
    for name, wanted in filters.items():
        text = query.get(name)
        if not text:
            continue
        attribute = snake(name.rstrip("<>"))
        if wanted.kind in ("date", "date-time"):
            bounds, before = date_bounds(name, text), dates.get(attribute, EVER)
            dates[attribute] = Span(max(bounds.start, before.start), min(bounds.end, before.end))
        elif name in ("PhoneNumber", "To", "From"):
            checks.append(_number_check(attribute, text))
        else:
            checks.append(_equal(attribute, read_value(name, text, wanted)))
    checks += [_within(attribute, span) for attribute, span in dates.items()]
    return lambda values: all(check(values) for check in checks)


def date_bounds(name: str, text: str) -> Span:
    """Return the seconds that a date filter takes, the end excluded.

    A day alone means all of it; with `<` until its midnight, which calls leave out; with `>` from its midnight.
    """
    moment, whole_day = read_moment(name, text)
    start = math.floor(moment.timestamp())
    if name.endswith("<"):
        return Span(-math.inf, start if name in STRICT else start + 1)
    if name.endswith(">"):
        return Span(start, math.inf)
    return Span(start, start + (86_400 if whole_day else 1))


def is_web_address(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _read(text: str, kind: str) -> Any:
    if kind == "boolean":
        return _truth(text)
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    if kind == "http-method":
        return text.upper()
    if kind == "date":
        return date.fromisoformat(text).isoformat()
    if kind == "iso-country-code":
        return text.upper()
    fits = is_web_address(text) if kind == "uri" else _is_sid(text, kind)
    if not fits:
        raise ValueError(kind)
    return text


def _is_sid(text: str, kind: str) -> bool:
    return not kind.startswith("sid:") or bool(re.fullmatch(f"{kind[4:]}[0-9a-fA-F]{{32}}", text))


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _equal(attribute: str, wanted: Any) -> Takes:
    """Compare as the answer writes it: some numbers are texts there."""
    if isinstance(wanted, bool):
        return lambda values: bool(values.get(attribute)) is wanted
    return lambda values: str(values.get(attribute)) == str(wanted)


def _number_check(attribute: str, text: str) -> Takes:
    """A number in any form; `*` stands for any digits, and part of a number finds it (IncomingPhoneNumbers)."""
    whole = numbers.recipient(text)
    if whole is not None:
        return lambda values: values.get(attribute) == whole
    if attribute != "phone_number":
        return lambda values: values.get(attribute) == text
    digits = re.compile("".join(r"\d*" if sign == "*" else sign for sign in text if sign.isdigit() or sign == "*"))
    return lambda values: bool(digits.search(str(values.get(attribute))))


def _within(attribute: str, span: Span) -> Takes:
    def check(values: Mapping[str, Any]) -> bool:
        at = values.get(attribute)
        # Whole seconds, as the answer shows them.
        return at is not None and span.start <= math.floor(at) < span.end

    return check
