"""What each simulator has, in one form: its id of a message, its text, and the statuses a connector may truthfully report.

Written from the vendors' words for a status, not from the adapters' tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
_NOT_ARRIVED = ("undelivered", "failed")

# Vendor's word → what it means. A word that is none of these is one of ours already.
_INFOBIP = {
    "DELIVERED": ("delivered",),
    "UNDELIVERABLE": _NOT_ARRIVED,
    "EXPIRED": (*_NOT_ARRIVED, "expired"),
    "REJECTED": _NOT_ARRIVED,
    "PENDING": ("sent", "queued", "accepted"),
}
_CUSTOM = {"Delivered": ("delivered",), "NotDelivered": _NOT_ARRIVED, "Failed": _NOT_ARRIVED, "Sent": ("sent",)}


def _infobip(document: Document) -> Sequence[str]:
    return _INFOBIP[document["statusGroup"]]


def _telesign(document: Document) -> Sequence[str]:
    """200 is delivered; 203, 290 to 292 and 1500 are on their way; every other code is a failure."""
    code = str(document["status"])
    return {"200": ("delivered",), "203": ("sent",)}.get(code) or (
        ("queued", "sending", "accepted") if code in ("290", "291", "292", "1500") else _NOT_ARRIVED
    )


def _custom(document: Document) -> Sequence[str]:
    return _CUSTOM[document["status"]]


def _as_it_says(document: Document) -> Sequence[str]:
    return (document["status"],)


_READ: Mapping[str, Callable[[Document], Sequence[str]]] = {
    "infobip": _infobip,
    "telesign": _telesign,
    "custom": _custom,
}

# The custom channel is asked by our request ids; its message ids are for people.
_SIDS = {"custom": "reference"}


def read_witness(provider: str, documents: Iterable[Document]) -> list[dict[str, Any]]:
    """Return the outgoing messages: `sid`, `body` and `statuses`."""
    read = _READ.get(provider, _as_it_says)
    return [
        {
            "sid": document.get(_SIDS.get(provider, "sid")) or document["id"],
            "body": document["body"],
            "statuses": read(document),
        }
        for document in documents
        if document["direction"] != "inbound"
    ]
