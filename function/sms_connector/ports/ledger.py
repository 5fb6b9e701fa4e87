"""The durable store: a small document store, the same on SQLite and on Firestore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

Json = dict[str, Any]


class Absent(msgspec.Struct, frozen=True):
    """The expectation that a write finds no document."""


MUST_BE_ABSENT = Absent()
Version = str | int


class Document(msgspec.Struct, frozen=True):
    """A stored document: `data` as it was written, `version` changes with every write."""

    id: str
    data: Json
    version: Version


class Write(msgspec.Struct, frozen=True):
    """Put `data` at collection/id, or delete it (`data` None; deleting what is absent succeeds).

    `expect` is the version read before, MUST_BE_ABSENT to create, or None to write whatever is there.
    `data["expiresAt"]` (epoch seconds), where present, is when the store may delete the document by itself.
    `data` is plain JSON, at most MAX_DOCUMENT_BYTES of it; an indexed field is a string, a number, a boolean or None,
    one of `ARRAY_FIELDS` a list of strings.
    """

    collection: str
    id: str
    data: Json | None
    expect: Version | Absent | None = None


Scalar = str | int | float | bool

# What one commit and one document may hold, on every store. They are Firestore's limits (a document of 1 MiB with
# its name and indexed fields), kept locally too, so that a run on one machine shows what would fail.
MAX_WRITES = 500
MAX_DOCUMENT_BYTES = 1_000_000
# The end of year 9999: what a timestamp can hold.
MAX_TIME = 253_402_300_800


def check_writes(writes: Sequence[Write]) -> None:
    """Refuse (ValueError) what no store takes: too many writes, a document twice, a collection or an id that can't
    be."""
    if len(writes) > MAX_WRITES:
        raise ValueError(f"{len(writes)} writes in one commit; at most {MAX_WRITES}, so split them")
    if len({(write.collection, write.id) for write in writes}) < len(writes):
        raise ValueError("a commit may write a document once only")
    for write in writes:
        if write.collection not in COLLECTIONS:
            raise ValueError(f"no collection {write.collection!r}; there are {', '.join(COLLECTIONS)}")
        if not write.id or "/" in write.id or write.id.startswith(("__", ".")) or len(write.id) > 300:
            rule = "1 to 300 characters, no '/', not starting with '__' or '.'"
            raise ValueError(f"{write.id!r} can't be a document id in {write.collection}: {rule}")


def indexed_values(write: Write) -> Iterator[tuple[str, Scalar | list[str] | None]]:
    """Return the indexed fields of a write and their values, None where absent; ValueError for one that can't be
    indexed."""
    for name in COLLECTIONS[write.collection]:
        value = write.data.get(name) if write.data else None
        is_array = (write.collection, name) in ARRAY_FIELDS
        if value is not None and not (_is_array(value) if is_array else _is_scalar(value)):
            wanted = "a list of strings" if is_array else "a string, a number of 64 bits or a boolean"
            raise ValueError(f"{write.collection}/{write.id}.{name} is indexed: it has to be {wanted}")
        yield name, value


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 2**63)


def _is_array(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def expiry(write: Write) -> float | None:
    """Return when a document may be deleted, epoch seconds; ValueError for what is not a time."""
    value = write.data.get("expiresAt") if write.data else None
    if value is None or (isinstance(value, int | float) and 0 <= value < MAX_TIME):
        return value
    raise ValueError(f"{write.collection}/{write.id}.expiresAt has to be epoch seconds")


Operator = Literal["==", "<", "<=", ">", ">=", "contains"]
Condition = tuple[str, Operator, Scalar]


class Query(msgspec.Struct, frozen=True):
    """Documents of one collection by its indexed fields (`COLLECTIONS`): equalities, and at most one field by range.

    `contains` finds documents whose list in that field (`ARRAY_FIELDS`) holds the value; a query may have one of these.
    With a range, `order_by` is that field. `descending` needs an `order_by`, and turns the order of ids among equals
    too. `after` is the last document of the page before: its `order_by` value (anything where there is none) and its
    id. A document without the `order_by` field isn't found. A query that Firestore would refuse for want of a composite
    index (`COMPOSITE_INDEXES`) is refused here (ValueError), so that it fails on every store and in its first test.
    """

    collection: str
    where: tuple[Condition, ...] = ()
    order_by: str | None = None
    descending: bool = False
    limit: int = 100
    after: tuple[Scalar, str] | None = None

    def __post_init__(self) -> None:
        fields = COLLECTIONS.get(self.collection)
        if fields is None:
            raise ValueError(f"no collection {self.collection!r}; there are {', '.join(COLLECTIONS)}")
        used = [field for field, _, _ in self.where] + ([self.order_by] if self.order_by else [])
        if unknown := [field for field in used if field not in fields]:
            there = ", ".join(fields) or "nothing"
            raise ValueError(f"{self.collection} isn't indexed by {', '.join(unknown)}; it is by {there}")
        self._check_arrays()
        if any(operator not in ("==", "contains") and field != self.order_by for field, operator, _ in self.where):
            raise ValueError("order_by has to name the field of the range")
        if self.descending and not self.order_by:
            raise ValueError("descending needs an order_by")
        equal = frozenset(field for field, operator, _ in self.where if operator in ("==", "contains"))
        if equal - {self.order_by} and self.order_by and not self._has_index(equal):
            needed = f"({', '.join(sorted(equal))}) by {self.order_by}{' descending' if self.descending else ''}"
            raise ValueError(f"{self.collection} has no composite index {needed}: see ports.COMPOSITE_INDEXES")

    def _check_arrays(self) -> None:
        for field, operator, _ in self.where:
            if (operator == "contains") != ((self.collection, field) in ARRAY_FIELDS):
                raise ValueError(
                    f"{self.collection}.{field} can't be asked for with {operator}: see ports.ARRAY_FIELDS"
                )
        if (self.collection, self.order_by) in ARRAY_FIELDS:
            raise ValueError(f"{self.collection}.{self.order_by} is a list: it orders nothing")
        if sum(operator == "contains" for _, operator, _ in self.where) > 1:
            raise ValueError("a query may have one 'contains'")

    def _has_index(self, equal: frozenset[str]) -> bool:
        wanted = (self.collection, equal, self.order_by, self.descending)
        return any((name, frozenset(by), order, down) == wanted for name, by, order, down in COMPOSITE_INDEXES)


# Collection → its indexed fields. `infra` declares the composite indexes and TTL fields; a test reads both sides.
# A field that is absent or None in a document is not indexed: the document is not found by it.
COLLECTIONS: Mapping[str, tuple[str, ...]] = {
    "messages": ("createdAt", "person", "reference", "status", "campaign", "providerMessageId", "nextCheckAt"),
    "idempotencyKeys": (),
    "optOuts": ("createdAt",),
    "inboundMessages": ("createdAt", "person"),
    "campaigns": ("createdAt", "state"),
    "chunks": (),
    "progress": ("campaign", "state"),
    "blocks": ("createdAt", "nextCheckAt", "campaign", "people", "references", "providerMessageIds"),
    "statusEvents": ("block", "finalIn", "finalAt"),
    "notifications": ("createdAt", "state", "nextAttemptAt"),
    "templates": (),
    "connectionRate": (),
    "state": ("leaseUntil",),
}
# (collection, field) of the indexed fields that are lists of strings: asked for with `contains`.
ARRAY_FIELDS: frozenset[tuple[str, str]] = frozenset(
    {("blocks", "people"), ("blocks", "references"), ("blocks", "providerMessageIds")}
)

# The queries that need a composite index on Firestore: (collection, fields by equality or `contains`, order field,
# descending).
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


class Ledger(Protocol):
    """The durable store. One that does not answer raises `errors.LedgerUnavailable` from every method, after tries of
    its own: the request fails, nothing is reported as done. A commit may have been written then.

    One that needs an operator raises `errors.StoreMisconfigured`; a defect of ours, its library's own error.

    A document past its `expiresAt` is absent to `get`, `find` and MUST_BE_ABSENT, whenever the store comes to
    delete it.
    """

    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        """Return the documents in the order asked for; None for one that is absent (or has expired)."""

    def commit(self, writes: Sequence[Write]) -> list[Version | None]:
        """Write all or nothing, durably, at most 500 writes. Return the new versions in order (None for a deletion).

        Raises `errors.Conflict` naming a document that is not as expected; then nothing was written.
        Raises ValueError for what no store takes (`check_writes`, MAX_DOCUMENT_BYTES).
        """

    def find(self, query: Query) -> list[Document]:
        """Return the first `query.limit` documents in order (`order_by`, then id; or by id). Fewer: there are no
        more."""

    def count(self, query: Query) -> int:
        """Return how many documents match `query.where` (limit, order and after are ignored).

        Exact up to documents that have expired and are not deleted yet, which may still be counted.
        """
