"""Twilio's wire: forms out, JSON documents in. Pure functions; only this module knows the REST API's field names.

Source: Twilio's OpenAPI document (github.com/twilio/twilio-oai, spec/json/twilio_api_v2010.json).

Whose an answer is:

    | answer                                  | means                                                               |
    |-----------------------------------------|---------------------------------------------------------------------|
    | 2xx with a message SID                  | taken                                                               |
    | 2xx without one                         | outcome unknown: something took it                                  |
    | 3xx but 303                             | not sent: the base URL is not the API                               |
    | 4xx with Twilio's own error document    | refused by Twilio, verbatim; 429: repeated first, unless its code   |
    |                                         | says that waiting a moment does not help (63038)                    |
    | 5xx with one whose code is a refusal    | refused by Twilio, verbatim                                         |
    | 4xx without it, its status a refusal    | not sent: a proxy or gateway answered in its place                  |
    | any other (303, 408, 409, 5xx, …)       | outcome unknown                                                     |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, ProviderRefused
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage, text_digest
from sms_connector.provider import ReportPage, ReportQuery, SendReceipt
from sms_connector.providers.common import not_from_provider
from sms_connector.providers.twilio.statuses import CODES, delivery_failure, refusal, to_number, to_status
from sms_connector.transport.http import HttpResponse, Verdict

T = TypeVar("T")

# How Twilio is to deliver a status callback: three retries instead of one, after a connection or read time-out or an
# answer other than 2xx. The fragment is for Twilio only; it never reaches us.
# https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
CALLBACK_OPTIONS = "#rc=3&rp=all"

DEFAULT_BASE_URL = "https://api.twilio.com"
PAGE_SIZE = 1000
MESSAGE_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")
POOL_SID = re.compile(r"MG[0-9a-fA-F]{32}")

# A trial account's texts get this in front. https://help.twilio.com/articles/223136107
TRIAL_PREFIX = "Sent from your Twilio trial account - "


class MessageDocument(msgspec.Struct, frozen=True):
    """A Message resource, as far as it is read."""

    sid: str
    status: str | None = None
    direction: str | None = None
    to: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    pool: str | None = msgspec.field(name="messaging_service_sid", default=None)
    body: str | None = None
    num_segments: str | int | None = None
    error_code: int | str | None = None
    error_message: str | None = None
    num_media: str | int | None = None
    date_created: str | None = None
    date_sent: str | None = None
    date_updated: str | None = None


class ReceiptDocument(msgspec.Struct, frozen=True):
    """The answer to a send. Only a missing SID is an error; nothing else may cost us the receipt."""

    sid: Any = None
    status: Any = None
    num_segments: Any = None
    error_code: Any = None
    error_message: Any = None


class ListDocument(msgspec.Struct, frozen=True):
    """One page of the Messages list."""

    messages: list[MessageDocument]
    next_page_uri: str | None = None


class AccountDocument(msgspec.Struct, frozen=True):
    """An Account resource: `status` is active, suspended or closed, `type` Trial or Full."""

    status: str | None = None
    type: str | None = None


class ErrorDocument(msgspec.Struct, frozen=True):
    """Twilio's own error: `message` and `status` always, `code` and `more_info` where there is a code."""

    message: str
    code: int | str | None = None
    more_info: str | None = None
    status: int | None = None


# Kinds of refusals that a moment's patience may end, and those that may have come after the message was taken.
_LATER = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE})
_OPEN = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.DELIVERY, ErrorKind.OTHER})

_receipt = msgspec.json.Decoder(ReceiptDocument)
_error = msgspec.json.Decoder(ErrorDocument)
message_decoder = msgspec.json.Decoder(MessageDocument)
list_decoder = msgspec.json.Decoder(ListDocument)
account_decoder = msgspec.json.Decoder(AccountDocument)


# --- out --------------------------------------------------------------------------------------------------------------


