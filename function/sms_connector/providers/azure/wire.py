"""Azure's wire: JSON documents out and in. Pure functions.

Source: `communicationservicessms.json` of version 2026-01-23 (github.com/Azure/azure-rest-api-specs,
specification/communication/data-plane/Sms), and the recordings of Microsoft's SDKs.

Whose an answer is:

    | answer                                         | means                                                      |
    |------------------------------------------------|------------------------------------------------------------|
    | 2xx, an item with a message id                 | taken                                                      |
    | an item of 4xx                                 | that recipient is refused, verbatim                        |
    | an item of 429 or 503                          | not sent to that recipient                                 |
    | an item whose repetition is rejected           | unknown: an earlier attempt may have been taken            |
    | any other item, a recipient without one        | unknown                                                    |
    | 4xx with Azure's own error document            | the whole call is refused, verbatim                        |
    | 401 or 404 of Azure's with an empty body       | the sender is not the resource's                           |
    | anything else                                  | `common.not_from_provider`                                 |
"""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import msgspec

from sms_connector.errors import ConnectorError, ErrorKind, NotSent, OutcomeUnknown
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import MESSAGE_ID, OutboundMessage, batch_of
from sms_connector.model.phone_number import find_number
from sms_connector.model.status import MessageStatus
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.providers.azure.statuses import ACCEPTED, foreign_sender, to_refusal, to_status
from sms_connector.providers.common import decode, not_from_provider, query_error, read_time
from sms_connector.transport.http import HttpResponse

VERSION = "2026-01-23"
SEND = f"/sms?api-version={VERSION}"
MOST_RECIPIENTS, MOST_CHARACTERS = 100, 2048
# Ends the tag of a call of many: what stands before is what our ids begin with (`batch_of`).
_OF_MANY = "*"
THEIR_ID = re.compile(r"[!-~]{1,255}")
# Every answer of the service has one of them (recordings of Microsoft's SDKs); one of something in between has not.
_HEADERS = ("api-supported-versions", "ms-cv")

_LATER = {429: ErrorKind.RATE_LIMITED, 503: ErrorKind.UNAVAILABLE}


class _Item(msgspec.Struct, rename="camel"):
    """The answer for one recipient. Nothing but a missing id may cost us the receipt."""

    to: Any = None
    message_id: Any = None
    http_status_code: Any = None
    repeatability_result: Any = None
    error_message: Any = None


class _Items(msgspec.Struct):
    value: list[_Item]


class _Error(msgspec.Struct):
    code: str
    message: str


class _Problem(msgspec.Struct):
    """Azure's two forms of an error document."""

    error: _Error | None = None
    title: str | None = None
    status: int | None = None
    errors: Any = None


_items = msgspec.json.Decoder(_Items)
_problem = msgspec.json.Decoder(_Problem)
_object = msgspec.json.Decoder(dict[str, Any])


# --- out --------------------------------------------------------------------------------------------------------------


def send_body(messages: Sequence[OutboundMessage], connection: str) -> bytes:
    """Return one call's body.

    The id that makes it repeatable follows from ours, and its date from the intent, so that a repetition is the same
    whenever and by whichever node it is made. `connection` tells two connectors of one resource apart. The tag belongs
    to the call: it names the message where there is one, else what the ids of the call's messages begin with.
    """
    first = messages[0]
    tag = first.id if len(messages) == 1 else batch_of(first.id) + _OF_MANY
    recipients = [
        {
            "to": message.to,
            "repeatabilityRequestId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{connection}/{message.id}")),
            "repeatabilityFirstSent": formatdate(message.intended_at, usegmt=True),
        }
        for message in messages
    ]
    return msgspec.json.encode(
        {
            "from": first.sender,
            "smsRecipients": recipients,
            "message": first.text,
            "smsSendOptions": {"enableDeliveryReport": True, "tag": tag},
        }
    )


def report_path(provider_message_id: str) -> str:
    return f"/deliveryReports/{quote(provider_message_id, safe='')}?api-version={VERSION}"


# --- in ---------------------------------------------------------------------------------------------------------------


def read_outcomes(response: HttpResponse, messages: Sequence[OutboundMessage]) -> list[SendOutcome]:
    """Return an outcome for each message. Raises OutcomeUnknown where the answer has none at all."""
    if not 200 <= response.status < 300:
        refusal = read_refusal(response, sends=True)
        if refusal is None:
            raise not_from_provider("Azure", response, repeatable=False)
        return [refusal] * len(messages)
    document = decode(_items, response.body)
    if document is None:
        raise OutcomeUnknown(f"Azure answered {response.status} with a body that can't be read")
    # By number: the order of the items is not promised. A number that was named twice has two items.
    items: dict[Any, deque[_Item]] = {}
    for item in document.value:
        items.setdefault(item.to if isinstance(item.to, str) else None, deque()).append(item)
    outcomes = [_outcome(queue.popleft()) if (queue := items.get(each.to)) else _no_item() for each in messages]
    unknown = [outcome for outcome in outcomes if isinstance(outcome, OutcomeUnknown)]
    if len(unknown) == len(outcomes):
        raise unknown[0]
    return outcomes


