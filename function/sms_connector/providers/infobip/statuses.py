"""Infobip's vocabulary in ours: message statuses and delivery errors. Data and look-ups only.

Source of both tables, with names, groups and whether an error is permanent:
https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes (read in a copy of 2026-07-25).
A status has a group, which decides; statuses and errors are two lists of numbers, so a message always tells the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.status import MessageStatus

ACCEPTED, PENDING, UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED = range(6)
# The id was used before: nothing is known about what became of its message.
DUPLICATE = 23
DUPLICATE_NAME = "REJECTED_DUPLICATE_MESSAGE_ID"

_GROUPS: Mapping[int, MessageStatus] = {
    ACCEPTED: MessageStatus.ACCEPTED,
    PENDING: MessageStatus.QUEUED,
    UNDELIVERABLE: MessageStatus.UNDELIVERED,
    DELIVERED: MessageStatus.DELIVERED,
    EXPIRED: MessageStatus.UNDELIVERED,
    REJECTED: MessageStatus.FAILED,
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
FAILED = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})


def to_status(group: int | None, name: str) -> MessageStatus:
    """Return our status; ACCEPTED, which moves nothing and ends no tracking, where the group is none that is known."""
    status = None if group is None else _GROUPS.get(group)
    return MessageStatus.ACCEPTED if status is None else _NAMES.get(name, status)


class Meaning(NamedTuple):
    """The meaning of a code: the title is Infobip's name of it, `retry` is the effect of sending the same again."""

    kind: ErrorKind
    title: str
    retry: RetrySafety = RetrySafety.NEVER


_SAFE, _UNKNOWN = RetrySafety.SAFE, RetrySafety.UNKNOWN_OUTCOME

# Failed statuses by their id: the reason where no error is beside them.
STATUS_REASONS: Mapping[int, Meaning] = {
    4: Meaning(ErrorKind.DELIVERY, "UNDELIVERABLE_REJECTED_OPERATOR"),
    9: Meaning(ErrorKind.UNREACHABLE, "UNDELIVERABLE_NOT_DELIVERED"),
    31: Meaning(ErrorKind.DELIVERY, "UNDELIVERABLE_NOT_SENT", _SAFE),
    15: Meaning(ErrorKind.EXPIRED, "EXPIRED_EXPIRED", _UNKNOWN),  # no report came within the validity period
    6: Meaning(ErrorKind.NOT_PERMITTED, "REJECTED_NETWORK"),  # the network is not set up on the account
    8: Meaning(ErrorKind.INVALID_RECIPIENT, "REJECTED_PREFIX_MISSING"),
    10: Meaning(ErrorKind.BLOCKED, "REJECTED_DND"),  # a national do-not-disturb list
    11: Meaning(ErrorKind.INVALID_SENDER, "REJECTED_SOURCE"),
    12: Meaning(ErrorKind.ACCOUNT, "REJECTED_NOT_ENOUGH_CREDITS", _SAFE),
    13: Meaning(ErrorKind.INVALID_SENDER, "REJECTED_SENDER"),
    14: Meaning(ErrorKind.OPTED_OUT, "REJECTED_DESTINATION_BLOCKLISTED"),
    17: Meaning(ErrorKind.ACCOUNT, "REJECTED_PREPAID_PACKAGE_EXPIRED", _SAFE),
    18: Meaning(ErrorKind.NOT_PERMITTED, "REJECTED_DESTINATION_NOT_REGISTERED"),  # a trial sends to its own number
    19: Meaning(ErrorKind.NOT_PERMITTED, "REJECTED_ROUTE_NOT_AVAILABLE"),
    20: Meaning(ErrorKind.BLOCKED, "REJECTED_FLOODING_FILTER", _SAFE),  # 20 texts, or 6 alike, an hour to one number
    21: Meaning(ErrorKind.UNAVAILABLE, "REJECTED_SYSTEM_ERROR", _SAFE),
    DUPLICATE: Meaning(ErrorKind.DUPLICATE, DUPLICATE_NAME, _UNKNOWN),
    24: Meaning(ErrorKind.INVALID_MESSAGE, "REJECTED_INVALID_UDH"),
    25: Meaning(ErrorKind.INVALID_MESSAGE, "REJECTED_MESSAGE_TOO_LONG"),  # over 25 parts or 4 000 bytes
    51: Meaning(ErrorKind.INVALID_RECIPIENT, "MISSING_TO"),
    52: Meaning(ErrorKind.INVALID_RECIPIENT, "REJECTED_DESTINATION"),
    87: Meaning(ErrorKind.BLOCKED, "SIGNALS_BLOCKED"),  # against fraud; in the groups EXPIRED and REJECTED
    100: Meaning(ErrorKind.OTHER, "UNDELIVERABLE_REJECTED_PLATFORM"),
}

