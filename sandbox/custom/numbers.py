"""The numbers reserved to choose an outcome (README.md)."""

from __future__ import annotations

from collections.abc import Mapping

SENT, NOT_SENT, DELIVERED, NOT_DELIVERED, FAILED = "Sent", "NotSent", "Delivered", "NotDelivered", "Failed"

# Recipient to reason, answered at once with NotSent.
REFUSED: Mapping[str, str] = {
    "+15005550001": "InvalidRecipient",
    "+15005550002": "NoRoute",
    "+15005550003": "NotPermitted",
    "+15005550004": "OptedOut",
    "+15005550009": "NotMobile",
}
# Of a call with one message, refused by the HTTP status: with Details, and with a plain text.
REFUSED_BY_STATUS: Mapping[str, int] = {"+15005550002": 422, "+15005550003": 403}
REFUSED_SENDERS = frozenset({"+15005550001", "+15005550007"})
# Recipient to (final status, reason), reported later.
ENDS: Mapping[str, tuple[str, str]] = {
    "+15005530003": (NOT_DELIVERED, "Unreachable"),
    "+15005530004": (NOT_DELIVERED, "Blocked"),
    "+15005530005": (NOT_DELIVERED, "UnknownHandset"),
    "+15005530006": (NOT_DELIVERED, "Landline"),
    "+15005530007": (NOT_DELIVERED, "Filtered"),
    "+15005530008": (FAILED, "Unknown"),
    "+15005530010": (NOT_DELIVERED, "OptedOut"),
}
STAYS = "+15005540001"
SLOW, SLOWNESS = "+15005540002", 10.0
