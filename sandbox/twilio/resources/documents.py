"""Rows as answers: each field in the format that the description gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.twilio.documents import VERSION, iso8601, rfc2822
from sandbox.twilio.resources.description import PLACE, Address, FieldType, Schema, snake
from sandbox.twilio.resources.store import Row

FORMATS: Mapping[str, Callable[[Any], Any]] = {
    "date-time-rfc-2822": rfc2822,
    "date-time": iso8601,
    "integer": int,
    "number": float,
    "string": str,
}


def render(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer shows of these values."""
    return {name: _formatted(wanted, values.get(name)) for name, wanted in schema.items()}


def with_addresses(row: Row, values: Mapping[str, Any], address: Address, *, origin: str) -> dict[str, Any]:
    """Return the values with what follows from the address: ids, links, version."""
    path = fill(address.instance, row)
    children = {name: fill(template, row) for name, template in address.children.items()}
    links = {name: origin + each for name, each in children.items()}
    common = {"account_sid": row.account_sid, "api_version": VERSION, "uri": path, "url": origin + path}
    return {**common, "subresource_uris": children, "links": links, **values}


def fill(template: str, row: Row) -> str:
    """Return a template's path for a row: its own key, its account, and the fields that name what it belongs to."""
    own = next(reversed(PLACE.findall(template)), "")
    named = row.fields | {"account_sid": row.account_sid}

    def value(name: str) -> str:
        if name == "AccountSid":
            return row.account_sid
        return str(named.get(snake(name)) or row.key) if name != own else row.key

    return PLACE.sub(lambda match: value(match[1]), template)


def _formatted(wanted: FieldType, value: Any) -> Any:
    if value is None:
        return None if wanted.nullable else _nothing(wanted)
    return FORMATS.get(wanted.kind, _same)(value)


def _nothing(wanted: FieldType) -> Any:
    """What cannot be null: the first of the allowed values, or a count of none."""
    return wanted.allowed[0] if wanted.allowed else 0


def _same(value: Any) -> Any:
    return value