# Delivery errors by their id. Others mean what their group says (`_ERROR_GROUPS`).
ERRORS: Mapping[int, Meaning] = {
    # The recipient
    1: Meaning(ErrorKind.INVALID_RECIPIENT, "EC_UNKNOWN_SUBSCRIBER"),
    9: Meaning(ErrorKind.INVALID_RECIPIENT, "EC_ILLEGAL_SUBSCRIBER"),
    345: Meaning(ErrorKind.INVALID_RECIPIENT, "EC_OPERATOR_NOT_FOUND"),
    351: Meaning(ErrorKind.INVALID_RECIPIENT, "EC_INVALID_DESTINATION_ADDRESS"),
    352: Meaning(ErrorKind.INVALID_RECIPIENT, "EC_INVALID_REQUEST_DESTINATION"),
    568: Meaning(ErrorKind.UNREACHABLE, "EC_DESTINATION_NOT_SMS_PROVISIONED"),
    569: Meaning(ErrorKind.UNREACHABLE, "EC_DEST_ADDRESS_SUSPENDED"),
    3041: Meaning(ErrorKind.INVALID_RECIPIENT, "EC_DEACTIVATED_LIST"),
    # Consent: what the recipient asked for, at the operator, by a STOP, or on the account's blocklist
    573: Meaning(ErrorKind.OPTED_OUT, "EC_SC_BLOCKED_BY_END_USER"),
    603: Meaning(ErrorKind.OPTED_OUT, "EC_CONTENT_BLOCKED"),
    2052: Meaning(ErrorKind.OPTED_OUT, "EC_BLACKLISTED_DESTINATIONADDRESS"),
    # Blocked by somebody else
    13: Meaning(ErrorKind.BLOCKED, "EC_CALL_BARRED", _SAFE),
    560: Meaning(ErrorKind.BLOCKED, "EC_SC_BLOCKED_FOR_END_USER"),
    561: Meaning(ErrorKind.BLOCKED, "EC_CONTENT_BLOCKED_BY_OPERATOR"),
    564: Meaning(ErrorKind.BLOCKED, "EC_SC_BLOCKED"),
    566: Meaning(ErrorKind.BLOCKED, "EC_DESTINATION_BLOCKED_BY_OPERATOR"),
    604: Meaning(ErrorKind.BLOCKED, "EC_BLOCKED_BY_CAMPAIGN_BLACKLIST"),
    607: Meaning(ErrorKind.BLOCKED, "EC_REJECTED_SPAM_BY_OPERATOR"),
    608: Meaning(ErrorKind.BLOCKED, "EC_SIGNALS_BLOCKED"),
    2049: Meaning(ErrorKind.BLOCKED, "EC_IMSI_BLACKLISTED"),
    2050: Meaning(ErrorKind.BLOCKED, "EC_DEST_ADDRESS_BLACKLISTED"),
    2051: Meaning(ErrorKind.BLOCKED, "EC_INVALIDMSCADDRESS"),
    4103: Meaning(ErrorKind.BLOCKED, "EC_DESTINATION_FLOODING", _SAFE),
    4104: Meaning(ErrorKind.BLOCKED, "EC_DESTINATION_TXT_FLOODING", _SAFE),
    # The sender and its registration
    368: Meaning(ErrorKind.INVALID_SENDER, "EC_INVALID_SOURCE_ADDRESS"),
    375: Meaning(ErrorKind.INVALID_SENDER, "EC_SOURCE_ADDRESS_IS_BLOCKED"),
    488: Meaning(ErrorKind.INVALID_SENDER, "EC_TF_NUMBER_NOT_VERIFIED"),
    562: Meaning(ErrorKind.INVALID_SENDER, "EC_SC_NOT_PROVISIONED"),
    563: Meaning(ErrorKind.INVALID_SENDER, "EC_SC_EXPIRED"),
    571: Meaning(ErrorKind.INVALID_SENDER, "EC_CAMPAIGN_ID_REJECTED"),
    572: Meaning(ErrorKind.INVALID_SENDER, "EC_CAMPAIGNID_NOT_PROVISIONED"),
    2053: Meaning(ErrorKind.INVALID_SENDER, "EC_BLACKLISTED_SENDERADDRESS"),
    # The text
    71: Meaning(ErrorKind.INVALID_MESSAGE, "EC_UNKNOWN_ALPHABET"),
    355: Meaning(ErrorKind.INVALID_MESSAGE, "EC_MSG_TEXT_TOO_LONG"),
    # Quotas and credit: of the sender's brand, of the account, and (581) of the recipient
    541: Meaning(ErrorKind.QUEUE_FULL, "EC_LIMIT_REACHED", _SAFE),
    542: Meaning(ErrorKind.QUEUE_FULL, "EC_QUOTA_REACHED", _SAFE),
    4202: Meaning(ErrorKind.QUEUE_FULL, "EC_10DLC_LIMIT_REACHED", _SAFE),
    433: Meaning(ErrorKind.ACCOUNT, "EC_ACCOUNT_ACCESS_DENIED", _SAFE),
    4099: Meaning(ErrorKind.ACCOUNT, "EC_MONTHLY_LIMIT_REACHED", _SAFE),
    581: Meaning(ErrorKind.UNREACHABLE, "EC_USER_OUT_OF_CREDIT", _SAFE),
    # Time, cancellation, repetition
    502: Meaning(ErrorKind.TIMEOUT, "EC_NO_RESPONSE", _UNKNOWN),
    815: Meaning(ErrorKind.TIMEOUT, "EC_MESSAGE_SUBMITTED_NOT_ACKED", _UNKNOWN),
    2048: Meaning(ErrorKind.TIMEOUT, "EC_TIME_OUT", _UNKNOWN),
    811: Meaning(ErrorKind.EXPIRED, "EC_MESSAGE_EXPIRED", _SAFE),
    4098: Meaning(ErrorKind.EXPIRED, "EC_VP_EXPIRED", _SAFE),
    4101: Meaning(ErrorKind.EXPIRED, "EC_VALIDITY_EXPIRED", _SAFE),
    4100: Meaning(ErrorKind.CANCELED, "EC_MESSAGE_CANCELED", _SAFE),
    5492: Meaning(ErrorKind.DUPLICATE, "EC_DUPLICATE_MESSAGE", _UNKNOWN),
}
# NO_ERROR, and EC_NOTSUBMITTEDTOGMSC ("not passed to any operator and failed at the platform"): the status says why.
NO_REASON = frozenset({None, 0, 4097})
_ERROR_GROUPS = {1: ErrorKind.UNREACHABLE, 2: ErrorKind.OTHER, 3: ErrorKind.DELIVERY}
_OTHER = Meaning(ErrorKind.DELIVERY, "")


