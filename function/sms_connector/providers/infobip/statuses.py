"""Infobip's vocabulary in ours: message statuses and delivery errors. Data and look-ups only.

Source of both tables, with names, groups and whether an error is permanent:
https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes (read in a copy of 2026-07-25).
A status has a group, which decides; statuses and errors are two lists of numbers, so a failure tells the name too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.status import MessageStatus

# The id was used before: nothing is known about what became of its message.
DUPLICATE, DUPLICATE_NAME = 23, "REJECTED_DUPLICATE_MESSAGE_ID"
FAILED = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})

_GROUPS: Mapping[int, MessageStatus] = {
    0: MessageStatus.ACCEPTED,
    1: MessageStatus.QUEUED,  # PENDING
    2: MessageStatus.UNDELIVERED,  # UNDELIVERABLE
    3: MessageStatus.DELIVERED,
    4: MessageStatus.UNDELIVERED,  # EXPIRED
    5: MessageStatus.FAILED,  # REJECTED
}
# Where a status says more than its group.
_NAMES: Mapping[str, MessageStatus] = {
    "PENDING_WAITING_DELIVERY": MessageStatus.SENT,
    "PENDING_ENROUTE": MessageStatus.SENDING,
    "UNDELIVERABLE_NOT_SENT": MessageStatus.FAILED,
    # Intermediate: https://www.infobip.com/docs/developer-resources/api-fundamentals/message-status-codes
    "DELIVERED_TO_OPERATOR": MessageStatus.SENT,
    "EXPIRED_DLR_UNKNOWN": MessageStatus.UNKNOWN,
}


def to_status(group: int | None, name: str) -> MessageStatus:
    """Return our status; ACCEPTED, which moves nothing and ends no tracking, where the group is none that is known."""
    status = None if group is None else _GROUPS.get(group)
    return MessageStatus.ACCEPTED if status is None else _NAMES.get(name, status)


def is_duplicate(code: int | None, name: str | None) -> bool:
    return code == DUPLICATE or name == DUPLICATE_NAME


class Meaning(NamedTuple):
    """The meaning of a code: `retry` is the effect of sending the same again."""

    kind: ErrorKind
    retry: RetrySafety


def _table(*rows: tuple[ErrorKind, RetrySafety, *tuple[int, ...]]) -> Mapping[int, Meaning]:
    return {code: Meaning(kind, retry) for kind, retry, *codes in rows for code in codes}


_NEVER, _SAFE, _UNKNOWN = RetrySafety.NEVER, RetrySafety.SAFE, RetrySafety.UNKNOWN_OUTCOME

# Failed statuses by their id: the reason where no error is beside them.
STATUS_REASONS = _table(
    (ErrorKind.DELIVERY, _NEVER, 4),  # rejected by the operator
    (ErrorKind.UNREACHABLE, _NEVER, 9),  # not delivered
    (ErrorKind.DELIVERY, _SAFE, 31),  # not sent
    (ErrorKind.EXPIRED, _UNKNOWN, 15),  # no report came within the validity period
    (ErrorKind.NOT_PERMITTED, _NEVER, 6, 18, 19),  # network or route not set up; a trial sends to its own number only
    (ErrorKind.INVALID_RECIPIENT, _NEVER, 8, 51, 52),
    (ErrorKind.BLOCKED, _NEVER, 10, 87),  # a do-not-disturb list; fraud (in the groups EXPIRED and REJECTED)
    (ErrorKind.BLOCKED, _SAFE, 20),  # 20 texts, or 6 alike, an hour to one number
    (ErrorKind.OPTED_OUT, _NEVER, 14),  # on the account's blocklist
    (ErrorKind.INVALID_SENDER, _NEVER, 11, 13),
    (ErrorKind.ACCOUNT, _SAFE, 12, 17),  # no credit, the prepaid package has expired
    (ErrorKind.UNAVAILABLE, _SAFE, 21),  # an error of Infobip's system
    (ErrorKind.DUPLICATE, _UNKNOWN, DUPLICATE),
    (ErrorKind.INVALID_MESSAGE, _NEVER, 24, 25),  # the UDH; over 25 parts or 4 000 bytes
    (ErrorKind.OTHER, _NEVER, 100),  # rejected by the platform
)

# Delivery errors by their id. Others mean what their group says (`_ERROR_GROUPS`).
ERRORS = _table(
    (ErrorKind.INVALID_RECIPIENT, _NEVER, 1, 9, 345, 351, 352, 3041),  # unknown, illegal, invalid, deactivated
    (ErrorKind.UNREACHABLE, _NEVER, 568, 569),  # not provisioned for SMS, suspended
    (ErrorKind.UNREACHABLE, _SAFE, 581),  # the recipient has no credit
    (ErrorKind.OPTED_OUT, _NEVER, 573, 603, 2052),  # at the operator, by a STOP, on the account's blocklist
    (ErrorKind.BLOCKED, _NEVER, 560, 561, 564, 566, 604, 607, 608, 2049, 2050, 2051),  # by operators, lists, filters
    (ErrorKind.BLOCKED, _SAFE, 13, 4103, 4104),  # calls barred; too many messages to one number
    (ErrorKind.INVALID_SENDER, _NEVER, 368, 375, 488, 562, 563, 571, 572, 2053),  # invalid, blocked, not registered
    (ErrorKind.INVALID_MESSAGE, _NEVER, 71, 355),  # unknown alphabet, too long
    (ErrorKind.QUEUE_FULL, _SAFE, 541, 542, 4202),  # quotas of the sender's brand
    (ErrorKind.ACCOUNT, _SAFE, 433, 4099),  # access denied, monthly limit
    (ErrorKind.TIMEOUT, _UNKNOWN, 502, 815, 2048),  # no response or acknowledgement from the operator
    (ErrorKind.EXPIRED, _SAFE, 811, 4098, 4101),  # the validity period
    (ErrorKind.CANCELED, _SAFE, 4100),
    (ErrorKind.DUPLICATE, _UNKNOWN, 5492),
)
# NO_ERROR, and EC_NOTSUBMITTEDTOGMSC ("not passed to any operator and failed at the platform"): the status says why.
NO_REASON = frozenset({None, 0, 4097})
_ERROR_GROUPS = {1: ErrorKind.UNREACHABLE, 2: ErrorKind.OTHER, 3: ErrorKind.DELIVERY}


def reason(status: int | None, error: int | None, *, group: int | None, permanent: bool) -> Meaning:
    """Return what a failed status with its error means. One without a row is as permanent as Infobip says."""
    if error is None or error in NO_REASON:
        return STATUS_REASONS.get(status or 0, Meaning(ErrorKind.DELIVERY, _NEVER))
    kind = _ERROR_GROUPS.get(group or 0, ErrorKind.DELIVERY)
    return ERRORS.get(error, Meaning(kind, _NEVER if permanent else _SAFE))
