"""Helpers for users of the ledger: read a page, read on to the end, change what others change too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.model.typed import convert
from sms_connector.ports.ledger import Condition, Document, Json, Ledger, Operator, Query, Scalar

T = TypeVar("T")
P = ParamSpec("P")

# Where a page ends: the value it is ordered by, and the id.
Cursor = tuple[Any, str]


def read_document(document: Document, kind: type[T]) -> T:
    """Make a struct of a document; its fields `id` and `version` come from the store."""
    return convert({**document.data, "id": document.id, "version": document.version}, kind)


def document_data(value: msgspec.Struct) -> Json:
    """Return what `read_document` makes the struct of again."""
    data: Json = msgspec.to_builtins(value)
    data.pop("id", None)
    data.pop("version", None)
    return data


def conditions(*wanted: tuple[str, Operator, Scalar | None]) -> tuple[Condition, ...]:
    """Return those that have a value."""
    return tuple((field, operator, value) for field, operator, value in wanted if value is not None)


def page(ledger: Ledger, query: Query, read: Callable[[Document], T]) -> tuple[list[T], Cursor | None]:
    """Return `query.limit` entries at most, and where the next page begins; None at the end."""
    found = ledger.find(replace(query, limit=query.limit + 1))
    more = len(found) > query.limit
    return [read(each) for each in found[: query.limit]], _cursor(query, found[query.limit - 1]) if more else None


def scan(ledger: Ledger, query: Query) -> Iterator[Document]:
    """Yield every document of the query, `query.limit` of them read at a time."""
    while True:
        found = ledger.find(query)
        yield from found
        if len(found) < query.limit:
            return
        query = replace(query, after=_cursor(query, found[-1]))


def repeat_on_conflict(change: Callable[P, T]) -> Callable[P, T]:
    """Decorate what reads documents and commits what it makes of them: it runs again, from its reads, until no other
    change comes in between."""

    @wraps(change)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            with suppress(Conflict):
                return change(*args, **kwargs)

    return repeated


def _cursor(query: Query, last: Document) -> Cursor:
    return (last.data[query.order_by] if query.order_by else 0, last.id)
