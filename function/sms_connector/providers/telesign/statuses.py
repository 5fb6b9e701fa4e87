"""Telesign's codes in ours: statuses have three or four digits, errors five.

Source: developer.telesign.com/enterprise/docs/all-status-and-error-codes and …/reference/sms, as read in October 2026;
the texts are Telesign's. Codes of its other products are left out, but for those that may come in a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.status import MessageStatus

STATUSES: Mapping[str, MessageStatus] = {
    "290": MessageStatus.SENDING,  # in progress to the gateway
    "291": MessageStatus.QUEUED,  # by Telesign
    "292": MessageStatus.QUEUED,  # by the gateway
    "293": MessageStatus.ACCEPTED,
    "295": MessageStatus.ACCEPTED,  # the status is delayed: it says nothing
    "599": MessageStatus.ACCEPTED,  # the status is not available just now
    "203": MessageStatus.SENT,  # delivered to the gateway
    "201": MessageStatus.SENT,  # completed; Telesign suspects fraud
    "251": MessageStatus.SENT,  # no receipt came within twelve hours
    "200": MessageStatus.DELIVERED,
    "250": MessageStatus.UNKNOWN,  # the final status can't be determined
    **dict.fromkeys(
        ("207", "210", "211", "220", "221", "222", "510", "511", "512", "513", "514"), MessageStatus.UNDELIVERED
    ),
    **dict.fromkeys(("229", "230", "231", "233", "237", "238", "286"), MessageStatus.FAILED),
    **dict.fromkeys(("500", "501", "502", "503", "504", "505", "506", "507", "508", "509"), MessageStatus.FAILED),
    **dict.fromkeys(("515", "516", "517", "518", "519", "520", "521"), MessageStatus.FAILED),
}
_FAILED = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})

# Errors that end the connection test: the account is there, and has no such message.
UNKNOWN_REFERENCES = frozenset({10017, 10036})


class Meaning(NamedTuple):
    """The meaning of a code: the title is Telesign's, `retry` is the effect of sending the same again."""

    kind: ErrorKind
    title: str
    retry: RetrySafety = RetrySafety.NEVER


_SAFE = RetrySafety.SAFE

