"""Firestore's fields and indexes of the ledger, as data: the functions' `ports/ledger.py` says the same, and a test
reads both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COLLECTIONS = (
    "messages",
    "idempotencyKeys",
    "optOuts",
    "inboundMessages",
    "campaigns",
    "chunks",
    "progress",
    "blocks",
    "statusEvents",
    "notifications",
    "templates",
    "connectionRate",
    "state",
)
TTL_FIELD = "expiresAt"  # when the store may delete a document by itself
# No query asks for these, so indexing them would only cost writes. `document` is a map of the document as it is and its
# writer's mark; what holds for a map holds for what is in it
# (https://cloud.google.com/firestore/docs/query-data/index-overview).
UNINDEXED_FIELDS = (TTL_FIELD, "document")

# (collection, field) of lists that are asked for by what they contain.
ARRAY_FIELDS = frozenset({("blocks", "people"), ("blocks", "references"), ("blocks", "providerMessageIds")})

# (collection, fields asked for by equality or by what they contain, field that orders, descending)
COMPOSITE_INDEXES: tuple[tuple[str, tuple[str, ...], str, bool], ...] = (
    ("messages", ("person",), "createdAt", True),
    ("blocks", ("people",), "createdAt", True),
    ("messages", ("reference",), "createdAt", True),
    ("blocks", ("references",), "createdAt", True),
    ("blocks", ("campaign",), "createdAt", True),
    ("inboundMessages", ("person",), "createdAt", True),
    ("campaigns", ("state",), "createdAt", True),
    ("notifications", ("state",), "createdAt", True),
)


@dataclass(frozen=True, slots=True)
class FieldSetting:
    """A field that isn't treated as Firestore treats fields by default (indexed, never expiring)."""

    collection: str
    field: str
    expires: bool


def fields() -> Iterator[FieldSetting]:
    for collection in COLLECTIONS:
        for field in UNINDEXED_FIELDS:
            yield FieldSetting(collection, field, expires=field == TTL_FIELD)