def api_root(base_url: str) -> str:
    """Return the base URL with the version segment, whether it came with it or without."""
    return base_url.rstrip("/").removesuffix("/2010-04-01") + "/2010-04-01"


def send_form(message: OutboundMessage) -> bytes:
    """Return the form that creates the message. A field without a value is not sent: Twilio reads an empty one as a
    value."""
    sender = "MessagingServiceSid" if POOL_SID.fullmatch(message.sender) else "From"
    fields = [("To", message.to), (sender, message.sender)]
    if message.text:
        fields.append(("Body", message.text))
    fields += [("MediaUrl", url) for url in message.media_urls]
    if message.callback_url:
        fields.append(("StatusCallback", message.callback_url + CALLBACK_OPTIONS))
    if message.validity_seconds:
        fields.append(("ValidityPeriod", str(message.validity_seconds)))
    if message.send_at:
        at = message.send_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields += [("ScheduleType", "fixed"), ("SendAt", at)]
    return urlencode(fields).encode("ascii")


def list_query(query: ReportQuery) -> str:
    """Return the query string of the first page.

    Without `DateSent>`: a message that was not sent yet has no such date, and it is one of those we look for. The list
    comes by that date, newest first, instead, and `read_page` ends it at `query.since`. A pool can't be asked for:
    `From` is the number it chose.
    """
    fields = [("PageSize", str(PAGE_SIZE))]
    if query.to:
        fields.append(("To", query.to))
    if query.sender and not POOL_SID.fullmatch(query.sender):
        fields.append(("From", query.sender))
    return urlencode(fields)


# --- in ---------------------------------------------------------------------------------------------------------------


def read_receipt(response: HttpResponse) -> SendReceipt:
    """Return the receipt in a 2xx. Raises OutcomeUnknown when there is none."""
    try:
        document = _receipt.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OutcomeUnknown(f"Twilio answered {response.status} with a body that can't be read: {error}") from None
    if not isinstance(document.sid, str) or not MESSAGE_SID.fullmatch(document.sid):
        raise OutcomeUnknown(f"Twilio answered {response.status} without a message SID (SM or MM and 32 hex digits)")
    raw_status = document.status if isinstance(document.status, str) else ""
    status = to_status(raw_status)
    message = document.error_message if isinstance(document.error_message, str) else None
    failure = delivery_failure(status, to_number(document.error_code), message)
    return SendReceipt(document.sid, status, raw_status, _segments(document.num_segments), failure)


def read_report(document: MessageDocument, *, pool: str | None = None) -> DeliveryReport:
    """Return one message as Twilio knows it. Its sender is `pool` where it went out by that pool, else the number."""
    raw_status = document.status or ""
    status = to_status(raw_status)
    return DeliveryReport(
        document.sid,
        status,
        raw_status,
        failure=delivery_failure(status, document.error_code, document.error_message),
        to=document.to,
        sender=pool if pool and document.pool == pool else document.sender or document.pool,
        text_digest=_digest(document.body),
        media=to_number(document.num_media) or None,
        segments=_segments(document.num_segments),
        created_at=read_time(document.date_created),
        updated_at=read_time(document.date_updated),
    )


def read_page(response: HttpResponse, query: ReportQuery) -> ReportPage:
    """Return one page of the list: what we sent since `query.since`, and the next page's query string while it may hold
    more.

    Twilio's dates have no fractions, so neither has the comparison. The list is sorted by the date of sending: one that
    was scheduled long before stands among the latest, so the list goes on until a message was made and sent before
    `query.since`. Only the query string of `next_page_uri` is followed, on our own base URL: an answer can't send us,
    and our credentials, anywhere else.
    """
    page = decode(list_decoder, response, repeatable=True)
    pool = query.sender if query.sender and POOL_SID.fullmatch(query.sender) else None
    since = query.since.replace(microsecond=0)
    found = [read_report(document, pool=pool) for document in page.messages if _is_ours(document, pool)]
    reports = [report for report in found if report.created_at is None or report.created_at >= since]
    ended = not page.next_page_uri or not page.messages or _is_older(page.messages, since)
    return ReportPage(reports, None if ended else _next_query(page.next_page_uri or ""))


