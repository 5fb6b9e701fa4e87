"""What Firestore has to be told of the ledger, as data: the functions' `ports.py` says the same, and a test reads both sides."""

from __future__ import annotations

# Collections whose documents carry `expiresAt`: when the store may delete them by itself.
TTL_FIELD = "expiresAt"
TTL_COLLECTIONS = (
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
# `expiresAt` of these is asked for by range, so it keeps its index; elsewhere the index would only cost writes.
TTL_INDEXED = ("shares",)

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
