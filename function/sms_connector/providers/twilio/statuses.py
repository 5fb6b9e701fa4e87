"""Twilio's vocabulary in ours: message statuses, error codes, consent keywords. Data and look-ups only.

Statuses: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values and the enum
`message_enum_status` of Twilio's OpenAPI document. The status decides first: Twilio may leave an `error_code` on a
message that is not failed.

Codes: Twilio's error dictionary (https://www.twilio.com/docs/api/errors), as listed in a public copy read on
2026-11-27; each at https://www.twilio.com/docs/errors/<code>; titles are Twilio's, long ones shortened. In July 2024
new ones split 21211, 21212, 21606 and 21614:
https://www.twilio.com/en-us/changelog/updates-to-the-error-code-dictionary-to-clarify-number-validatio
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.consent_words import ConsentWords
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.status import MessageStatus

STATUSES: Mapping[str, MessageStatus] = {
    "accepted": MessageStatus.ACCEPTED,  # a messaging service is still choosing the sender
    "scheduled": MessageStatus.SCHEDULED,
    "queued": MessageStatus.QUEUED,
    "sending": MessageStatus.SENDING,
    "sent": MessageStatus.SENT,  # the last status on routes without carrier receipts
    "partially_delivered": MessageStatus.SENT,  # some segments are still under way
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,  # channels with read receipts (WhatsApp, RCS)
    "undelivered": MessageStatus.UNDELIVERED,
    "failed": MessageStatus.FAILED,
    "canceled": MessageStatus.CANCELED,
}

# The statuses whose error code is a reason.
FAILED = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})


def to_status(raw_status: str) -> MessageStatus:
    """Return our status for Twilio's.

    One that Twilio may add says only that Twilio has the message: ACCEPTED, the lowest rank, so that it moves nothing
    backward and ends no tracking. (`receiving` and `received` are of inbound messages, never ours to report.)
    """
    return STATUSES.get(raw_status, MessageStatus.ACCEPTED)


class Meaning(NamedTuple):
    """The meaning of a code: the title is Twilio's, `retry` is the effect of sending the same again."""

    kind: ErrorKind
    title: str
    retry: RetrySafety = RetrySafety.NEVER


_SAFE, _UNKNOWN = RetrySafety.SAFE, RetrySafety.UNKNOWN_OUTCOME

