"""What providers' catalogues of entity types have in common: the file, rows of documents, filters of lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import NoneType
from typing import Any

import msgspec
from msgspec.structs import astuple

from sms_connector.entity import Column, EntityType, Narrowing, Row

Convert = Callable[[Any], Any]


class _Catalogue(msgspec.Struct, frozen=True):
    """The file, as far as it is read."""

    entities: tuple[EntityType, ...]
    withdrawn: tuple[EntityType, ...] = ()


_catalogue = msgspec.json.Decoder(_Catalogue)


def read_types(path: Path) -> list[EntityType]:
    """Return the entity types of a catalogue's file, those that are withdrawn last."""
    catalogue = _catalogue.decode(path.read_bytes())
    return [*catalogue.entities, *catalogue.withdrawn]


# --- out --------------------------------------------------------------------------------------------------------------


def filter_parameters(
    entity: EntityType, narrowed: Iterable[Narrowing], write_instant: Callable[[datetime, str], str]
) -> list[tuple[str, str]]:
    """Return the parameters of a list that narrow it. A column that is narrowed by `=` needs nothing else.

    `write_instant(value, op)` writes a date; where a provider leaves open whether `<=` and `>=` have the border itself,
    it writes a wider one.
    """
    narrowings = list(narrowed)
    exact = {each.column for each in narrowings if each.op == "="}
    pairs = []
    for each in narrowings:
        if each.op != "=" and each.column in exact:
            continue
        [parameter] = [own.parameter for own in entity.by_name[each.column].filters if own.op == each.op]
        value = each.value
        pairs.append((parameter, write_instant(value, each.op) if isinstance(value, datetime) else write_value(value)))
    return pairs


def write_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


# --- in ---------------------------------------------------------------------------------------------------------------


class RowReader:
    """Reads rows of these columns.

    `document` decodes an answer of one row, `page` a list: the rows under `list_key`, and the fields `beside` them, in
    this order. Of a row only the columns' fields are decoded. Rows of a list differ little in the types of their
    values, so that what has to be converted is found out once for each combination of types.

    `read_timestamp` returns ISO 8601 in UTC of the provider's dates.
    """

    def __init__(
        self, columns: Sequence[Column], read_timestamp: Convert, *, list_key: str = "", beside: Sequence[str] = ()
    ) -> None:
        conversions = {**_CONVERSIONS, "TIMESTAMP": (None, read_timestamp)}
        self._wanted = [conversions.get(column.type, (str, _text)) for column in columns]
        paths = [(column.field or "").split(".") for column in columns]
        fields = list(dict.fromkeys(path[0] for path in paths))
        self._places = [fields.index(path[0]) for path in paths]
        self._inner = {place: path[1] for place, path in enumerate(paths) if len(path) > 1}
        self._in_path = {
            place: column.name for place, column in enumerate(columns) if column.path_only or not column.field
        }
        document = _struct(dict.fromkeys(fields, Any))
        rows = list[document] | None  # type: ignore[valid-type] # a type of this reader alone
        self.document = msgspec.json.Decoder(document)
        self.page = msgspec.json.Decoder(_struct({list_key: rows, **dict.fromkeys(beside, Any)}))
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

    def _find_conversions(self, types: tuple[type, ...]) -> list[tuple[int, Convert]]:
        each = enumerate(zip(self._wanted, types, strict=True))
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


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# Of each data type that is neither text nor date: the type that needs no conversion, and the conversion.
_CONVERSIONS: Mapping[str, tuple[type | None, Convert]] = {
    "INTEGER": (int, _integer),
    "DECIMAL": (float, _decimal),
    "BOOLEAN": (bool, _boolean),
    "ARRAY": (list, _array),
}