def _is_older(documents: Sequence[MessageDocument], since: datetime) -> bool:
    """Return whether the list has come to what was made and sent before `since`: by the last of those with a date of
    sending."""
    for document in reversed(documents):
        sent, created = read_time(document.date_sent), read_time(document.date_created)
        if sent is not None and created is not None:
            return max(sent, created) < since
    return False


def _is_ours(document: MessageDocument, pool: str | None) -> bool:
    return document.direction != "inbound" and (pool is None or document.pool == pool)


def _next_query(uri: str) -> str:
    """Decode and encode the next page's query: what Twilio wrote never reaches the request line as it is."""
    query = urlencode(parse_qsl(uri.partition("?")[2], keep_blank_values=True))
    if not query:
        raise NotSent("Twilio's list names a next page that has no query string; it can't be followed")
    return query


def read_refusal(response: HttpResponse) -> ErrorDocument | None:
    """Return Twilio's own error document; None where the body is something else, so the answer of another server."""
    try:
        document = _error.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return document if document.code is not None or document.status is not None else None


def read_provider_error(response: HttpResponse) -> Verdict | None:
    """Return the verdict of Twilio's own error in a 429 or 5xx: its code counts, whatever the status."""
    document = read_refusal(response)
    meaning = CODES.get(to_number(document.code)) if document else None
    if response.status == 429:
        again = document is not None and (meaning is None or meaning.kind in _LATER)
        return Verdict.LATER if again else Verdict.FINAL if meaning is not None else None
    # A 5xx leaves open what was done, unless the code is one that Twilio refuses with.
    return Verdict.FINAL if meaning is not None and meaning.kind not in _OPEN else None


def to_failure(document: ErrorDocument, http_status: int) -> FailureReason:
    """Return the refusal of a message, verbatim."""
    meaning = refusal(document.code, http_status)
    return FailureReason("provider", meaning.kind, document.message, document.code, document.more_info, meaning.retry)


def decode(decoder: msgspec.json.Decoder[T], response: HttpResponse, *, repeatable: bool) -> T:
    """Return the document in a 2xx. Raises ProviderRefused for Twilio's refusal, else NotSent or OutcomeUnknown."""
    if not 200 <= response.status < 300:
        raise_for(response, repeatable=repeatable)
    try:
        return decoder.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        unreadable = NotSent if repeatable else OutcomeUnknown
        raise unreadable(f"Twilio answered {response.status} with a body that can't be read: {error}") from None


def raise_for(response: HttpResponse, *, repeatable: bool) -> NoReturn:
    """Raise the error of an answer that is not a 2xx."""
    if response.status >= 400 and (document := read_refusal(response)):
        raise ProviderRefused(
            document.message,
            kind=refusal(document.code, response.status).kind,
            code=document.code,
            more_info=document.more_info,
            status=response.status,
        )
    raise not_from_provider("Twilio", response, repeatable=repeatable)


@lru_cache(maxsize=2048)
def read_time(text: str | None) -> datetime | None:
    """Return an RFC 2822 date; None where there is none that can be read. Messages of one page share few of them."""
    try:
        moment = parsedate_to_datetime(text) if text else None
        # `-0000` says UTC without a time zone (RFC 2822 section 3.3).
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _digest(body: str | None) -> str | None:
    """Return None for an empty text: Twilio gives none for a redacted message."""
    return text_digest(body.removeprefix(TRIAL_PREFIX)) if body else None


def _segments(value: object) -> int | None:
    """Return None for 0: a pool has not chosen its sender yet, so Twilio has not counted."""
    return to_number(value) or None