CODES: Mapping[int, Meaning] = {
    # The account and its credentials (nothing was sent; what the operator fixes is safe to repeat then)
    20003: Meaning(ErrorKind.AUTHENTICATION, "Permission Denied", _SAFE),
    20005: Meaning(ErrorKind.ACCOUNT, "Account not active", _SAFE),
    20006: Meaning(ErrorKind.NOT_PERMITTED, "Access Denied"),
    20008: Meaning(ErrorKind.NOT_PERMITTED, "Test Credentials"),
    20010: Meaning(ErrorKind.ACCOUNT, "Action disabled for account", _SAFE),
    20151: Meaning(ErrorKind.AUTHENTICATION, "Authentication Failed", _SAFE),
    20403: Meaning(ErrorKind.NOT_PERMITTED, "403 Forbidden"),
    30002: Meaning(ErrorKind.ACCOUNT, "Account suspended", _SAFE),
    30037: Meaning(ErrorKind.ACCOUNT, "Outbound Messaging Disabled", _SAFE),
    30454: Meaning(ErrorKind.ACCOUNT, "Account exceeded the messages limit", _SAFE),
    63020: Meaning(ErrorKind.ACCOUNT, "Twilio encountered a Business Manager account error", _SAFE),
    63038: Meaning(ErrorKind.ACCOUNT, "Account exceeded the daily messages limit", _SAFE),
    10001: Meaning(ErrorKind.ACCOUNT, "Account is not active", _SAFE),
    63051: Meaning(ErrorKind.ACCOUNT, "WhatsApp Sender or Account is Locked", _SAFE),
    77701: Meaning(ErrorKind.ACCOUNT, "Account Not Ready", _SAFE),
    90010: Meaning(ErrorKind.ACCOUNT, "Account is not active", _SAFE),
    10002: Meaning(ErrorKind.NOT_PERMITTED, "Trial accounts do not support the feature you tried to use"),
    30700: Meaning(ErrorKind.NOT_PERMITTED, "Advanced messaging features are not available in this region"),
    63056: Meaning(ErrorKind.NOT_PERMITTED, "Ineligible account type"),
    63058: Meaning(ErrorKind.NOT_PERMITTED, "Business is restricted from messaging users in this country"),
    70051: Meaning(ErrorKind.NOT_PERMITTED, "Authorization Failed"),
    # The request
    20001: Meaning(ErrorKind.INVALID_REQUEST, "Unknown parameters"),
    20004: Meaning(ErrorKind.INVALID_REQUEST, "Method not allowed"),
    20007: Meaning(ErrorKind.INVALID_REQUEST, "Page size too large"),
    20009: Meaning(ErrorKind.INVALID_REQUEST, "Cannot delete this resource before it is complete"),
    20404: Meaning(ErrorKind.NOT_FOUND, "Not Found"),
    20409: Meaning(ErrorKind.INVALID_REQUEST, "Conflict"),
    20410: Meaning(ErrorKind.NOT_FOUND, "Resource is gone"),
    20412: Meaning(ErrorKind.INVALID_REQUEST, "Precondition Failed"),
    20413: Meaning(ErrorKind.INVALID_REQUEST, "Request Entity Too Large"),
    20422: Meaning(ErrorKind.INVALID_REQUEST, "Invalid Parameter"),
    20423: Meaning(ErrorKind.INVALID_REQUEST, "Invalid SID"),
    20426: Meaning(ErrorKind.INVALID_REQUEST, "Upgrade Required"),
    21218: Meaning(ErrorKind.INVALID_REQUEST, "Invalid ApplicationSid"),
    21609: Meaning(ErrorKind.INVALID_REQUEST, "Invalid 'StatusCallback'"),
    21624: Meaning(ErrorKind.INVALID_REQUEST, "Invalid validity period value"),
    21627: Meaning(ErrorKind.INVALID_REQUEST, "Max Price must be a valid float"),
    21654: Meaning(ErrorKind.INVALID_REQUEST, "ContentSid Required"),
    21655: Meaning(ErrorKind.INVALID_REQUEST, "The ContentSid is Invalid"),
    21656: Meaning(ErrorKind.INVALID_REQUEST, "The ContentVariables Parameter is invalid"),
    21658: Meaning(ErrorKind.INVALID_REQUEST, "Parameter exceeded character limit"),
    21902: Meaning(ErrorKind.INVALID_REQUEST, "InvoiceTag length must be between 0 and 32"),
    30015: Meaning(ErrorKind.INVALID_REQUEST, "Non-supported channel type is used"),
    30028: Meaning(ErrorKind.INVALID_REQUEST, "Invalid API version"),
    30400: Meaning(ErrorKind.INVALID_REQUEST, "Parameters are not valid"),
    30404: Meaning(ErrorKind.NOT_FOUND, "Not Found"),
    35126: Meaning(ErrorKind.INVALID_REQUEST, "The ScheduleType value provided is not supported for this channel"),
    90001: Meaning(ErrorKind.NOT_FOUND, "Message SID is invalid"),
    90011: Meaning(ErrorKind.NOT_FOUND, "MessageSid is invalid"),
    90014: Meaning(ErrorKind.INVALID_REQUEST, "Validity Period should be positive integer"),
    30012: Meaning(ErrorKind.INVALID_REQUEST, "TTL is too small"),
    30013: Meaning(ErrorKind.INVALID_REQUEST, "TTL is too big"),
    30409: Meaning(ErrorKind.INVALID_REQUEST, "This message cannot be canceled"),
    35111: Meaning(ErrorKind.INVALID_REQUEST, "SendAt timestamp is missing"),
    35114: Meaning(ErrorKind.INVALID_REQUEST, "Scheduling does not support this timestamp"),
    35115: Meaning(ErrorKind.INVALID_REQUEST, "Scheduling does not support this timestamp"),
    35117: Meaning(ErrorKind.INVALID_REQUEST, "Scheduling does not support this timestamp"),
    35118: Meaning(ErrorKind.INVALID_REQUEST, "MessagingServiceSid is required to schedule a message"),
    35125: Meaning(ErrorKind.RATE_LIMITED, "Maximum limit reached in the account for scheduling messages", _SAFE),
    90007: Meaning(ErrorKind.INVALID_REQUEST, "Invalid validity period value"),
    63030: Meaning(ErrorKind.INVALID_REQUEST, "Unsupported parameter for type of channels message"),
    # The recipient
    21211: Meaning(ErrorKind.INVALID_RECIPIENT, "Invalid 'To' Phone Number"),
    21217: Meaning(ErrorKind.INVALID_RECIPIENT, "Phone number does not appear to be valid"),
    21265: Meaning(ErrorKind.INVALID_RECIPIENT, "'To' number cannot be a Short Code"),
    21266: Meaning(ErrorKind.INVALID_RECIPIENT, "'To' and 'From' number cannot be the same"),
    21268: Meaning(
        ErrorKind.INVALID_RECIPIENT, "Sending to Premium rate or Information Service numbers is not allowed"
    ),
    21401: Meaning(ErrorKind.INVALID_RECIPIENT, "Invalid Phone Number"),
    21604: Meaning(ErrorKind.INVALID_RECIPIENT, "The destination 'To' phone number is required to send an SMS"),
    21614: Meaning(ErrorKind.LANDLINE, "'To' number is not a valid mobile number"),
    21635: Meaning(ErrorKind.LANDLINE, "'To' number cannot be a landline"),
    21653: Meaning(ErrorKind.INVALID_RECIPIENT, "There are more recipient addresses than allowed"),
    30014: Meaning(ErrorKind.INVALID_RECIPIENT, "'To' attributes are Invalid"),
    63003: Meaning(ErrorKind.INVALID_RECIPIENT, "Channel could not find To address"),
    63024: Meaning(ErrorKind.INVALID_RECIPIENT, "Invalid message recipient"),
    21610: Meaning(ErrorKind.OPTED_OUT, "Attempt to send to unsubscribed recipient"),
    30630: Meaning(ErrorKind.OPTED_OUT, "Attempt to send to unsubscribed recipient"),
    63033: Meaning(ErrorKind.OPTED_OUT, "Recipient opted out to receive message"),
    21408: Meaning(ErrorKind.NOT_PERMITTED, "Message blocked: permissions disabled for the destination region"),
    21608: Meaning(ErrorKind.NOT_PERMITTED, "The 'to' phone number provided is not yet verified for this account"),
    21219: Meaning(ErrorKind.NOT_PERMITTED, "'To' phone number not verified"),
    21612: Meaning(ErrorKind.UNREACHABLE, "Message cannot be sent with the current combination of 'To' and/or 'From'"),
    21214: Meaning(ErrorKind.UNREACHABLE, "'To' phone number cannot be reached"),
    63036: Meaning(ErrorKind.UNREACHABLE, "The specified phone number cannot be reached using RCS at this time"),
    # The sender
    14102: Meaning(ErrorKind.INVALID_SENDER, "Invalid 'From' attribute"),
    21267: Meaning(
        ErrorKind.INVALID_SENDER, "Alphanumeric Sender ID cannot be used as the 'From' number on trial accounts"
    ),
    21212: Meaning(ErrorKind.INVALID_SENDER, "Invalid 'From' Number"),
    21210: Meaning(ErrorKind.INVALID_SENDER, "'From' phone number not verified"),
    21264: Meaning(ErrorKind.INVALID_SENDER, "'From' phone number not verified"),
    21601: Meaning(ErrorKind.INVALID_SENDER, "Phone number is not a valid SMS-capable inbound phone number"),
    21603: Meaning(
        ErrorKind.INVALID_SENDER, "A 'From' or 'MessagingServiceSid' parameter is required to send a message"
    ),
    21606: Meaning(
        ErrorKind.INVALID_SENDER, "'From' number is not a valid message-capable Twilio number for this account"
    ),
    21607: Meaning(
        ErrorKind.INVALID_SENDER, "The 'from' phone number must be the sandbox phone number for trial accounts"
    ),
    21616: Meaning(ErrorKind.INVALID_SENDER, "The 'From' number matches multiple numbers for your account"),
    21621: Meaning(ErrorKind.INVALID_SENDER, "The 'From' number has not been enabled for MMS"),
    21657: Meaning(ErrorKind.INVALID_SENDER, "The Sender ID is invalid"),
    21659: Meaning(ErrorKind.INVALID_SENDER, "'From' is not a Twilio phone number or Short Code country mismatch"),
    21660: Meaning(ErrorKind.INVALID_SENDER, "Mismatch between the 'From' number and the account"),
    21661: Meaning(ErrorKind.INVALID_SENDER, "'From' number is not SMS-capable"),
    21662: Meaning(ErrorKind.INVALID_SENDER, "Current combination of 'From' and 'To' cannot be used in Ireland region"),
    21663: Meaning(ErrorKind.INVALID_SENDER, "'From' phone number routing configuration is incorrect"),
    21668: Meaning(
        ErrorKind.INVALID_SENDER, "Phone number type is not supported for messaging in the Ireland (IE1) region"
    ),
    21701: Meaning(ErrorKind.INVALID_SENDER, "The Messaging Service does not exist"),
    21702: Meaning(ErrorKind.INVALID_SENDER, "The Messaging Service is not available to send new messages"),
    21703: Meaning(ErrorKind.INVALID_SENDER, "The Messaging Service does not have a phone number available"),
    21704: Meaning(ErrorKind.INVALID_SENDER, "The Messaging Service contains no phone numbers"),
    21705: Meaning(ErrorKind.INVALID_SENDER, "The Messaging Service is invalid"),
    21709: Meaning(ErrorKind.INVALID_SENDER, "Alpha Sender ID is Invalid or Not Authorized for this Messaging Service"),
    21711: Meaning(ErrorKind.INVALID_SENDER, "Sender is not associated with the specified Messaging Service"),
    21712: Meaning(ErrorKind.INVALID_SENDER, "Phone Number or Short Code is associated with another Messaging Service"),
    21910: Meaning(
        ErrorKind.INVALID_SENDER, "Invalid 'From' and 'To' pair. 'From' and 'To' should be of the same channel"
    ),
    30016: Meaning(ErrorKind.INVALID_SENDER, "'To' and 'From' channel types are incompatible"),
    30018: Meaning(ErrorKind.INVALID_SENDER, "Destination carrier requires sender ID pre-registration"),
    30024: Meaning(ErrorKind.INVALID_SENDER, "Numeric Sender ID Not Provisioned on Carrier"),
    30032: Meaning(ErrorKind.INVALID_SENDER, "Toll-Free Number Has Not Been Verified"),
    30033: Meaning(ErrorKind.INVALID_SENDER, "US A2P 10DLC - Campaign Suspended"),
    30034: Meaning(ErrorKind.INVALID_SENDER, "US A2P 10DLC - Message from an Unregistered Number"),
    30035: Meaning(ErrorKind.INVALID_SENDER, "US A2P 10DLC - Message from a number still being configured", _SAFE),
    30040: Meaning(ErrorKind.INVALID_SENDER, "Destination carrier requires Sender ID pre-registration"),
    30041: Meaning(
        ErrorKind.INVALID_SENDER, "Sender is restricted or unregistered in a country requiring registration"
    ),
    30042: Meaning(ErrorKind.INVALID_SENDER, "Alphanumeric Sender ID is generic or unauthorized for this account"),
    30043: Meaning(ErrorKind.INVALID_SENDER, "International SMS via Domestic Gateway"),
    63001: Meaning(ErrorKind.INVALID_SENDER, "Channel authentication failed"),
    63002: Meaning(ErrorKind.INVALID_SENDER, "Channel could not find the From address"),
    63007: Meaning(ErrorKind.INVALID_SENDER, "Twilio could not find a Channel with the specified 'From' address"),
    63008: Meaning(ErrorKind.INVALID_SENDER, "Request failed: channel module misconfigured"),
    63022: Meaning(ErrorKind.INVALID_SENDER, "Invalid vname certificate"),
    63031: Meaning(ErrorKind.INVALID_SENDER, "Channels message cannot have same From and To"),
    63059: Meaning(ErrorKind.INVALID_SENDER, "Phone number migrated to a different WhatsApp Business Account"),
    # The content
    14103: Meaning(ErrorKind.INVALID_MESSAGE, "Invalid Body"),
    21602: Meaning(ErrorKind.INVALID_MESSAGE, "Message body is required"),
    21605: Meaning(ErrorKind.INVALID_MESSAGE, "Maximum body length is 160 characters"),
    21617: Meaning(ErrorKind.INVALID_MESSAGE, "The concatenated message body exceeds the 1600 character limit"),
    21618: Meaning(ErrorKind.INVALID_MESSAGE, "The message body cannot be sent"),
    21619: Meaning(ErrorKind.INVALID_MESSAGE, "A Message Body, Media URL or Content SID is required"),
    21620: Meaning(ErrorKind.INVALID_MESSAGE, "Invalid media URL(s)"),
    21622: Meaning(ErrorKind.INVALID_MESSAGE, "MMS has not been enabled for your account"),
    21623: Meaning(ErrorKind.INVALID_MESSAGE, "Number of media files exceeds allowed limit"),
    11751: Meaning(ErrorKind.INVALID_MESSAGE, "Media Message - Media exceeds messaging provider size limit"),
    30011: Meaning(ErrorKind.INVALID_MESSAGE, "MMS not supported by the receiving phone number in this region"),
    30019: Meaning(ErrorKind.INVALID_MESSAGE, "Content size exceeds carrier limit"),
    21652: Meaning(ErrorKind.INVALID_MESSAGE, "Maximum subject length is 40 characters"),
    30044: Meaning(ErrorKind.INVALID_MESSAGE, "Trial Message Length Exceeded"),
    63005: Meaning(ErrorKind.INVALID_MESSAGE, "Channel rejected content"),
    63016: Meaning(ErrorKind.INVALID_MESSAGE, "Outside messaging window. For WhatsApp, use a Message Template instead"),
    63006: Meaning(ErrorKind.INVALID_MESSAGE, "Content could not be formatted for this channel"),
    63011: Meaning(
        ErrorKind.INVALID_REQUEST, "Invalid Request: Twilio encountered an error while processing your request"
    ),
    63019: Meaning(ErrorKind.INVALID_MESSAGE, "Media failed to download"),
    63021: Meaning(ErrorKind.INVALID_MESSAGE, "Channel invalid content error"),
    63027: Meaning(ErrorKind.INVALID_MESSAGE, "Template does not exist for a language and locale"),
    63028: Meaning(
        ErrorKind.INVALID_MESSAGE, "Number of parameters provided does not match the expected number of parameters"
    ),
    63034: Meaning(ErrorKind.INVALID_MESSAGE, "Media exceeds size limit"),
    63040: Meaning(ErrorKind.INVALID_MESSAGE, "Template Rejected"),
    63041: Meaning(ErrorKind.INVALID_MESSAGE, "Template paused"),
    63042: Meaning(ErrorKind.INVALID_MESSAGE, "Template disabled"),
    63054: Meaning(ErrorKind.INVALID_MESSAGE, "Template unavailable for use"),
    63055: Meaning(ErrorKind.INVALID_MESSAGE, "Only marketing messages supported on MM Lite API"),
    216602: Meaning(ErrorKind.INVALID_MESSAGE, "Content Type is not supported on this channel"),
    # Too much, too fast; sending the same again later is what Twilio advises
    14107: Meaning(ErrorKind.RATE_LIMITED, "SMS send rate limit exceeded", _SAFE),
    20429: Meaning(ErrorKind.RATE_LIMITED, "Too Many Requests", _SAFE),
    21611: Meaning(
        ErrorKind.QUEUE_FULL, "This 'From' number has exceeded the maximum number of queued messages", _SAFE
    ),
    30001: Meaning(ErrorKind.QUEUE_FULL, "Queue overflow", _SAFE),
    21730: Meaning(ErrorKind.UNAVAILABLE, "System under maintenance. Please try again later.", _SAFE),
    30017: Meaning(ErrorKind.UNAVAILABLE, "Carrier network congestion", _SAFE),
    30020: Meaning(ErrorKind.UNAVAILABLE, "Internal Failure with Message Scheduling", _SAFE),
    30021: Meaning(ErrorKind.UNAVAILABLE, "Internal Failure with messaging service orchestrator", _SAFE),
    30500: Meaning(ErrorKind.UNAVAILABLE, "Twilio Internal Error", _SAFE),
    30022: Meaning(ErrorKind.RATE_LIMITED, "US A2P 10DLC - Rate Limits Exceeded", _SAFE),
    30023: Meaning(ErrorKind.RATE_LIMITED, "US A2P 10DLC - Daily Message Cap Reached", _SAFE),
    30027: Meaning(ErrorKind.RATE_LIMITED, "US A2P 10DLC - T-Mobile Daily Message Limit Reached", _SAFE),
    63017: Meaning(ErrorKind.RATE_LIMITED, "Rate limit exceeded", _SAFE),
    63018: Meaning(ErrorKind.RATE_LIMITED, "Rate limit exceeded for Channel", _SAFE),
    63053: Meaning(ErrorKind.UNAVAILABLE, "Template sync can take up to 10 minutes. Wait, then retry", _SAFE),
    # Delivery
    30003: Meaning(ErrorKind.UNREACHABLE, "Unreachable destination handset", _SAFE),
    30004: Meaning(ErrorKind.BLOCKED, "Message blocked"),
    30005: Meaning(ErrorKind.UNREACHABLE, "Unknown destination handset"),
    30006: Meaning(ErrorKind.LANDLINE, "Landline or unreachable carrier"),
    30007: Meaning(ErrorKind.BLOCKED, "Message filtered"),
    30008: Meaning(ErrorKind.DELIVERY, "Unknown error", _UNKNOWN),  # the carrier gave no reason: it may have arrived
    30038: Meaning(ErrorKind.BLOCKED, "OTP Message Body Filtered"),
    30010: Meaning(ErrorKind.DELIVERY, "Message price exceeds max price"),
    30036: Meaning(ErrorKind.EXPIRED, "Validity Period Expired", _SAFE),  # Twilio did not send it
    # "Messages are failed and not retried to avoid duplicate message delivery" (errors/30410)
    30410: Meaning(ErrorKind.TIMEOUT, "Provider Timeout Error", _UNKNOWN),
    30046: Meaning(ErrorKind.DELIVERY, "Message delivery not confirmed", _UNKNOWN),
    20500: Meaning(ErrorKind.UNAVAILABLE, "Internal Server Error", _UNKNOWN),
    20503: Meaning(ErrorKind.UNAVAILABLE, "Service unavailable", _UNKNOWN),
    20504: Meaning(ErrorKind.UNAVAILABLE, "Twilio Internal Error", _UNKNOWN),
    30450: Meaning(ErrorKind.BLOCKED, "Message delivery blocked"),  # SMS pumping protection
    30485: Meaning(ErrorKind.DELIVERY, "Message couldn't be delivered"),
    30453: Meaning(ErrorKind.DELIVERY, "Message couldn't be delivered"),
    30610: Meaning(ErrorKind.DELIVERY, "Message couldn't be delivered"),
    30615: Meaning(ErrorKind.DELIVERY, "Message couldn't be delivered"),
    30620: Meaning(ErrorKind.DELIVERY, "Message couldn't be delivered"),
    30640: Meaning(ErrorKind.DELIVERY, "Message couldn't be delivered"),
    63023: Meaning(ErrorKind.DELIVERY, "Channel generic error"),
    63029: Meaning(ErrorKind.DELIVERY, "The receiver failed to download the template"),
    63035: Meaning(ErrorKind.NOT_PERMITTED, "The RCS sender does not have permission to send to this recipient"),
    63009: Meaning(ErrorKind.UNAVAILABLE, "Channel provider returned HTTP 5xx error", _UNKNOWN),
    63010: Meaning(ErrorKind.UNAVAILABLE, "Twilio encountered an internal error processing this message", _UNKNOWN),
    63012: Meaning(ErrorKind.UNAVAILABLE, "Channel provider returned an internal service error", _UNKNOWN),
    63013: Meaning(ErrorKind.BLOCKED, "Channel policy violation"),
    63014: Meaning(ErrorKind.BLOCKED, "Channel message blocked by user action"),
    63026: Meaning(ErrorKind.BLOCKED, "Channel sender content flagged as spam"),
    63049: Meaning(ErrorKind.BLOCKED, "Meta chose not to deliver this WhatsApp marketing message"),
    63050: Meaning(ErrorKind.BLOCKED, "WhatsApp User Opted Out of Receiving Marketing Messages"),
    63015: Meaning(
        ErrorKind.NOT_PERMITTED, "Channel Sandbox can only send to phone numbers that have joined the Sandbox"
    ),
    63032: Meaning(ErrorKind.BLOCKED, "We cannot send this message to this user because of a WhatsApp limitation"),
}

