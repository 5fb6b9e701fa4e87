"""The wire of a custom channel, both directions: JSON in the documents of Customer Insights - Journeys.

github.com/MicrosoftDocs/customer-insights, ci-docs/journeys/real-time-marketing-custom-channel-custom-API.md, but for
the fields that only Journeys has. Only this module knows the field names.

    | answer to a send                             | means                                                          |
    |----------------------------------------------|----------------------------------------------------------------|
    | 2xx with Status Sent or NotSent              | taken, or refused with its Details                             |
    | 2xx with anything else                       | outcome unknown                                                |
    | 4xx with Details, or with a plain text       | refused, verbatim; 408, 409 and the like only with Details     |
    | 4xx with a page                              | not sent: of a server on the way (408, 409, …: unknown)        |
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest, NotSent, OutcomeUnknown, ProviderRefused
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import OutboundMessage
from sms_connector.model.standard_webhooks import ID
from sms_connector.provider import RawCallback, SendOutcome, SendReceipt
from sms_connector.providers.common import REFUSING, decode, not_from_provider
from sms_connector.providers.custom import statuses
from sms_connector.transport.http import HttpResponse

NAME = "the channel"
OUR_ID = re.compile(r"msg_[0-9a-z]{1,64}")
# What is quoted of a plain text.
TEXT_LIMIT = 300


class Text(msgspec.Struct, frozen=True):
    """The parts of a message: a text alone."""

    text: str


class Outbound(msgspec.Struct, frozen=True, rename="pascal"):
    """One message on its way out."""

    channel_definition_id: str
    request_id: str
    idempotency_id: str
    sender: str = msgspec.field(name="From")
    to: str = msgspec.field(name="To")
    message: Text = msgspec.field(name="Message")


class Result(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer about one message, and a report."""

    status: Any = None
    request_id: Any = None
    details: Any = None

    @property
    def reason(self) -> str:
        return self._detail("Reason")

    @property
    def text(self) -> str:
        return self._detail("Message")

    def _detail(self, name: str) -> str:
        value = self.details.get(name) if isinstance(self.details, dict) else None
        return value if isinstance(value, str) else ""


class Inbound(msgspec.Struct, frozen=True, rename="pascal"):
    """A message from a person. Without a MessageId the id of the request stands for it."""

    sender: str = msgspec.field(name="From")
    to: str
    message: Text
    message_id: Any = None


_RESULT = msgspec.json.Decoder(Result)
_RESULTS = msgspec.json.Decoder(list[Result])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_INBOUND = msgspec.json.Decoder(Inbound)


# --- out --------------------------------------------------------------------------------------------------------------


def send_body(messages: Sequence[OutboundMessage], connection: str, *, together: bool) -> bytes:
    """Return one document, or an array of them. Our id is both the request's and the key of its idempotency."""
    items = [
        Outbound(connection, each.id, each.id, sender=each.sender, to=each.to, message=Text(each.text))
        for each in messages
    ]
    return msgspec.json.encode(items if together else items[0])


def call_id(messages: Sequence[OutboundMessage]) -> str:
    """Return the id of a call: the same when the same messages are sent again."""
    ids = [message.id for message in messages]
    return ids[0] if len(ids) == 1 else "call_" + hashlib.sha256(",".join(ids).encode()).hexdigest()[:26]


# --- in ---------------------------------------------------------------------------------------------------------------


def read_outcomes(
    response: HttpResponse, messages: Sequence[OutboundMessage], *, together: bool
) -> Sequence[SendOutcome]:
    """Return an outcome for each message. Raises OutcomeUnknown and NotSent."""
    if not 200 <= response.status < 300:
        refused = read_refusal(response)
        if refused is None:
            raise not_from_provider(NAME, response, repeatable=False)
        return [refused] * len(messages)
    if together:
        results = decode(_RESULTS, response.body)
    else:
        result = decode(_RESULT, response.body)
        results = None if result is None else [result]
    if results is None or len(results) != len(messages):
        about = "a body that can't be read" if results is None else f"{len(results)} of {len(messages)} messages"
        raise OutcomeUnknown(f"the channel answered {response.status} with {about}")
    outcomes = [_outcome(result, message.id) for result, message in zip(results, messages, strict=True)]
    if not together and isinstance(outcomes[0], OutcomeUnknown):
        raise outcomes[0]
    return outcomes