def reason(status: int | None, error: int | None, *, group: int | None, permanent: bool) -> Meaning:
    """Return what a failed status with its error means. One without a row is as permanent as Infobip says."""
    if error is None or error in NO_REASON:
        return STATUS_REASONS.get(status or 0, _OTHER)
    retry = RetrySafety.NEVER if permanent else RetrySafety.SAFE
    return ERRORS.get(error, Meaning(_ERROR_GROUPS.get(group or 0, ErrorKind.DELIVERY), "", retry))


# What an error of the API itself means, by its HTTP status: its codes say no more (`E400`, `E401`, …).
HTTP_REASONS: Mapping[int, Meaning] = {
    400: Meaning(ErrorKind.INVALID_REQUEST, "E400"),
    401: Meaning(ErrorKind.AUTHENTICATION, "E401", _SAFE),
    # The key's scopes or its allowed addresses: about the key, not about the message.
    403: Meaning(ErrorKind.AUTHENTICATION, "E403", _SAFE),
    404: Meaning(ErrorKind.NOT_FOUND, "E404"),
    429: Meaning(ErrorKind.RATE_LIMITED, "E429", _SAFE),
    500: Meaning(ErrorKind.UNAVAILABLE, "E500", _UNKNOWN),
}
HTTP_OTHER = Meaning(ErrorKind.OTHER, "", RetrySafety.NEVER)
