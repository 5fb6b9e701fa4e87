"""The words of a custom channel in ours: the statuses of its contract, and the reasons that we understand.

A reason is free text in the contract of Customer Insights - Journeys; those below are ours (docs/providers/custom.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.status import MessageStatus

SENT, NOT_SENT = "Sent", "NotSent"

STATUSES: Mapping[str, MessageStatus] = {
    SENT: MessageStatus.SENT,
    NOT_SENT: MessageStatus.FAILED,
    "Failed": MessageStatus.FAILED,
    "NotDelivered": MessageStatus.UNDELIVERED,
    "Delivered": MessageStatus.DELIVERED,
}
_FAILED = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})


class Meaning(NamedTuple):
    """The meaning of a reason: `retry` is the effect of sending the same again."""

    kind: ErrorKind
    retry: RetrySafety = RetrySafety.NEVER


_SAFE = RetrySafety.SAFE

REASONS: Mapping[str, Meaning] = {
    "OptedOut": Meaning(ErrorKind.OPTED_OUT),
    "InvalidRecipient": Meaning(ErrorKind.INVALID_RECIPIENT),
    "InvalidSender": Meaning(ErrorKind.INVALID_SENDER),
    "InvalidMessage": Meaning(ErrorKind.INVALID_MESSAGE),
    "NotMobile": Meaning(ErrorKind.LANDLINE),
    "Landline": Meaning(ErrorKind.LANDLINE),
    "Unreachable": Meaning(ErrorKind.UNREACHABLE),
    "UnknownHandset": Meaning(ErrorKind.UNREACHABLE),
    "NoRoute": Meaning(ErrorKind.UNREACHABLE),
    "Blocked": Meaning(ErrorKind.BLOCKED),
    "Filtered": Meaning(ErrorKind.BLOCKED),
    "NotPermitted": Meaning(ErrorKind.NOT_PERMITTED),
    "Expired": Meaning(ErrorKind.EXPIRED, _SAFE),
    "Account": Meaning(ErrorKind.ACCOUNT, _SAFE),
    "QueueFull": Meaning(ErrorKind.QUEUE_FULL, _SAFE),
    "Unavailable": Meaning(ErrorKind.UNAVAILABLE, _SAFE),
    "BadRequest": Meaning(ErrorKind.INVALID_REQUEST),
    "Unauthorized": Meaning(ErrorKind.AUTHENTICATION, _SAFE),
}
_BY_HTTP_STATUS: Mapping[int, Meaning] = {
    400: Meaning(ErrorKind.INVALID_REQUEST),
    401: Meaning(ErrorKind.AUTHENTICATION, _SAFE),
    402: Meaning(ErrorKind.ACCOUNT, _SAFE),
    403: Meaning(ErrorKind.NOT_PERMITTED),
    404: Meaning(ErrorKind.NOT_FOUND, _SAFE),
    413: Meaning(ErrorKind.INVALID_REQUEST),
    422: Meaning(ErrorKind.INVALID_REQUEST),
}
_OTHER = Meaning(ErrorKind.OTHER)
_DELIVERY = Meaning(ErrorKind.DELIVERY)


def to_status(word: str) -> MessageStatus:
    """Return our status for the channel's. Any other word says only that the channel has the message: ACCEPTED, the
    lowest rank, so that it moves nothing backward and ends no tracking."""
    return STATUSES.get(word, MessageStatus.ACCEPTED)


def refusal(reason: str, message: str, http_status: int) -> FailureReason:
    """Return why a message was refused; without a reason the HTTP status stands for it."""
    meaning = REASONS.get(reason) or _BY_HTTP_STATUS.get(http_status, _OTHER)
    text = message or reason or f"the channel answered {http_status}"
    return FailureReason("provider", meaning.kind, text, reason or http_status, retry=meaning.retry)


def delivery_failure(word: str, reason: str, message: str) -> FailureReason | None:
    """Return why a message was not delivered; None where its status is not a failure."""
    if to_status(word) not in _FAILED:
        return None
    meaning = REASONS.get(reason, _DELIVERY)
    text = message or reason or "the channel gave no reason"
    return FailureReason("provider", meaning.kind, text, reason or None, retry=meaning.retry)
