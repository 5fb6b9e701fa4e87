"""Read rows of entities from documents of Twilio, whose dates are RFC 2822 texts, and many of its numbers texts too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any

from sms_connector.entity import Column, Row
from sms_connector.providers.twilio import wire

_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_MONTH_NAMES.split(), 1)}

RowReader = Callable[[Mapping[str, Any], Mapping[str, str]], Row]


def row_reader(columns: Sequence[Column]) -> RowReader:
    """Return what reads a row from a document; what is part of the path is echoed. Most columns are a field that has
    its type already."""
    plain = [_how(column) for column in columns]
    special = {
        place: column for place, column in enumerate(columns) if column.path_only or "." in (column.field or ".")
    }

    def read(document: Mapping[str, Any], known: Mapping[str, str]) -> Row:
        get = document.get
        values = [
            value if (value := get(field)) is None or value.__class__ is own else convert(value)
            for field, own, convert in plain
        ]
        for place, column in special.items():
            values[place] = _read_special(column, document, known)
        return tuple(values)

    return read


def _how(column: Column) -> tuple[str, type | None, Callable[[Any], Any]]:
    own, convert = _CONVERSIONS.get(column.type, (str, _text))
    return column.field or "", own, convert


def _read_special(column: Column, document: Mapping[str, Any], known: Mapping[str, str]) -> Any:
    """Read what is part of the path, or a field of an inner object (`capabilities.sms`)."""
    if column.path_only or column.field is None:
        return known.get(column.name)
    value: Any = document
    for name in column.field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else _how(column)[2](value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _decimal(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


@lru_cache(maxsize=4096)
def _timestamp(value: Any) -> str:
    """Return `2026-07-06T12:00:00Z` of `Mon, 06 Jul 2026 12:00:00 +0000`, cut by position: it is most of the time that
    a row takes."""
    text = str(value)
    if len(text) == 31 and text.endswith(" +0000") and text[8:11] in _MONTHS:
        return f"{text[12:16]}-{_MONTHS[text[8:11]]}-{text[5:7]}T{text[17:25]}Z"
    moment = wire.read_time(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else text


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# Of each data type that is no text: the type that needs no conversion, and the conversion.
_CONVERSIONS: Mapping[str, tuple[type | None, Callable[[Any], Any]]] = {
    "INTEGER": (int, _integer),
    "DECIMAL": (float, _decimal),
    "BOOLEAN": (bool, _boolean),
    "TIMESTAMP": (None, _timestamp),
    "ARRAY": (list, _array),
}