def _outcome(result: Result, message_id: str) -> SendOutcome:
    if result.request_id not in (None, message_id):
        return OutcomeUnknown("the channel's answer is about another RequestId")
    if result.status == statuses.SENT:
        return SendReceipt(message_id, statuses.to_status(statuses.SENT), statuses.SENT)
    if result.status == statuses.NOT_SENT:
        return statuses.refusal(result.reason or statuses.NOT_SENT, result.text or result.reason, 200)
    return OutcomeUnknown("the channel's answer has neither Status Sent nor NotSent")


def read_refusal(response: HttpResponse) -> FailureReason | None:
    """Return the channel's own refusal: by its Details, else by its text; None for a page, or an answer of something in
    between."""
    if not 400 <= response.status < 500:
        return None
    result = decode(_RESULT, response.body)
    if result is not None and (result.reason or result.text):
        return statuses.refusal(result.reason, result.text, response.status)
    content = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content not in ("text/plain", "application/json") or response.status not in REFUSING | {422}:
        return None
    text = response.body[: 4 * TEXT_LIMIT].decode("utf-8", "replace")[:TEXT_LIMIT]
    return statuses.refusal("", " ".join(text.split()), response.status)


def read_query(response: HttpResponse) -> Result | None:
    """Return the report in the answer to a query; None for a message the channel does not know. Raises ProviderRefused
    for the channel's own error, else NotSent."""
    if response.status == 404:
        return None
    raise_unless_2xx(response)
    result = decode(_RESULT, response.body)
    if result is None or not isinstance(result.status, str):
        raise NotSent(f"the channel answered {response.status} with a body that can't be read")
    return result


def raise_unless_2xx(response: HttpResponse) -> None:
    if 200 <= response.status < 300:
        return
    refused = read_refusal(response)
    if refused is None:
        raise not_from_provider(NAME, response, repeatable=True)
    raise ProviderRefused(refused.message, kind=refused.kind, code=refused.code, status=response.status)


def read_report(result: Result, message_id: str, callback: RawCallback | None = None) -> DeliveryReport:
    """Return a report about a message; ours where the id has our form."""
    return DeliveryReport(
        message_id,
        statuses.to_status(result.status),
        result.status,
        failure=statuses.delivery_failure(result.status, result.reason, result.text),
        message_id=message_id if OUR_ID.fullmatch(message_id) else None,
        updated_at=callback.received_at if callback is not None else None,
    )


def read_reports(callback: RawCallback) -> Sequence[DeliveryReport]:
    """Return the reports in a verified callback, one document or an array; an element that is none stops no other.
    Raises InvalidRequest."""
    items = decode(_ITEMS, callback.body)
    results = [decode(_RESULT, item) for item in ([callback.body] if items is None else map(bytes, items))]
    reports = [
        read_report(result, result.request_id, callback)
        for result in results
        if result is not None and isinstance(result.status, str) and isinstance(result.request_id, str)
        if result.status and result.request_id
    ]
    if not reports:
        raise InvalidRequest(FieldProblem("", "is no report of a channel: RequestId and Status are needed"))
    return reports


def read_inbound(callback: RawCallback) -> InboundMessage:
    """Return the message in a verified callback. Raises InvalidRequest."""
    document = decode(_INBOUND, callback.body)
    if document is None or not (document.sender and document.to):
        raise InvalidRequest(FieldProblem("", "is no message of a channel: From, To and Message.text are needed"))
    given = document.message_id
    headers = {name.lower(): value for name, value in callback.headers.items()}
    return InboundMessage(
        given if isinstance(given, str) and given else headers.get(ID, ""),
        document.sender,
        document.to,
        text=document.message.text,
        received_at=callback.received_at,
    )
