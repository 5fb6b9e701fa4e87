"""Read rows of entities from documents of Twilio, whose dates are RFC 2822 texts, and many of its numbers texts too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from types import NoneType
from typing import Any

import msgspec
from msgspec.structs import astuple

from sms_connector.entity import Column, Row
from sms_connector.providers.twilio import wire

_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_MONTH_NAMES.split(), 1)}


class RowReader:
    """Reads rows of these columns.

    `document` decodes an answer of one row, `page` a list: the rows under `list_key`, `meta` and `next_page_uri`. Of a
    row only the columns' fields are decoded. Rows of a list differ little in the types of their values, so that what
    has to be converted is found out once for each combination of types.
    """

    def __init__(self, columns: Sequence[Column], list_key: str = "") -> None:
        self._columns = columns
        paths = [(column.field or "").split(".") for column in columns]
        fields = list(dict.fromkeys(path[0] for path in paths))
        self._places = [fields.index(path[0]) for path in paths]
        self._in_path = {
            place: column.name for place, column in enumerate(columns) if column.path_only or not column.field
        }
        self._inner = {place: path[1] for place, path in enumerate(paths) if len(path) > 1}
        document = _struct(dict.fromkeys(fields, Any))
        self.document = msgspec.json.Decoder(document)
        rows = list[document] | None  # type: ignore[valid-type] # a type of this reader alone
        self.page = msgspec.json.Decoder(_struct({list_key: rows, "meta": Any, "next_page_uri": Any}))
        self._conversions = lru_cache(maxsize=256)(self._find_conversions)

    def read(self, document: Any, known: Mapping[str, str]) -> Row:
        """Return the row of a decoded document; what is part of the path is `known`."""
        found = astuple(document)
        values = [found[place] for place in self._places]
        for place, name in self._inner.items():  # such as `capabilities.sms`
            values[place] = values[place].get(name) if isinstance(values[place], dict) else None
        for place, convert in self._conversions(tuple(map(type, values))):
            values[place] = convert(values[place])
        for place, name in self._in_path.items():
            values[place] = known.get(name)
        return tuple(values)

    def _find_conversions(self, types: tuple[type, ...]) -> list[tuple[int, Callable[[Any], Any]]]:
        wanted = [_CONVERSIONS.get(column.type, (str, _text)) for column in self._columns]
        each = enumerate(zip(wanted, types, strict=True))
        return [(place, convert) for place, ((own, convert), given) in each if given not in (own, NoneType)]


def _struct(fields: Mapping[str, Any]) -> type[Any]:
    """Return a type of the JSON fields and their types, each of which may be absent."""
    names = {f"_{number}": field for number, field in enumerate(fields)}
    attributes = [(name, fields[field], None) for name, field in names.items()]
    return msgspec.defstruct("Document", attributes, rename=names, gc=False)


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
