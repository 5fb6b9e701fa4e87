"""What the connector needs around it. Each port has an adapter in `cloud/` and one in `local/`, in files of the same name.

The ledger is a small document store on purpose: get, commit, find, count. Everything that makes a send safe (intents, leases,
idempotency, exactly-once counts) is written once above it, in `messaging/`, and holds on any store that can do these four.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Protocol

Json = dict[str, Any]

# --- secrets ----------------------------------------------------------------------------------------------------------


class Secret(str):
    """A secret value. It is a string where it is used and `'***'` wherever it would be shown by repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class SecretSource(Protocol):
    """Named secrets, read when used, through a cache of at most 30 s, so that a rotation needs no redeploy."""

    def get(self, name: str) -> Secret | None:
        """The current value without its trailing newline; None where there is none (or it is empty)."""

    def refresh(self) -> None:
        """Forget the cache: the next `get` reads anew. Called when a provider answered 401."""

    def where(self, name: str) -> str:
        """The place `get` looks at, for messages (a path or a resource name, never a value)."""


# --- the ledger -------------------------------------------------------------------------------------------------------


class Absent(Enum):
    """Marks of what a write expects instead of a version."""

    MUST_BE_ABSENT = "must be absent"


MUST_BE_ABSENT = Absent.MUST_BE_ABSENT
Version = str | int


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document: `data` as it was written, `version` changes with every write."""

    id: str
    data: Json
    version: Version


@dataclass(frozen=True, slots=True)
class Write:
    """Put `data` at collection/id, or delete it (`data` None).

    `expect` is the version read before, MUST_BE_ABSENT to create, or None to write whatever is there.
    `data["expiresAt"]` (epoch seconds), where present, is when the store may delete the document by itself.
    """

    collection: str
    id: str
    data: Json | None
    expect: Version | Absent | None = None


Operator = Literal["==", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Query:
    """Documents of one collection by its indexed fields (`COLLECTIONS`), equality first, at most one field by range.

    `order_by` is the range field where there is one. `after` is the last document of the page before (its order value and id).
    """

    collection: str
    where: tuple[tuple[str, Operator, str | int | float | bool], ...] = ()
    order_by: str | None = None
    descending: bool = False
    limit: int = 100
    after: tuple[str | int | float, str] | None = None


# Collection → its indexed fields. `infra` declares the composite indexes and TTL fields; a test reads both sides.
# A field that is absent or None in a document is not indexed: the document is not found by it.
COLLECTIONS: Mapping[str, tuple[str, ...]] = {
    "messages": ("createdAt", "to", "status", "campaign", "providerMessageId", "nextCheckAt"),
    "idempotencyKeys": (),
    "optOuts": ("createdAt",),
    "inboundMessages": ("createdAt", "from"),
    "campaigns": ("createdAt", "state"),
    "blocks": ("campaign", "nextCheckAt", "state"),
    "callbacks": ("createdAt", "state", "nextAttemptAt"),
    "events": ("providerMessageId", "createdAt"),
    "shares": ("expiresAt",),
    "state": (),
}

# The queries that need a composite index on Firestore: (collection, equality fields, order field, descending).
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


class Ledger(Protocol):
    """The durable store. A store out of reach raises its library's own error: the caller's request fails and nothing is reported as done."""

    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        """The documents in the order asked for; None for one that is absent (or has expired)."""

    def commit(self, writes: Sequence[Write]) -> list[Version | None]:
        """All or nothing, durable on return, at most 500 writes; the new versions in order (None for a deletion).

        Raises `errors.Conflict` naming the first document that is not as expected; then nothing was written.
        """

    def find(self, query: Query) -> list[Document]:
        """At most `query.limit` documents, in order (`order_by`, then id; without `order_by` by id)."""

    def count(self, query: Query) -> int:
        """How many documents match `query.where` (limit, order and after are ignored)."""


# --- durable work -----------------------------------------------------------------------------------------------------

QueueName = Literal["chunks", "events"]


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of durable work, delivered at least once as a POST of `payload` to `path` of the queue's function.

    `chunks` goes to `worker`, `events` to `connector`. `name` de-duplicates: a second task of the same name is dropped silently.
    `not_before` is epoch seconds. The payload carries references, never records (Cloud Tasks holds 100 KB for tasks of the v2 API).
    """

    queue: QueueName
    path: str
    payload: Json
    name: str | None = None
    not_before: float | None = None


class TaskQueue(Protocol):
    """Where durable work is put. Delivery is at least once, in no particular order, with backoff until a 2xx."""

    def enqueue(self, tasks: Sequence[Task]) -> None:
        """Durable on return."""


# --- time -------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time, so that tests own it. `time` is epoch seconds, `monotonic` never goes back."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until the event is set (True) or `timeout` seconds have passed (False)."""

    def sleep(self, seconds: float) -> None: ...
