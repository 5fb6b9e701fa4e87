"""Infobip's message statuses and delivery errors, as far as they are simulated.

Source: infobip.com/docs/essentials/api-essentials/response-status-and-error-codes, with its names and groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACCEPTED, ENROUTE, WAITING = 26, 7, 3
DELIVERED, TO_OPERATOR = 5, 2
NOT_SENT, EXPIRED, DLR_UNKNOWN = 31, 15, 29
CANCELED_ERROR = 4100
BLOCKLISTED, DUPLICATE, TOO_LONG, MISSING_TO, BAD_DESTINATION = 14, 23, 25, 51, 52
SOURCE, SENDER = 11, 13
NO_ERROR, DUPLICATE_ERROR, VALIDITY_ERROR = 0, 5492, 4101

STATUS_GROUPS = {1: "PENDING", 2: "UNDELIVERABLE", 3: "DELIVERED", 4: "EXPIRED", 5: "REJECTED"}
ERROR_GROUPS = {0: "OK", 1: "HANDSET_ERRORS", 2: "USER_ERRORS", 3: "OPERATOR_ERRORS"}
# Id to group, name and description.
STATUSES: Mapping[int, tuple[int, str, str]] = {
    3: (1, "PENDING_WAITING_DELIVERY", "Message sent, waiting for delivery report"),
    7: (1, "PENDING_ENROUTE", "Message sent to next instance"),
    26: (1, "PENDING_ACCEPTED", "Message sent to next instance"),
    4: (2, "UNDELIVERABLE_REJECTED_OPERATOR", "Message rejected by operator"),
    9: (2, "UNDELIVERABLE_NOT_DELIVERED", "Message sent not delivered"),
    31: (2, "UNDELIVERABLE_NOT_SENT", "Message not sent"),
    2: (3, "DELIVERED_TO_OPERATOR", "Message delivered to operator"),
    5: (3, "DELIVERED_TO_HANDSET", "Message delivered to handset"),
    15: (4, "EXPIRED_EXPIRED", "Message expired"),
    29: (4, "EXPIRED_DLR_UNKNOWN", "Message expired with unknown delivery status"),
    6: (5, "REJECTED_NETWORK", "Network is forbidden"),
    8: (5, "REJECTED_PREFIX_MISSING", "Number prefix missing"),
    10: (5, "REJECTED_DND", "User is on DND list"),
    11: (5, "REJECTED_SOURCE", "Invalid Source address"),
    12: (5, "REJECTED_NOT_ENOUGH_CREDITS", "Not enough credits"),
    13: (5, "REJECTED_SENDER", "By Sender"),
    14: (5, "REJECTED_DESTINATION_BLOCKLISTED", "By Destination"),
    19: (5, "REJECTED_ROUTE_NOT_AVAILABLE", "Route not available"),
    20: (5, "REJECTED_FLOODING_FILTER", "Rejected flooding"),
    23: (5, "REJECTED_DUPLICATE_MESSAGE_ID", "Duplicate message ID"),
    25: (5, "REJECTED_MESSAGE_TOO_LONG", "Message too long"),
    51: (5, "MISSING_TO", "Missing destination"),
    52: (5, "REJECTED_DESTINATION", "Invalid destination address"),
}
# Id to group, name, whether it is permanent, and the status a message with it ends in.
ERRORS: Mapping[int, tuple[int, str, bool, int]] = {
    0: (0, "NO_ERROR", False, DELIVERED),
    1: (1, "EC_UNKNOWN_SUBSCRIBER", True, 9),
    6: (1, "EC_ABSENT_SUBSCRIBER_SM", False, 9),
    7: (1, "EC_UNKNOWN_EQUIPMENT", False, 9),
    9: (1, "EC_ILLEGAL_SUBSCRIBER", True, 9),
    13: (1, "EC_CALL_BARRED", False, 9),
    27: (1, "EC_ABSENT_SUBSCRIBER", False, 9),
    32: (1, "EC_SM_DELIVERY_FAILURE", False, 9),
    34: (1, "EC_SYSTEM_FAILURE", False, 9),
    256: (1, "EC_SM_DF_MEMORYCAPACITYEXCEEDED", False, 9),
    351: (2, "EC_INVALID_DESTINATION_ADDRESS", False, 4),
    368: (2, "EC_INVALID_SOURCE_ADDRESS", True, 4),
    541: (2, "EC_LIMIT_REACHED", False, 4),
    573: (1, "EC_SC_BLOCKED_BY_END_USER", True, 4),
    581: (1, "EC_USER_OUT_OF_CREDIT", False, 9),
    603: (2, "EC_CONTENT_BLOCKED", True, 4),
    607: (2, "EC_REJECTED_SPAM_BY_OPERATOR", True, 4),
    2048: (3, "EC_TIME_OUT", False, EXPIRED),
    2050: (3, "EC_DEST_ADDRESS_BLACKLISTED", True, 10),
    2052: (2, "EC_BLACKLISTED_DESTINATIONADDRESS", True, BLOCKLISTED),
    4097: (3, "EC_NOTSUBMITTEDTOGMSC", False, NOT_SENT),
    4100: (2, "EC_MESSAGE_CANCELED", True, NOT_SENT),
    4101: (2, "EC_VALIDITY_EXPIRED", True, EXPIRED),
    4103: (2, "EC_DESTINATION_FLOODING", True, 20),
    5492: (3, "EC_DUPLICATE_MESSAGE", True, DUPLICATE),
}
# The error beside a rejection; where Infobip names none (UNVERIFIED), the message was not passed to an operator.
REJECTION_ERRORS = {10: 2050, 14: 2052, 20: 4103, 23: DUPLICATE_ERROR}


def status_document(status: int) -> dict[str, Any]:
    group, name, description = STATUSES[status]
    return {
        "groupId": group,
        "groupName": STATUS_GROUPS[group],
        "id": status,
        "name": name,
        "description": description,
    }


def error_document(error: int) -> dict[str, Any]:
    group, name, permanent, _ = ERRORS[error]
    description = "No Error" if error == NO_ERROR else name.removeprefix("EC_").replace("_", " ").capitalize()
    return {
        "groupId": group,
        "groupName": ERROR_GROUPS[group],
        "id": error,
        "name": name,
        "description": description,
        "permanent": permanent,
    }
