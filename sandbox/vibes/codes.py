"""Vibes' numbers: errors of its own system, and errors that a carrier returned.

Internal: https://developer-aggregation.vibes.com/reference/delivery-receipt-response-codes (1 to 20; 26 is named on
https://developer-aggregation.vibes.com/reference/response-codes). Carrier: wording and order of the SMPP receipts'
table, https://developer.vibes.com/pages/viewpage.action?pageId=29164422; its numbers could be read nowhere, but 107 is
in an example (https://developer-aggregation.vibes.com/reference/retrieve-message-responses) with the eighth wording:
the others are counted from it, UNVERIFIED.
"""

from __future__ import annotations

from collections.abc import Mapping

INVALID_DESTINATION, NO_LEASE, BLOCKED = 26, 16, 9

INTERNAL: Mapping[int, str] = {
    1: "No route found to carrier from source address.",
    2: "Premium product not found for price point and source address.",
    3: "Carrier not configured for premium processing",
    4: "Message has negative premium charge",
    5: "Message not within delivery time window.",
    6: "Invalid delivery time window param.",
    7: "Message stopped.",
    8: "No carrier route found for code.",
    9: "MDN blocked",
    10: "Multi-Part Message incomplete.",
    11: "Vibes Internal Use.",
    12: "Message capped.",
    13: "Multi-Part Message waiting for parts.",
    14: "Duplicate Multipart message.",
    15: "Subscription not found.",
    16: "Code Lease not found.",
    26: "Invalid destination.",
}
CARRIER: Mapping[int, str] = {
    100: "Carrier returned that the receipt state of the message is Unknown.",
    101: "Message validity expired before the carrier could deliver to the phone.",
    102: "Message was deleted by the carrier.",
    103: "Message was undeliverable by the carrier to the phone.",
    105: "Message was rejected by the phone.",
    106: "The MDN is not opted in for premium/subscription services.",
    107: "Carrier failed while submitting message",
    108: "Unknown error.",
}


class Failure(Exception):
    """A request that is answered 200 with the XML of a failure; `code` is internal, None for what has no number."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
