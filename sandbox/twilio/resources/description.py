"""The addresses of Twilio's API and what they take and answer, from `description.json`.

That table is written by `tests/openapi/describe_twilio.py` from Twilio's OpenAPI documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("description.json")
PLACE = re.compile(r"\{(\w+)\}")
HEX = "[0-9a-fA-F]{32}"
# A list that shows resources of another one.
SHOWS = {
    "Local": "IncomingPhoneNumbers",
    "Mobile": "IncomingPhoneNumbers",
    "TollFree": "IncomingPhoneNumbers",
    "DependentPhoneNumbers": "IncomingPhoneNumbers",
    "PhoneNumbers": "IncomingPhoneNumbers",
}
POOL = "Pool"


class FieldType(NamedTuple):
    """`kind` is the description's format where it has one; of an id `sid:` and its prefix. `allowed` is empty for any value."""

    kind: str
    nullable: bool
    allowed: Sequence[str]


Schema = Mapping[str, FieldType]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method of an address takes and answers; `list_key` is None where it answers no list."""

    status: int
    schema: Schema
    list_key: str | None
    paged: Sequence[str]
    filters: Schema
    form: Schema
    required: Sequence[str]


@dataclass(frozen=True)
class Address:
    """`kind` is what is kept, `view` the last word of the path, `parents` pairs of a kind and the place that names one.

    `instance` is the path of one of its resources, `children` what lies below that by name.
    """

    template: str
    kind: str
    view: str
    operations: Mapping[str, Operation]
    pattern: re.Pattern[str]
    parents: Sequence[tuple[str, str]]
    instance: str
    children: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def is_collection(self) -> bool:
        return not _stem(self.template).endswith("}")

    @cached_property
    def is_versioned_by_host(self) -> bool:
        """Return True for the younger APIs, which have a host each, ISO dates and whole URLs."""
        return self.template.startswith("/v1/")

    @cached_property
    def key_field(self) -> str:
        """Return the field that names one resource in the path."""
        return snake(PLACE.findall(self.instance)[-1])

    @property
    def role(self) -> str:
        """Return whose behaviour applies: the senders of a messaging service are not its own."""
        return POOL if "{ServiceSid}" in self.template and self.kind != "AlphaSenders" else self.kind


@cache
def addresses() -> Sequence[Address]:
    """Return all addresses, fixed words before places."""
    table = json.loads(TABLE.read_bytes())
    schemas = {name: _schema(each) for name, each in table["schemas"].items()}
    rows = sorted(table["addresses"], key=lambda row: row["path"].replace("{", "~"))
    templates = [row["path"] for row in rows]
    return [
        Address(
            template=row["path"],
            kind=kind_of(row["path"]),
            view=_words(row["path"])[-1],
            operations={method: _operation(each, schemas) for method, each in row["methods"].items()},
            pattern=_pattern(row["path"], row["places"]),
            parents=_parents(row["path"]),
            instance=(instance := _instance(row["path"], templates)),
            children=_children(instance, templates),
        )
        for row in rows
    ]


@cache
def fields_of(kind: str) -> Schema:
    """Return every field that a kind of resource is shown with, over all its addresses."""
    found: dict[str, FieldType] = {}
    for address in addresses():
        if address.kind == kind:
            for operation in address.operations.values():
                found |= operation.schema
    return found


def kind_of(template: str) -> str:
    words = _words(template)
    if "AvailablePhoneNumbers" in words:
        return "AvailablePhoneNumbers" if words[-1] != "AvailablePhoneNumbers" else "AvailablePhoneNumberCountries"
    return "UsageRecords" if "Records" in words else SHOWS.get(words[-1], words[-1])


@cache
def snake(name: str) -> str:
    """`VoiceUrl` of a form is `voice_url` in an answer."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _operation(row: Mapping[str, Any], schemas: Mapping[str, Schema]) -> Operation:
    return Operation(
        status=row["status"],
        schema=schemas.get(row.get("schema", ""), {}),
        list_key=row.get("list"),
        paged=row.get("paged", ()),
        filters=_schema(row.get("filters", {})),
        form=_schema(row.get("form", {})),
        required=row.get("required", ()),
    )


def _schema(row: Mapping[str, Any]) -> Schema:
    return {name: FieldType(*each) for name, each in row.items()}


def _stem(template: str) -> str:
    return template.removesuffix(".json")


def _words(template: str) -> list[str]:
    return [word for word in _stem(template).split("/")[2:] if not PLACE.fullmatch(word)]


def _pattern(template: str, places: Mapping[str, str]) -> re.Pattern[str]:
    def place(match: re.Match[str]) -> str:
        name = match[1]
        prefix = places.get(name, "").removeprefix("sid:")
        group = "account" if name == "AccountSid" else name
        return f"(?P<{group}>{prefix + HEX if prefix else '[^/]+?'})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", place, re.escape(template)))


def _parents(template: str) -> list[tuple[str, str]]:
    """Pair each place with the word before it, less the account and the resource's own place."""
    parts = _stem(template).split("/")
    pairs = [(parts[n - 1], PLACE.sub(r"\1", part)) for n, part in enumerate(parts) if PLACE.fullmatch(part)]
    own = pairs[:-1] if PLACE.fullmatch(parts[-1]) else pairs
    return [pair for pair in own if pair[0] not in ("Accounts", "AvailablePhoneNumbers")]


def _instance(template: str, templates: Sequence[str]) -> str:
    """Return the address of one resource: this one, the one below, or that of the kind."""
    if _stem(template).endswith("}"):
        return template
    below = re.compile(re.escape(_stem(template)) + r"/\{\w+\}(\.json)?")
    kind = kind_of(template)
    others = (one for one in templates if _stem(one).endswith("}") and kind_of(one) == kind and "/v1/" not in one)
    return next((one for one in templates if below.fullmatch(one)), None) or next(others, template)


def _children(instance: str, templates: Sequence[str]) -> dict[str, str]:
    shape = PLACE.sub("{}", _stem(instance)) + "/"
    below = [one for one in templates if PLACE.sub("{}", _stem(one)).startswith(shape)]
    return {snake(_words(one)[-1]): one for one in below if PLACE.sub("{}", _stem(one)).count("/") == shape.count("/")}
