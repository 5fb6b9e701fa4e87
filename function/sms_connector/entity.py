"""A provider's data as entity types: the catalogue's rows as values, and the contract of what reads and writes them.

A catalogue is data in the provider's package. `entities/` reads it and knows no provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from sms_connector.errors import UnsupportedOperation

Operation = Literal["LIST", "GET", "CREATE", "UPDATE", "DELETE"]
OPERATIONS: tuple[Operation, ...] = ("LIST", "GET", "CREATE", "UPDATE", "DELETE")
# Joins the key columns of an entity's id.
KEY_SEPARATOR = "~"

Row = tuple[Any, ...]


class Filter(msgspec.Struct, frozen=True):
    """A condition (`=`, `<=`, `>=`) that the provider's list narrows by itself, and its parameter."""

    parameter: str
    op: str


class Change(msgspec.Struct, frozen=True):
    """How a column is given in a create or an update: the provider's parameter, in the body or in the path. `required`:
    it can't be left out of a create, and an update can't clear it. `only`: the only values it takes."""

    parameter: str
    required: bool = False
    place: str = msgspec.field(default="form", name="in")
    only: tuple[str, ...] = ()


class Column(msgspec.Struct, frozen=True, rename="camel"):
    """A column: `type` is one of the wire's data types, `field` the provider's name, None where an answer has none.

    `write_only`: given in writes, never answered. `filter_only`: a parameter of the list, echoed. `path_only`: part of
    the path, echoed. `only` GET: the list does not have it. `secret`: never logged.
    """

    name: str
    type: str
    field: str | None = None
    key: bool = False
    enum: tuple[str, ...] = ()
    only: str | None = None
    write_only: bool = False
    filter_only: bool = False
    path_only: bool = False
    secret: bool = False
    create: Change | None = None
    update: Change | None = None
    filters: tuple[Filter, ...] = ()
    minimum: int | None = None
    maximum: int | None = None

    def serves(self, op: str) -> bool:
        return any(each.op == op for each in self.filters)


class Parent(msgspec.Struct, frozen=True):
    """A column that stands in the path of a list, so that a condition gives it by `=`. `values` are the only ones."""

    column: str
    parameter: str
    required: bool = False
    values: tuple[str, ...] = ()
    default: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """How an operation is called."""

    method: str
    path: str
    success: int = 200
    single: bool = False


class EntityType(msgspec.Struct, frozen=True, rename="camel", dict=True):
    """One entity type. `create_rules`: of each group one column is required. `send_fields`: creating one is sending a
    message, with these fields of a send. `withdrawn`: why the provider may not answer any more."""

    name: str
    operations: Mapping[Operation, Endpoint]
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    host: str = ""
    list_key: str | None = None
    key_parameter: str | None = None
    sid_prefixes: tuple[str, ...] | None = None
    parents: tuple[Parent, ...] = ()
    create_rules: tuple[tuple[str, ...], ...] = ()
    create_answer: tuple[str, ...] = ()
    update_answer: tuple[str, ...] = ()
    risk: Mapping[Operation, str] = msgspec.field(default_factory=dict)
    note: str = ""
    withdrawn: str = ""
    send_fields: Mapping[str, str] = msgspec.field(default_factory=dict)

    @cached_property
    def readable(self) -> tuple[Column, ...]:
        """The columns of a row, in order."""
        return tuple(column for column in self.columns if not (column.write_only or column.filter_only))

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The names of a row's columns, in order."""
        return tuple(column.name for column in self.readable)

    @cached_property
    def _key_places(self) -> tuple[int, ...]:
        return tuple(map(self.column_names.index, self.key))

    def fields_of(self, row: Row) -> dict[str, Any]:
        """Return a row's values by their columns' names."""
        return dict(zip(self.column_names, row, strict=True))

    def id_of(self, row: Row) -> str:
        """Return the entity's id; empty without a key."""
        return KEY_SEPARATOR.join([str(row[place]) for place in self._key_places])


class Action(msgspec.Struct, frozen=True):
    """An operation of an entity type under a name of its own: `fixed` values are set, `inputs` are the columns it
    takes (with the id for an update), `results` those of its answer."""

    name: str
    description: str
    entity: str
    operation: Operation
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    fixed: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Narrowing(msgspec.Struct, frozen=True):
    """A condition for the provider's list. The value of a TIMESTAMP column is an instant, and `=` its whole UTC day;
    all rows are checked again, so the list may be wider."""

    column: str
    op: str
    value: str | int | bool | datetime


class RowPage(msgspec.Struct, frozen=True):
    """One page of a list: rows in the order of `readable`. `next_page` is opaque, None at the end."""

    rows: Sequence[Row]
    next_page: str | None = None


class EntitySource:
    """Reads and writes a provider's data, one call each. This base has no entity types, and refuses every operation
    that a provider's source does not define. `message_type` is the entity type of messages, which the connector sends.

    Raises `errors.CallError`, `errors.ProviderRefused` and, by the throttle, `errors.Throttled`.
    """

    types: Mapping[str, EntityType] = MappingProxyType({})
    message_type: str | None = None
    actions: tuple[Action, ...] = ()

    def list_rows(
        self,
        entity: EntityType,
        *,
        within: Mapping[str, str],  # noqa: ARG002
        narrowed: Sequence[Narrowing] = (),  # noqa: ARG002
        page: str | None = None,  # noqa: ARG002
    ) -> RowPage:
        """Return a page of a list; `within` are its parents' values, `page` the `next_page` of the one before."""
        raise _unsupported(entity, "listed")

    def get(self, entity: EntityType, key: Mapping[str, str]) -> Row | None:  # noqa: ARG002
        """Return one row; None where the provider has none of this key. `key` may name the account besides."""
        raise _unsupported(entity, "read one by one")

    def create(self, entity: EntityType, values: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Create one and return the columns of its `create_answer`. Never repeated after a lost answer."""
        raise _unsupported(entity, "created")

    def update(
        self,
        entity: EntityType,
        key: Mapping[str, str],  # noqa: ARG002
        values: Mapping[str, Any],  # noqa: ARG002
    ) -> Mapping[str, Any]:
        """Change one and return the columns of its `update_answer`. Never repeated after a lost answer."""
        raise _unsupported(entity, "changed")

    def delete(self, entity: EntityType, key: Mapping[str, str]) -> None:  # noqa: ARG002
        """Delete one."""
        raise _unsupported(entity, "deleted")


def _unsupported(entity: EntityType, what: str) -> UnsupportedOperation:
    return UnsupportedOperation(f"{entity.name} can't be {what}")
