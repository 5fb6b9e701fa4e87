"""LINK's numbers in our words: result codes of messages, error codes of calls. Data and look-ups only.

SMS REST API MT/DLR 1.18, "Result Codes" and "Error Result Codes", and Common Gate API 1.2, "Error Codes"
(https://www.linkmobility.com/developer/; copies: https://github.com/deveel/deveel.lm.client, docs/). Titles are LINK's.

"FINAL: UNKNOWN DELIVERY" (4, 5, 1010) ends tracking with `retry: unknown_outcome`: the message may have arrived. What
ends NOT DELIVERED may be sent again safely, which is said where that can help.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.status import MessageStatus

QUEUED = 1005
_SAFE, _UNKNOWN = RetrySafety.SAFE, RetrySafety.UNKNOWN_OUTCOME

# Results that are no failures.
STATUSES: Mapping[int, MessageStatus] = {
    1000: MessageStatus.SENT,
    1001: MessageStatus.DELIVERED,
    1005: MessageStatus.QUEUED,
    1007: MessageStatus.DELIVERED,  # its billing may be reported later
    1008: MessageStatus.SENDING,
    1011: MessageStatus.SENT,
    1012: MessageStatus.SENDING,
    1013: MessageStatus.SENT,
}


class Meaning(NamedTuple):
    """The meaning of a failure: the title is LINK's, `status` is that of a message which is reported with it."""

    kind: ErrorKind
    title: str
    retry: RetrySafety = RetrySafety.NEVER
    status: MessageStatus = MessageStatus.FAILED


_UNDELIVERED = MessageStatus.UNDELIVERED

