"""What Firestore has to be told of the ledger, as data: the functions' `ports.py` says the same, and a test reads both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COLLECTIONS = (
    "messages",
    "idempotencyKeys",
    "optOuts",
    "inboundMessages",
    "campaigns",
    "blocks",
    "callbacks",
    "events",
    "shares",
    "state",
)
TTL_FIELD = "expiresAt"  # when the store may delete a document by itself
PAYLOAD_FIELDS = ("data", "commit")  # the document as it is and its writer's mark: no query asks for them
# `expiresAt` of these is asked for by range, so it keeps its index; elsewhere the index would only cost writes.
INDEXED = frozenset({("shares", TTL_FIELD)})

# (collection, fields asked for by equality, field that orders, descending)
COMPOSITE_INDEXES: tuple[tuple[str, tuple[str, ...], str, bool], ...] = (
    ("messages", ("to",), "createdAt", True),
    ("messages", ("status",), "createdAt", True),
    ("messages", ("to", "status"), "createdAt", True),
    ("messages", ("campaign",), "createdAt", True),
    ("inboundMessages", ("from",), "createdAt", True),
    ("campaigns", ("state",), "createdAt", True),
    ("callbacks", ("state",), "createdAt", True),
    ("blocks", ("campaign",), "nextCheckAt", False),
)


@dataclass(frozen=True, slots=True)
class FieldSetting:
    """How Firestore treats a field of a collection where that isn't its default (indexed, never expiring)."""

    collection: str
    field: str
    expires: bool
    indexed: bool


def fields() -> Iterator[FieldSetting]:
    """Every field that isn't treated as by default."""
    for collection in COLLECTIONS:
        for field in (TTL_FIELD, *PAYLOAD_FIELDS):
            yield FieldSetting(collection, field, field == TTL_FIELD, (collection, field) in INDEXED)
