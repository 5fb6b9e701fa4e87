"""Vibes' receipts and error codes in our words. Data and look-ups only.

A receipt tells the stage it comes from (System, Carrier, Handset) and whether it is an error
(https://developer-aggregation.vibes.com/reference/callbacks). Many carriers give no handset receipt: SENT is then the
last word.

Internal codes: https://developer-aggregation.vibes.com/reference/delivery-receipt-response-codes (1 to 20) and, for 26,
https://developer-aggregation.vibes.com/reference/response-codes. Carriers' codes (100 and up): the wording and order
are those of https://developer.vibes.com/pages/viewpage.action?pageId=29164422; their numbers could be read in an
example alone (107, https://developer-aggregation.vibes.com/reference/retrieve-message-responses), the others are
counted from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.status import MessageStatus

SYSTEM, CARRIER, HANDSET = "System", "Carrier", "Handset"
BLOCKED = 9
# What a submission answers is "queued for delivery" only.
ACCEPTED = "accepted"
_SAFE, _UNKNOWN = RetrySafety.SAFE, RetrySafety.UNKNOWN_OUTCOME

REACHED: Mapping[str, MessageStatus] = {
    SYSTEM: MessageStatus.QUEUED,
    CARRIER: MessageStatus.SENT,
    HANDSET: MessageStatus.DELIVERED,
}
FAILED: Mapping[str, MessageStatus] = {
    SYSTEM: MessageStatus.FAILED,
    CARRIER: MessageStatus.FAILED,
    HANDSET: MessageStatus.UNDELIVERED,
}


class Meaning(NamedTuple):
    kind: ErrorKind
    retry: RetrySafety = RetrySafety.NEVER


CODES: Mapping[int, Meaning] = {
    1: Meaning(ErrorKind.NOT_PERMITTED),  # No route found to carrier from source address
    2: Meaning(ErrorKind.INVALID_REQUEST),  # Premium product not found for price point and source address
    3: Meaning(ErrorKind.INVALID_REQUEST),  # Carrier not configured for premium processing
    4: Meaning(ErrorKind.INVALID_REQUEST),  # Message has negative premium charge
    5: Meaning(ErrorKind.INVALID_REQUEST),  # Message not within delivery time window
    6: Meaning(ErrorKind.INVALID_REQUEST),  # Invalid delivery time window param
    7: Meaning(ErrorKind.CANCELED),  # Message stopped: at the client's request
    8: Meaning(ErrorKind.NOT_PERMITTED),  # No carrier route found for code
    BLOCKED: Meaning(ErrorKind.OPTED_OUT),  # MDN is on block list, and the message was not delivered
    10: Meaning(ErrorKind.DELIVERY),  # Multi-Part Message incomplete
    11: Meaning(ErrorKind.OTHER),  # Vibes Internal Use
    12: Meaning(ErrorKind.RATE_LIMITED, _SAFE),  # Message capped: it exceeded the consumer's message amount
    13: Meaning(ErrorKind.EXPIRED),  # Multi-part message expired waiting for additional parts
    14: Meaning(ErrorKind.DUPLICATE),  # Duplicate Multipart message
    15: Meaning(ErrorKind.NOT_PERMITTED),  # Subscription not found
    16: Meaning(ErrorKind.INVALID_SENDER),  # Code Lease not found
    26: Meaning(ErrorKind.INVALID_RECIPIENT),  # Invalid destination address
    100: Meaning(ErrorKind.DELIVERY, _UNKNOWN),  # the receipt state of the message is Unknown
    101: Meaning(ErrorKind.EXPIRED, _SAFE),  # Message validity expired before the carrier could deliver to the phone
    102: Meaning(ErrorKind.DELIVERY),  # Message was deleted by the carrier
    103: Meaning(ErrorKind.UNREACHABLE),  # Message was undeliverable by the carrier to the phone
    105: Meaning(ErrorKind.BLOCKED),  # Message was rejected by the phone
    106: Meaning(ErrorKind.NOT_PERMITTED),  # The MDN is not opted in for premium/subscription services
    107: Meaning(ErrorKind.DELIVERY),  # Carrier failed while submitting message: no subscriber, or without SMS service
    108: Meaning(ErrorKind.DELIVERY, _UNKNOWN),  # Unknown error
}
_OTHER = Meaning(ErrorKind.DELIVERY)
_REFUSED = Meaning(ErrorKind.INVALID_REQUEST)


def to_status(stage: str, *, is_error: bool, carrier_receipts: bool = True) -> MessageStatus:
    """Return the status a receipt tells. A stage that Vibes may add says only that Vibes has the message: ACCEPTED
    moves nothing backward and ends no tracking. Without `carrier_receipts` a carrier's success tells no more than
    QUEUED."""
    if is_error:
        return FAILED.get(stage, MessageStatus.FAILED)
    if stage == CARRIER and not carrier_receipts:
        return MessageStatus.QUEUED
    return REACHED.get(stage, MessageStatus.ACCEPTED)


def receipt_failure(stage: str, text: str, *, internal: int | None, carrier: int | None) -> FailureReason:
    """Return the reason in a receipt of an error. Where it has both codes, the one of its stage counts; a blocked
    recipient always does."""
    ours_first = stage == SYSTEM or internal == BLOCKED or carrier is None
    code = internal if ours_first and internal is not None else carrier
    meaning = _OTHER if code is None else CODES.get(code, _OTHER)
    return FailureReason("provider", meaning.kind, text or f"{stage} error", code, retry=meaning.retry)


def refusal(code: int | None, text: str) -> FailureReason:
    """Return the reason of a submission that was refused at once."""
    meaning = _REFUSED if code is None else CODES.get(code, _REFUSED)
    return FailureReason("provider", meaning.kind, text, code, retry=meaning.retry)