# What a code we don't know means, by the HTTP status it came with.
_BY_HTTP_STATUS: Mapping[int, Meaning] = {
    401: Meaning(ErrorKind.AUTHENTICATION, "Unauthorized", _SAFE),
    403: Meaning(ErrorKind.NOT_PERMITTED, "Forbidden"),
    404: Meaning(ErrorKind.NOT_FOUND, "Not Found"),
    429: Meaning(ErrorKind.RATE_LIMITED, "Too Many Requests", _SAFE),
}
_OTHER = Meaning(ErrorKind.OTHER, "error")
_DELIVERY = Meaning(ErrorKind.DELIVERY, "Twilio gave no reason")


def refusal(code: int | str | None, http_status: int) -> Meaning:
    """Return what a refusal means: by its code, else by its HTTP status."""
    return CODES.get(to_number(code), _BY_HTTP_STATUS.get(http_status, _OTHER))


def delivery_failure(status: MessageStatus, code: int | str | None, message: str | None) -> FailureReason | None:
    """Return why a message was not delivered; None where its status is not a failure, whatever its error code.

    Callbacks carry the code without its text: the title stands in then. `more_info` is where Twilio documents the code.
    """
    if status not in FAILED:
        return None
    number = to_number(code)
    meaning = CODES.get(number, _DELIVERY)
    return FailureReason(
        "provider",
        meaning.kind,
        message or (meaning.title if number in CODES or not code else f"Twilio error {code}"),
        code=number or code or None,
        more_info=f"https://www.twilio.com/docs/errors/{number}" if number else None,
        retry=meaning.retry,
    )


def to_number(value: object) -> int:
    """Return a code or count as a number; 0 where there is none. Callbacks send text where the REST API sends
    numbers."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
    return value if isinstance(value, int) else 0


# What Twilio itself takes as consent keywords: the whole message, any case (toll-free: only START and UNSTOP opt in).
# https://help.twilio.com/articles/223134027-Twilio-support-for-opt-out-keywords-SMS-STOP-filtering-
CONSENT_WORDS = ConsentWords(
    stop=("STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"),
    start=("START", "YES", "UNSTOP"),
    help=("HELP", "INFO"),
    # https://help.twilio.com/articles/360058144374: the network blocks at a toll-free number, and only these two lift
    # it.
    start_by_kind={SenderKind.TOLL_FREE: ("START", "UNSTOP")},
)