def _outcome(item: _Item) -> SendOutcome:
    """Return the outcome for one recipient. An id counts whatever else is said: recordings hold items of 202 with an id
    and `successful: false`."""
    status = item.http_status_code if isinstance(item.http_status_code, int) else 0
    text = item.error_message if isinstance(item.error_message, str) else ""
    if isinstance(item.message_id, str) and THEIR_ID.fullmatch(item.message_id) and status < 300:
        return SendReceipt(item.message_id, MessageStatus.ACCEPTED, ACCEPTED)
    if status in _LATER:
        return NotSent(f"Azure answered {status} for this recipient: {text}", kind=_LATER[status])
    if str(item.repeatability_result).lower() == "rejected":
        return OutcomeUnknown(f"Azure rejected a repetition ({status}): {text}")
    if 400 <= status < 500 and status not in (408, 409):
        return to_refusal(status, text, status)
    return OutcomeUnknown(f"Azure's answer for this recipient has neither a message id nor a refusal ({status})")


def _no_item() -> OutcomeUnknown:
    return OutcomeUnknown("Azure's answer does not name this recipient")


def read_refusal(response: HttpResponse, *, sends: bool = False) -> FailureReason | None:
    """Return Azure's own refusal of a call; None for an answer that is not Azure's. `sends`: it was a send."""
    status = response.status
    if not 400 <= status < 500:
        return None
    if sends and status in (401, 404) and not response.body and any(name in response.headers for name in _HEADERS):
        return foreign_sender(status)
    document = decode(_problem, response.body)
    if document is None:
        return None
    if document.error is not None:
        return to_refusal(document.error.code, document.error.message, status)
    if document.title is None or document.status != status:
        return None
    return to_refusal(status, f"{document.title}{_named(document.errors)}", status)


def _named(errors: Any) -> str:
    """Return the fields of a problem document with their texts."""
    if not isinstance(errors, dict):
        return ""
    texts = [f"{name}: {' '.join(map(str, lines))}" for name, lines in errors.items() if isinstance(lines, list)]
    return f" {'; '.join(texts)}" if texts else ""


def error_of(response: HttpResponse) -> ConnectorError:
    """Return the error of an answer to a query that is not the one asked for: Azure's own, verbatim, or what its status
    means."""
    if 200 <= response.status < 300:
        return NotSent(f"Azure answered {response.status} with a body that can't be read")
    return query_error("Azure", response, read_refusal(response))


def read_object(body: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None for anything else."""
    return decode(_object, body)


def read_report_answer(response: HttpResponse) -> DeliveryReport | None:
    """Return the report in the answer to a query. None where Azure has none (yet)."""
    if response.status == 200:
        report = read_report(read_object(response.body) or {})
        if report is not None:
            return report
    elif is_not_found(response):
        return None
    raise error_of(response)


def is_not_found(response: HttpResponse) -> bool:
    """Return whether Azure knows the caller, and no such report."""
    refusal = read_refusal(response) if response.status == 404 else None
    return refusal is not None and refusal.kind is ErrorKind.NOT_FOUND


def read_report(document: Mapping[str, Any]) -> DeliveryReport | None:
    """Return the report in a REST answer or in an event's data; None where an id or a status is missing.

    Names are taken in any case: Microsoft's samples of events write `MessageId`, `Tag` and so on.
    """
    data = {name.lower(): value for name, value in document.items() if isinstance(value, str)}
    message_id, raw_status = data.get("messageid", ""), data.get("deliverystatus", "")
    if not (THEIR_ID.fullmatch(message_id) and raw_status):
        return None
    status, failure = to_status(raw_status, data.get("deliverystatusdetails", ""))
    # Other applications of the same resource have tags of their own.
    tag = data.get("tag", "")
    ours = MESSAGE_ID.fullmatch(tag.removesuffix(_OF_MANY))
    return DeliveryReport(
        message_id,
        status,
        raw_status,
        failure=failure,
        message_id=ours[0] if ours and ours[0] == tag else None,
        batch=ours[0] if ours and ours[0] != tag else None,
        to=with_plus(data.get("to", "")) or None,
        sender=with_plus(data.get("from", "")) or None,
        updated_at=read_time(data.get("receivedtimestamp")),
    )


def with_plus(address: str) -> str:
    """Return an address of an event in our form: numbers may come without their plus."""
    return find_number(address) or address
