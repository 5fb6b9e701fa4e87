"""Telesign's codes with their texts: statuses have three or four digits, errors five.

developer.telesign.com/enterprise/docs/all-status-and-error-codes, read October 2026. HTTP statuses: the OpenAPI document of
developer.telesign.com/enterprise/reference/sms; 402, 404 and 405 follow its older edition for self-service accounts.
"""

from __future__ import annotations

from collections.abc import Mapping

IN_PROGRESS, QUEUED_BY_GATEWAY, TO_GATEWAY, DELIVERED, RECEIVED = 290, 292, 203, 200, 1500

STATUSES: Mapping[int, str] = {
    200: "Delivered to handset",
    201: "Transaction successfully completed, suspicious activity detected",
    203: "Delivered to gateway",
    207: "Error delivering SMS to handset (reason unknown)",
    210: "Temporary phone error",
    211: "Permanent phone error",
    220: "Gateway/network cannot route message",
    221: "Message expired before delivery",
    222: "SMS not supported",
    229: "Message blocked by customer request",
    230: "Message blocked by Telesign",
    231: "Invalid/unsupported",
    233: "Message blocked due to high risk score.",
    237: "Message blocked in requested country",
    238: "Destination blocked by prefix",
    250: "Final status unknown",
    251: "Message successfully sent out for delivery, however final confirmation of delivery to handset was not received.",
    286: "Transaction not attempted",
    290: "Message in progress",
    292: "Queued by gateway",
    500: "Transaction not attempted",
    501: "Not authorized",
    502: "Campaign error",
    503: "Carrier rejected - temporary problem",
    504: "Carrier rejected - permanent error",
    505: "Error on gateway - temporary error",
    506: "Error on gateway - permanent error",
    507: "Invalid destination address",
    508: "Invalid source address",
    509: "Parameters problem",
    510: "Message blocked by subscriber action or request",
    511: "Subscriber low on credit",
    512: "Roaming error",
    513: "Mobile number portability error",
    514: "Subscriber absent",
    515: "Suspected spam",
    517: "Selected DLT details for India not supported",
    518: "Message blocked due to high risk SIM swap indicator.",
    519: "Message not sent - requested SIM swap check could not be performed.",
    520: "Content sent is not allowed",
    521: "Requested Sender ID is not allowed for destination",
    1500: "Delivered to customer",
}

# Code: (HTTP status, text).
ERRORS: Mapping[int, tuple[int, str]] = {
    10000: (500, "System Unavailable, Please try again later."),
    10002: (401, "'x-ts-nonce' header value has been used recently"),
    10003: (401, "'x-ts-nonce' header value is either too long or too short"),
    10004: (401, "'Date' or 'x-ts-date' header is not within tolerable range"),
    10005: (401, "'Date' or 'x-ts-date' header is not RFC822 compliant"),
    10006: (401, "Invalid 'x-ts-auth-method' header."),
    10007: (401, "Missing required 'Date' or 'x-ts-date' header"),
    10008: (401, "Invalid Signature."),
    10009: (401, "Missing required 'Authorization' header"),
    10010: (401, "CustomerID Account Suspended"),
    10011: (401, "This product is not enabled for this CustomerID."),
    10014: (401, "Invalid source IP address."),
    10015: (401, "Invalid Customer ID."),
    10017: (404, "CustomerID/ReferenceID not found"),  # UNVERIFIED text
    10018: (405, "Method not allowed"),  # UNVERIFIED code
    10019: (429, "Rate Limit Exceeded"),
    10020: (429, "Generic messaging exceeded transaction hard cap. Request denied."),
    10022: (401, "Invalid API Key."),
    10028: (401, "Required 'Authorization' header is not in the correct format"),
    10030: (402, "Insufficient funds in prepaid wallet."),
    10031: (401, "Message blocked by customer request"),
    10032: (401, "Message blocked by TeleSign"),
    10033: (401, "{value} has not been verified for this trial account."),
    10035: (401, "The requested API host is not allowed for this CustomerID."),
    10036: (404, "Reference ID expired"),
    11000: (400, "Invalid value for parameter phone_number."),
    11001: (400, "Invalid country code for parameter phone_number."),
    11003: (400, "Invalid value for parameter account_lifecycle_event"),
    11004: (400, "Invalid value for parameter callback_url"),
    11009: (400, "Invalid value for parameter message."),
    11010: (400, "Invalid value for parameter originating_ip."),
    11011: (400, "Invalid value for parameter reference_id"),
    11013: (400, "Invalid value for parameter sender_id."),
    11016: (400, "Invalid value for parameter external_id"),
    11017: (400, "Invalid value for parameter message_type."),
    11034: (400, "Invalid value for parameter dlt_template_id"),
    11035: (400, "Invalid value for parameter dlt_entity_id"),
    12000: (400, "Missing Required Parameter phone_number"),
    12009: (400, "Missing Required Parameter message"),
    12017: (400, "Missing Required Parameter message_type"),
}


class TelesignError(Exception):
    """A request that is answered with an error; `code` is a key of ERRORS.

    `signature_string`: what the server built, which Telesign tells where a signature is wrong.
    """

    def __init__(self, code: int, *, value: str = "", signature_string: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.value = value
        self.signature_string = signature_string


def describe(code: int, value: str = "") -> str:
    """Return the text of a status or an error."""
    return STATUSES[code] if code in STATUSES else ERRORS[code][1].format(value=value)
