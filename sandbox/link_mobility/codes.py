"""LINK's numbers: result codes of messages, and error codes of calls.

SMS REST API MT/DLR 1.18 ("Result Codes", "Error Result Codes") and Common Gate API 1.2 ("Error Codes"), from LINK's
developer pages, https://www.linkmobility.com/developer/; copies: https://github.com/deveel/deveel.lm.client (docs/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

QUEUED, DELIVERED, EXPIRED, NOT_DELIVERED = 1005, 1001, 1002, 1006


@dataclass(frozen=True, slots=True)
class Result:
    """`status`: what a message with this code is, for a witness. `final`: nothing follows."""

    text: str
    status: str = "failed"
    final: bool = True


RESULTS: Mapping[int, Result] = {
    0: Result("Unknown error"),
    1: Result("Temporary routing error"),
    2: Result("Permanent routing error"),
    3: Result("Maximum throttling exceeded"),
    4: Result("Timeout", "unknown"),
    5: Result("Operator unknown error", "unknown"),
    6: Result("Operator error"),
    104: Result("Configuration error"),
    105: Result("Internal error (internal Link Mobility error)"),
    1000: Result("Sent (to operator)", "sent", final=False),
    1001: Result("Billed and delivered", "delivered"),
    1002: Result("Expired", "undelivered"),
    1003: Result("Deleted", "undelivered"),
    1004: Result("Mobile full", "undelivered"),
    1005: Result("Queued", "queued", final=False),
    1006: Result("Not delivered", "undelivered"),
    1007: Result("Delivered, Billed delayed", "delivered", final=False),
    1008: Result("Billed OK", "queued", final=False),
    1009: Result("Billed OK and NOT Delivered", "undelivered"),
    1010: Result("Expired, absence of operator delivery report", "unknown"),
    1011: Result("Billed OK and sent (to operator)", "sent", final=False),
    1012: Result("Delayed (temporary billing error, system will try to resend)", "queued", final=False),
    1013: Result("Message sent to operator, Bill delayed", "sent", final=False),
    2000: Result("Invalid source"),
    2001: Result("Source shortnumber not supported"),
    2002: Result("Source alpha not supported"),
    2003: Result("Source MSISDN not supported"),
    2100: Result("Destination shortnumber not supported"),
    2101: Result("Destination alpha not supported"),
    2102: Result("Destination MSISDN not supported"),
    2103: Result("Operation blocked"),
    2104: Result("Unknown subscriber", "undelivered"),
    2105: Result("Destination blocked (subscriber permanently barred)", "undelivered"),
    2106: Result("Number error"),
    2107: Result("Destination temporarily blocked (subscriber temporarily barred)", "undelivered"),
    2200: Result("Charging error"),
    2201: Result("Subscriber has low balance"),
    2202: Result("Subscriber barred for overcharged (premium) messages"),
    2203: Result("Subscriber too young (for this particular content)"),
    2204: Result("Prepaid subscriber not allowed"),
    2205: Result("Service rejected by subscriber"),
    2206: Result("Subscriber not registered in payment system"),
    2207: Result("Subscriber has reached max balance"),
    3000: Result("GSM encoding is not supported"),
    3001: Result("UCS2 encoding is not supported"),
    3002: Result("Binary encoding is not supported"),
    4000: Result("Delivery report is not supported"),
    4001: Result("Invalid message content"),
    4002: Result("Invalid tariff"),
    4003: Result("Invalid user data"),
    4004: Result("Invalid user data header"),
    4005: Result("Invalid data coding"),
    4006: Result("Invalid VAT"),
    4007: Result("Unsupported content for destination"),
}

# Code of a call → HTTP status and wording.
ERRORS: Mapping[int, tuple[int, str]] = {
    103100: (401, "INVALID_AUTHENTICATION"),
    103101: (403, "ACCESS_DENIED"),
    103300: (400, "MISSING_PARAMETERS"),
    103302: (400, "INVALID_GATE"),
    103304: (404, "GATE_NOT_FOUND"),
    106000: (400, "Unknown Error. Please contact Support and include your whole transaction."),
    106100: (401, "Invalid authentication. Please check your username and password."),
    106101: (403, "Access denied. Please check your username and password."),
    106200: (400, "Invalid or missing platformId. Please check your platformId."),
    106201: (400, "Invalid or missing platformPartnerId. Please check your platformPartnerId."),
    106300: (400, "No gates available. Please contact Support and include your whole transaction."),
    106301: (400, "Specified gate unavailable. Please check your gateId."),
}


class LinkError(Exception):
    """A call that is refused whole; `code` is a key of ERRORS, or of RESULTS where a single message is refused."""

    def __init__(self, code: int, *, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        known, self.text = ERRORS[code] if code in ERRORS else (400, RESULTS[code].text)
        self.status = status or known