CODES: Mapping[int, Meaning] = {
    # What became of a message
    207: Meaning(ErrorKind.DELIVERY, "Error delivering SMS to handset (reason unknown)"),
    210: Meaning(ErrorKind.UNREACHABLE, "Temporary phone error", _SAFE),
    211: Meaning(ErrorKind.UNREACHABLE, "Permanent phone error"),
    220: Meaning(ErrorKind.UNREACHABLE, "Gateway/network cannot route message"),
    221: Meaning(ErrorKind.EXPIRED, "Message expired before delivery", _SAFE),
    222: Meaning(ErrorKind.LANDLINE, "SMS not supported"),
    229: Meaning(ErrorKind.BLOCKED, "Message blocked by customer request"),
    230: Meaning(ErrorKind.BLOCKED, "Message blocked by Telesign"),
    231: Meaning(ErrorKind.INVALID_MESSAGE, "Invalid/unsupported message content"),
    233: Meaning(ErrorKind.BLOCKED, "Message blocked due to high risk score."),
    237: Meaning(ErrorKind.NOT_PERMITTED, "Message blocked in requested country"),
    238: Meaning(ErrorKind.NOT_PERMITTED, "Destination blocked by prefix"),
    286: Meaning(ErrorKind.LANDLINE, "Transaction not attempted"),
    500: Meaning(ErrorKind.OTHER, "Transaction not attempted", _SAFE),
    501: Meaning(ErrorKind.AUTHENTICATION, "Not authorized", _SAFE),
    502: Meaning(ErrorKind.INVALID_SENDER, "Campaign error"),
    503: Meaning(ErrorKind.UNAVAILABLE, "Carrier rejected - temporary problem", _SAFE),
    504: Meaning(ErrorKind.BLOCKED, "Carrier rejected - permanent error"),
    505: Meaning(ErrorKind.UNAVAILABLE, "Error on gateway - temporary error", _SAFE),
    506: Meaning(ErrorKind.BLOCKED, "Error on gateway - permanent error"),
    507: Meaning(ErrorKind.INVALID_RECIPIENT, "Invalid destination address"),
    508: Meaning(ErrorKind.INVALID_SENDER, "Invalid source address"),
    509: Meaning(ErrorKind.INVALID_REQUEST, "Parameters problem"),
    510: Meaning(ErrorKind.OPTED_OUT, "Message blocked by subscriber action or request"),
    511: Meaning(ErrorKind.UNREACHABLE, "Subscriber low on credit", _SAFE),
    512: Meaning(ErrorKind.UNREACHABLE, "Roaming error", _SAFE),
    513: Meaning(ErrorKind.UNREACHABLE, "Mobile number portability error"),
    514: Meaning(ErrorKind.UNREACHABLE, "Subscriber absent", _SAFE),
    515: Meaning(ErrorKind.BLOCKED, "Suspected spam"),
    516: Meaning(ErrorKind.UNREACHABLE, "Delivery channel not supported by the end user's device"),
    517: Meaning(ErrorKind.NOT_PERMITTED, "Selected DLT details for India not supported"),
    518: Meaning(ErrorKind.BLOCKED, "Message blocked due to high risk SIM swap indicator."),
    519: Meaning(ErrorKind.BLOCKED, "Message not sent - requested SIM swap check could not be performed."),
    520: Meaning(ErrorKind.INVALID_MESSAGE, "Content sent is not allowed"),
    521: Meaning(ErrorKind.INVALID_SENDER, "Requested Sender ID is not allowed for destination"),
    # The account and its credentials (nothing was sent; what the operator fixes is safe to repeat then)
    10002: Meaning(ErrorKind.AUTHENTICATION, "'x-ts-nonce' header value has been used recently", _SAFE),
    10003: Meaning(ErrorKind.AUTHENTICATION, "'x-ts-nonce' header value is either too long or too short", _SAFE),
    10004: Meaning(ErrorKind.AUTHENTICATION, "'Date' or 'x-ts-date' header is not within tolerable range", _SAFE),
    10005: Meaning(ErrorKind.AUTHENTICATION, "'Date' or 'x-ts-date' header is not RFC822 compliant", _SAFE),
    10006: Meaning(ErrorKind.AUTHENTICATION, "Invalid 'x-ts-auth-method' header.", _SAFE),
    10007: Meaning(ErrorKind.AUTHENTICATION, "Missing required 'Date' or 'x-ts-date' header", _SAFE),
    10008: Meaning(ErrorKind.AUTHENTICATION, "Invalid Signature.", _SAFE),
    10009: Meaning(ErrorKind.AUTHENTICATION, "Missing required 'Authorization' header", _SAFE),
    10010: Meaning(ErrorKind.ACCOUNT, "CustomerID Account Suspended", _SAFE),
    10011: Meaning(ErrorKind.ACCOUNT, "This product is not enabled for this CustomerID.", _SAFE),
    10012: Meaning(ErrorKind.ACCOUNT, "This feature is not enabled for this CustomerID", _SAFE),
    10013: Meaning(ErrorKind.INVALID_REQUEST, "Invalid Request"),
    10014: Meaning(ErrorKind.NOT_PERMITTED, "Invalid source IP address.", _SAFE),
    10015: Meaning(ErrorKind.AUTHENTICATION, "Invalid Customer ID.", _SAFE),
    10022: Meaning(ErrorKind.AUTHENTICATION, "Invalid API Key.", _SAFE),
    10028: Meaning(ErrorKind.AUTHENTICATION, "Required 'Authorization' header is not in the correct format", _SAFE),
    10030: Meaning(ErrorKind.ACCOUNT, "Insufficient funds in prepaid wallet.", _SAFE),
    10033: Meaning(ErrorKind.NOT_PERMITTED, "The phone number has not been verified for this trial account."),
    10035: Meaning(ErrorKind.AUTHENTICATION, "The requested API host is not allowed for this CustomerID.", _SAFE),
    # Telesign's side
    10000: Meaning(ErrorKind.UNAVAILABLE, "System Unavailable, Please try again later.", RetrySafety.UNKNOWN_OUTCOME),
    10019: Meaning(ErrorKind.RATE_LIMITED, "Rate Limit Exceeded", _SAFE),
    10020: Meaning(ErrorKind.ACCOUNT, "Generic messaging exceeded transaction hard cap. Request denied.", _SAFE),
    # The recipient
    10031: Meaning(ErrorKind.OPTED_OUT, "Message blocked by customer request"),
    10032: Meaning(ErrorKind.OPTED_OUT, "Message blocked by TeleSign"),
    11000: Meaning(ErrorKind.INVALID_RECIPIENT, "Invalid value for parameter phone_number."),
    11001: Meaning(ErrorKind.INVALID_RECIPIENT, "Invalid country code for parameter phone_number."),
    12000: Meaning(ErrorKind.INVALID_RECIPIENT, "Missing Required Parameter phone_number"),
    # The sender, the content, the request
    11013: Meaning(ErrorKind.INVALID_SENDER, "Invalid value for parameter sender_id."),
    11009: Meaning(ErrorKind.INVALID_MESSAGE, "Invalid value for parameter message."),
    12009: Meaning(ErrorKind.INVALID_MESSAGE, "Missing Required Parameter message"),
    11003: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter account_lifecycle_event"),
    11004: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter callback_url"),
    11010: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter originating_ip."),
    11011: Meaning(ErrorKind.NOT_FOUND, "Invalid value for parameter reference_id"),
    11016: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter external_id"),
    11017: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter message_type."),
    11027: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter integration_name."),
    11034: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter dlt_template_id"),
    11035: Meaning(ErrorKind.INVALID_REQUEST, "Invalid value for parameter dlt_entity_id"),
    12017: Meaning(ErrorKind.INVALID_REQUEST, "Missing Required Parameter message_type"),
    10017: Meaning(ErrorKind.NOT_FOUND, "Reference ID not found"),
    10036: Meaning(ErrorKind.NOT_FOUND, "Reference ID expired"),
}