FAILURES: Mapping[int, Meaning] = {
    0: Meaning(ErrorKind.DELIVERY, "Unknown error"),
    1: Meaning(ErrorKind.UNAVAILABLE, "Temporary routing error", _SAFE),  # "resend allowed"
    2: Meaning(ErrorKind.UNREACHABLE, "Permanent routing error"),
    3: Meaning(ErrorKind.RATE_LIMITED, "Maximum throttling exceeded", _SAFE),
    4: Meaning(ErrorKind.TIMEOUT, "Timeout", _UNKNOWN),
    5: Meaning(ErrorKind.DELIVERY, "Operator unknown error", _UNKNOWN),
    6: Meaning(ErrorKind.DELIVERY, "Operator error"),
    104: Meaning(ErrorKind.ACCOUNT, "Configuration error", _SAFE),
    105: Meaning(ErrorKind.UNAVAILABLE, "Internal error (internal Link Mobility error)", _SAFE),
    1002: Meaning(ErrorKind.EXPIRED, "Expired", _SAFE, _UNDELIVERED),
    1003: Meaning(ErrorKind.DELIVERY, "Deleted", status=_UNDELIVERED),
    1004: Meaning(ErrorKind.UNREACHABLE, "Mobile full", _SAFE, _UNDELIVERED),
    1006: Meaning(ErrorKind.DELIVERY, "Not delivered", status=_UNDELIVERED),
    1009: Meaning(ErrorKind.DELIVERY, "Billed OK and NOT Delivered", status=_UNDELIVERED),
    1010: Meaning(
        ErrorKind.EXPIRED, "Expired, absence of operator delivery report", _UNKNOWN, status=MessageStatus.EXPIRED
    ),
    2000: Meaning(ErrorKind.INVALID_SENDER, "Invalid source"),
    2001: Meaning(ErrorKind.INVALID_SENDER, "Source shortnumber not supported"),
    2002: Meaning(ErrorKind.INVALID_SENDER, "Source alpha not supported"),
    2003: Meaning(ErrorKind.INVALID_SENDER, "Source MSISDN not supported"),
    2100: Meaning(ErrorKind.INVALID_RECIPIENT, "Destination shortnumber not supported"),
    2101: Meaning(ErrorKind.INVALID_RECIPIENT, "Destination alpha not supported"),
    2102: Meaning(ErrorKind.INVALID_RECIPIENT, "Destination MSISDN not supported"),
    2103: Meaning(ErrorKind.NOT_PERMITTED, "Operation blocked"),
    2104: Meaning(ErrorKind.INVALID_RECIPIENT, "Unknown subscriber", status=_UNDELIVERED),
    # LINK has no code of its own for who opted out: the operator bars the sender for this subscriber, for good.
    2105: Meaning(ErrorKind.OPTED_OUT, "Destination blocked (subscriber permanently barred)", status=_UNDELIVERED),
    2106: Meaning(ErrorKind.INVALID_RECIPIENT, "Number error"),
    2107: Meaning(
        ErrorKind.BLOCKED, "Destination temporarily blocked (subscriber temporarily barred)", _SAFE, _UNDELIVERED
    ),
    # Premium messages, which the connector doesn't send
    2200: Meaning(ErrorKind.BLOCKED, "Charging error"),
    2201: Meaning(ErrorKind.BLOCKED, "Subscriber has low balance"),
    2202: Meaning(ErrorKind.BLOCKED, "Subscriber barred for overcharged (premium) messages"),
    2203: Meaning(ErrorKind.BLOCKED, "Subscriber too young (for this particular content)"),
    2204: Meaning(ErrorKind.BLOCKED, "Prepaid subscriber not allowed"),
    2205: Meaning(ErrorKind.BLOCKED, "Service rejected by subscriber"),
    2206: Meaning(ErrorKind.BLOCKED, "Subscriber not registered in payment system"),
    2207: Meaning(ErrorKind.BLOCKED, "Subscriber has reached max balance"),
    3000: Meaning(ErrorKind.INVALID_MESSAGE, "GSM encoding is not supported"),
    3001: Meaning(ErrorKind.INVALID_MESSAGE, "UCS2 encoding is not supported"),
    3002: Meaning(ErrorKind.INVALID_MESSAGE, "Binary encoding is not supported"),
    4000: Meaning(ErrorKind.UNSUPPORTED, "Delivery report is not supported"),
    4001: Meaning(ErrorKind.INVALID_MESSAGE, "Invalid message content"),
    4002: Meaning(ErrorKind.INVALID_REQUEST, "Invalid tariff"),
    4003: Meaning(ErrorKind.INVALID_MESSAGE, "Invalid user data"),
    4004: Meaning(ErrorKind.INVALID_REQUEST, "Invalid user data header"),
    4005: Meaning(ErrorKind.INVALID_REQUEST, "Invalid data coding"),
    4006: Meaning(ErrorKind.INVALID_REQUEST, "Invalid VAT"),
    4007: Meaning(ErrorKind.INVALID_MESSAGE, "Unsupported content for destination"),
    # Calls: nothing was sent, and what the operator fixes is safe to repeat then
    103100: Meaning(ErrorKind.AUTHENTICATION, "INVALID_AUTHENTICATION", _SAFE),
    103101: Meaning(ErrorKind.NOT_PERMITTED, "ACCESS_DENIED", _SAFE),
    106000: Meaning(ErrorKind.INVALID_REQUEST, "Unknown Error"),
    106100: Meaning(ErrorKind.AUTHENTICATION, "Invalid authentication", _SAFE),
    106101: Meaning(ErrorKind.NOT_PERMITTED, "Access denied", _SAFE),
    106200: Meaning(ErrorKind.ACCOUNT, "Invalid or missing platformId", _SAFE),
    106201: Meaning(ErrorKind.ACCOUNT, "Invalid or missing platformPartnerId", _SAFE),
    106202: Meaning(ErrorKind.INVALID_REQUEST, "Invalid or missing currency for premium message"),
    106300: Meaning(ErrorKind.ACCOUNT, "No gates available", _SAFE),
    106301: Meaning(ErrorKind.ACCOUNT, "Specified gate unavailable", _SAFE),
}
_BY_HTTP_STATUS: Mapping[int, Meaning] = {
    401: Meaning(ErrorKind.AUTHENTICATION, "Unauthorized", _SAFE),
    403: Meaning(ErrorKind.NOT_PERMITTED, "Forbidden", _SAFE),
}
_OTHER_REQUEST = Meaning(ErrorKind.INVALID_REQUEST, "Bad Request")


def to_status(code: int | None) -> MessageStatus:
    """Return a message's status by its result code. One that LINK may add says only that LINK has the message: ACCEPTED
    moves nothing backward and ends no tracking."""
    meaning = None if code is None else FAILURES.get(code)
    return meaning.status if meaning else STATUSES.get(code or 0, MessageStatus.ACCEPTED)


def message_failure(code: int | None, text: str | None = None) -> FailureReason | None:
    """Return the reason of a result code that is a failure, in LINK's own words."""
    meaning = None if code is None else FAILURES.get(code)
    if meaning is None:
        return None
    return FailureReason("provider", meaning.kind, text or meaning.title, code, retry=meaning.retry)


def refusal(code: int, http_status: int) -> Meaning:
    """Return the meaning of an error of a whole call."""
    return FAILURES.get(code) or _BY_HTTP_STATUS.get(http_status, _OTHER_REQUEST)
