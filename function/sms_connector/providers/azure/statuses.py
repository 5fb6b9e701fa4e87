"""Azure's vocabulary in ours: report codes, error codes, consent words. Data and look-ups only.

Codes of delivery reports, with Microsoft's titles: "SMS error codes" of "Troubleshooting error codes"
(https://learn.microsoft.com/azure/communication-services/resources/troubleshooting/voice-video-calling/, page
troubleshooting-codes?pivots=sms), read on 2026-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.status import MessageStatus
from sms_connector.providers.common import HTTP_KINDS, call_refused

# `deliveryStatus` of a report (REST description 2026-01-23). A message has no status before it is reported.
STATUSES: Mapping[str, MessageStatus] = {"Delivered": MessageStatus.DELIVERED, "Failed": MessageStatus.FAILED}
ACCEPTED = "accepted"

# Azure keeps opt-outs of toll-free numbers alone, where carriers take START and UNSTOP but not YES; for the others the
# words are ours. https://learn.microsoft.com/azure/communication-services/concepts/sms/sms-faq#opt-out-handling
CONSENT_WORDS = replace(STANDARD_WORDS, start_by_kind={SenderKind.TOLL_FREE: ("START", "UNSTOP")})


class Meaning(NamedTuple):
    """The meaning of a code: the title is Microsoft's, `retry` the effect of sending the same again."""

    kind: ErrorKind
    title: str
    retry: RetrySafety = RetrySafety.NEVER
    status: MessageStatus = MessageStatus.FAILED


_SAFE, _UNKNOWN = RetrySafety.SAFE, RetrySafety.UNKNOWN_OUTCOME

CODES: Mapping[int, Meaning] = {
    4000: Meaning(ErrorKind.BLOCKED, "Message is rejected due to fraud detection"),
    4001: Meaning(ErrorKind.INVALID_SENDER, "Message is rejected due to invalid Source/From number format"),
    4002: Meaning(ErrorKind.INVALID_RECIPIENT, "Message is rejected due to invalid Destination/To number format"),
    4003: Meaning(ErrorKind.NOT_PERMITTED, "Message failed to deliver due to unsupported destination"),
    4004: Meaning(ErrorKind.INVALID_RECIPIENT, "Message failed to deliver since Destination/To number doesn't exist"),
    4005: Meaning(ErrorKind.BLOCKED, "Message is blocked by Destination carrier"),
    4006: Meaning(ErrorKind.UNREACHABLE, "The Destination/To number isn't reachable", _SAFE, MessageStatus.UNDELIVERED),
    4007: Meaning(ErrorKind.OPTED_OUT, "The Destination/To number has opted out of receiving messages from you"),
    4008: Meaning(
        ErrorKind.RATE_LIMITED, "You've exceeded the maximum number of messages allowed for your profile", _SAFE
    ),
    4009: Meaning(ErrorKind.NOT_PERMITTED, "Message is rejected by Microsoft Entitlement System"),
    4010: Meaning(ErrorKind.INVALID_SENDER, "Message was blocked due to the toll free number not being verified"),
    4020: Meaning(ErrorKind.RATE_LIMITED, "Message rejected by carrier due to a volumetric violation", _SAFE),
    5000: Meaning(ErrorKind.DELIVERY, "Message failed to deliver", _UNKNOWN),
    5001: Meaning(
        ErrorKind.UNAVAILABLE, "Message failed to deliver due to temporary unavailability of application/system", _SAFE
    ),
    # The carrier gives no report: it may well have arrived (https://learn.microsoft.com/answers/questions/5730794).
    5002: Meaning(ErrorKind.TIMEOUT, "Message Delivery Timeout", _UNKNOWN, MessageStatus.UNKNOWN),
    9999: Meaning(ErrorKind.OTHER, "Message failed to deliver due to unknown error", _UNKNOWN, MessageStatus.UNKNOWN),
}

# `error.code` of a call that is refused whole, as far as it is known; any other is told by the HTTP status.
CALL_KINDS: Mapping[str, ErrorKind] = {
    "Denied": ErrorKind.AUTHENTICATION,
    "Forbidden": ErrorKind.NOT_PERMITTED,
    "ApiVersionUnspecified": ErrorKind.INVALID_REQUEST,
    "UnsupportedApiVersion": ErrorKind.INVALID_REQUEST,
    "TooManyRequests": ErrorKind.RATE_LIMITED,
}

# The texts that tell more than their status. "Sender blocked for given recipient." is what Azure says of an opt-out
# (sms-faq); the other is in the recordings of Microsoft's SDKs.
_OPTED_OUT = re.compile("blocked for given recipient|opted? ?-?out", re.IGNORECASE)
_INVALID_RECIPIENT = re.compile("invalid to phone number", re.IGNORECASE)

# "2000: No Error" (REST description), "ErrorCode: 5002. ErrorMessage: …" (Microsoft's answers), "No error." (events).
_CODE = re.compile(r"(?<!\d)\d{4}(?!\d)")


def to_status(raw_status: str, details: str) -> tuple[MessageStatus, FailureReason | None]:
    """Return our status for a report, and why it failed.

    A word that Azure may add says only that Azure has the message: ACCEPTED moves nothing backward and ends nothing.
    """
    status = STATUSES.get(raw_status, MessageStatus.ACCEPTED)
    if status is not MessageStatus.FAILED:
        return status, None
    found = _CODE.search(details[:200])
    code = int(found[0]) if found else None
    meaning = CODES.get(code) if code is not None else None
    if meaning is None:
        kind = ErrorKind.OPTED_OUT if _OPTED_OUT.search(details[:200]) else ErrorKind.DELIVERY
        meaning = Meaning(kind, "", RetrySafety.NEVER if kind is ErrorKind.OPTED_OUT else _UNKNOWN)
    message = details.removeprefix(f"{code}: ") or meaning.title or "the report gives no reason"
    return meaning.status, FailureReason("provider", meaning.kind, message, code, None, meaning.retry)


def to_refusal(code: int | str, message: str, http_status: int) -> FailureReason:
    """Return the refusal of a call or of one recipient, verbatim. `code` is Azure's, else the HTTP status."""
    kind = CALL_KINDS.get(str(code)) or HTTP_KINDS.get(http_status, ErrorKind.OTHER)
    if _OPTED_OUT.search(message[:500]):
        kind = ErrorKind.OPTED_OUT
    elif _INVALID_RECIPIENT.search(message[:500]):
        kind = ErrorKind.INVALID_RECIPIENT
    return call_refused(kind, message, code)


def foreign_sender(http_status: int) -> FailureReason:
    """Return the refusal of a sender that is not the resource's: Azure says it by a 401 or 404 with an empty body
    (recordings of @azure/communication-sms, sdk/communication/communication-sms/recordings)."""
    message = f"Azure answered {http_status} without a reason, which it does for a sender that is not the resource's"
    return FailureReason("provider", ErrorKind.INVALID_SENDER, message, http_status)
