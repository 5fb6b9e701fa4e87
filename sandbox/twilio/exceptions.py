"""Twilio's refusals: code, HTTP status and wording, and the codes of failed deliveries.

Wording marked (recorded) was seen in published recordings of Twilio's answers, the rest follows the titles of its error
dictionary (twilio.com/docs/api/errors). HTTP statuses not seen in a recording are marked UNVERIFIED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MORE_INFO = "https://www.twilio.com/docs/errors/"


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str


REFUSALS: Mapping[int, Refusal] = {
    20001: Refusal(400, "Invalid parameter {name}: {value}"),  # UNVERIFIED status
    20003: Refusal(401, "Authenticate"),  # (recorded)
    20004: Refusal(405, "Method not allowed"),  # UNVERIFIED status
    20005: Refusal(401, "Account {sid} is not active"),  # UNVERIFIED status
    20007: Refusal(400, "Page size must be between 1 and 1000"),  # UNVERIFIED status
    20009: Refusal(409, "Cannot delete this resource before it is complete"),  # UNVERIFIED status
    20404: Refusal(404, "The requested resource {path} was not found"),  # (recorded)
    20429: Refusal(429, "Too Many Requests"),  # (recorded)
    20500: Refusal(500, "Internal Server Error"),
    20503: Refusal(503, "Service unavailable"),
    # Calls, numbers and services: UNVERIFIED statuses, wording after the dictionary's titles.
    21210: Refusal(
        400,
        "The source phone number provided, {sender}, is not yet verified for your account. You may only make calls from "
        "phone numbers that you've verified or purchased from Twilio.",
    ),
    21214: Refusal(400, "The phone number you are attempting to call, {to}, cannot be reached."),
    21215: Refusal(400, "Account not authorized to call {to}."),
    21216: Refusal(400, "Account not allowed to call {to}."),
    21217: Refusal(400, "The phone number you are attempting to call, {to}, is not valid."),
    21220: Refusal(400, "Invalid call state"),
    21401: Refusal(400, "Invalid phone number {number}"),
    21421: Refusal(400, "{number} is not a valid number"),
    21422: Refusal(400, "{number} is not available"),
    21450: Refusal(400, "Phone number already validated for your account"),
    21451: Refusal(400, "Invalid area code {area}"),
    21452: Refusal(400, "No phone numbers found in area code {area}"),
    21211: Refusal(400, "The 'To' number {to} is not a valid phone number."),  # (recorded)
    21212: Refusal(
        400, "The 'From' number {sender} is not a valid phone number, shortcode, or alphanumeric sender ID."
    ),  # (recorded)
    21408: Refusal(
        400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}."
    ),  # (recorded)
    21481: Refusal(400, "Invalid PageToken"),  # UNVERIFIED status
    21602: Refusal(400, "Message body is required."),  # (recorded)
    21603: Refusal(400, "A 'From' phone number is required."),  # (recorded)
    21604: Refusal(400, "A 'To' phone number is required."),
    21606: Refusal(
        400,
        "The From phone number {sender} is not a valid, SMS-capable inbound phone number or short code for your "
        "account.",
    ),  # (recorded)
    21608: Refusal(
        400,
        "The number {to} is unverified. Trial accounts cannot send messages to unverified numbers; verify {to} at "
        "twilio.com/user/account/phone-numbers/verified, or purchase a Twilio number to send messages to unverified "
        "numbers",
    ),  # (recorded)
    21609: Refusal(400, "The StatusCallback URL {url} is not a valid URL."),
    21610: Refusal(400, "Attempt to send to unsubscribed recipient"),
    21611: Refusal(429, "SMS queue is full."),  # (recorded)
    21612: Refusal(
        400,
        "The 'To' phone number: {to}, is not currently reachable using the 'From' phone number: {sender} via SMS.",
    ),  # (recorded)
    21614: Refusal(400, "To number: {to}, is not a mobile number"),  # (recorded)
    21617: Refusal(400, "The concatenated message body exceeds the 1600 character limit."),
    21620: Refusal(400, "Invalid media URL(s)"),
    21623: Refusal(400, "Number of media files exceeds allowed limit"),
    21624: Refusal(400, "The ValidityPeriod {value} is not a whole number from 1 to 36000"),
    21655: Refusal(400, "The ContentSid {value} is invalid"),
    21701: Refusal(404, "The Messaging Service {sid} does not exist"),
    21704: Refusal(400, "The Messaging Service contains no phone numbers"),
    21709: Refusal(400, "Invalid alphanumeric sender ID"),  # UNVERIFIED status
    21710: Refusal(409, "Phone Number or Short Code is already in the Messaging Service."),  # UNVERIFIED status
    21910: Refusal(400, "Invalid From and To pair. From and To should be of the same channel"),
    30409: Refusal(409, "This message cannot be canceled"),  # UNVERIFIED status
    35111: Refusal(400, "SendAt timestamp is missing"),
    35114: Refusal(400, "SendAt time must be between 900 seconds and 35 days in the future, inclusive"),
    35115: Refusal(400, "ScheduleType is missing"),  # UNVERIFIED code: the dictionary has no entry for it
    35118: Refusal(400, "MessagingServiceSid is required to schedule a message"),
    35126: Refusal(400, "The ScheduleType value provided is not supported for this channel"),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that did not succeed: the final status and the wording of `error_message`."""

    status: str
    message: str


# Code to outcome. Accepted by the carrier and lost after that is `undelivered`; never handed over is `failed`.
FAILURES: Mapping[int, Failure] = {
    30001: Failure("failed", "Queue overflow"),
    30002: Failure("failed", "Account suspended"),
    30003: Failure("undelivered", "Unreachable destination handset"),
    30004: Failure("undelivered", "Message blocked"),
    30005: Failure("undelivered", "Unknown destination handset"),
    30006: Failure("undelivered", "Landline or unreachable carrier"),
    30007: Failure("undelivered", "Message filtered"),
    30008: Failure("failed", "Unknown error"),
    30034: Failure("undelivered", "US A2P 10DLC - Message from an Unregistered Number"),
    30036: Failure("failed", "Validity Period Expired"),
    30410: Failure("failed", "Provider Timeout Error"),
}


class TwilioError(Exception):
    """A request that is answered with an error; `code` is a key of REFUSALS. The value `message` replaces its wording."""

    def __init__(self, code: int, /, **values: str) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


def error_body(code: int, values: Mapping[str, str] | None = None) -> dict[str, Any]:
    refusal = REFUSALS[code]
    return {
        "code": code,
        "message": (values or {}).get("message") or refusal.message.format_map(values or {}),
        "more_info": f"{MORE_INFO}{code}",
        "status": refusal.status,
    }