# 10031 has a second meaning in answers to a request: the account may not use this host.
_HOST = Meaning(ErrorKind.AUTHENTICATION, "Not Allowed Host", _SAFE)
# What a code we don't know means, by the HTTP status it came with.
_BY_HTTP_STATUS: Mapping[int, Meaning] = {
    401: Meaning(ErrorKind.AUTHENTICATION, "Unauthorized", _SAFE),
    402: Meaning(ErrorKind.ACCOUNT, "Payment Required", _SAFE),
    404: Meaning(ErrorKind.NOT_FOUND, "Not Found"),
    429: Meaning(ErrorKind.RATE_LIMITED, "Too Many Requests", _SAFE),
}
_OTHER = Meaning(ErrorKind.OTHER, "error")
_DELIVERY = Meaning(ErrorKind.DELIVERY, "Telesign gave no reason")

# What Telesign read in an inbound message: …/docs/inbound-sms-action-to-keyword-mapping. `generic` is any other text.
ACTIONS: Mapping[str, Keyword] = {"stop": Keyword.STOP, "start": Keyword.START, "help": Keyword.HELP}


def to_status(code: int | str) -> MessageStatus:
    """Return our status for Telesign's.

    A five-digit code in a report is a refusal that came late. Any other that Telesign may add says only that it has the
    message: ACCEPTED, the lowest rank, so that it moves nothing backward and ends no tracking.
    """
    if isinstance(code, int) and code >= 10_000:
        return MessageStatus.FAILED
    return STATUSES.get(str(code), MessageStatus.ACCEPTED)


def refusal(code: int | str, description: str, http_status: int) -> Meaning:
    """Return what a refusal means: by its code, else by its HTTP status."""
    if code == 10031 and "host" in description.lower():
        return _HOST
    meaning = CODES.get(code) if isinstance(code, int) else None
    return meaning or _BY_HTTP_STATUS.get(http_status, _OTHER)


def delivery_failure(code: int | str, description: str) -> FailureReason | None:
    """Return why a message was not delivered; None where its status is not a failure."""
    if to_status(code) not in _FAILED:
        return None
    meaning = CODES.get(code, _DELIVERY) if isinstance(code, int) else _DELIVERY
    return FailureReason("provider", meaning.kind, description or meaning.title, code, retry=meaning.retry)
