"""Infobip's wire format: requests out, answers and callbacks in. Only this module knows its field names.

Source: Infobip's OpenAPI description, release 3.210.0 (https://www.infobip.com/docs/api/channels/sms), and the official
client generated from it (infobip-api-python-client 6.0.0). What each answer to a send means: docs/providers/infobip.md.

Reports: https://www.infobip.com/docs/api/channels/sms/outbound-sms/receive-outbound-sms-message-reports-v3
Inbound, MO_JSON_2: https://www.infobip.com/docs/api/channels/sms/inbound-sms/receive-inbound-sms-messages
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, OutcomeUnknown, RetrySafety
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import MESSAGE_ID, OutboundMessage, batch_of
from sms_connector.model.phone_number import find_number
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Secret
from sms_connector.provider import RawCallback, SendOutcome, SendReceipt
from sms_connector.providers.common import HTTP_KINDS, call_refused, decode, query_error, read_time
from sms_connector.providers.infobip import statuses
from sms_connector.transport.http import HttpResponse

NAME, API_KEY = "Infobip", "api-key"
JSON = {"content-type": "application/json", "accept": "application/json"}
# GET /sms/3/logs: at most 1 000 logs, and 2 048 characters of ids, in one call.
LOGS_PER_CALL, _ID_CHARACTERS = 1000, 2048
_VIOLATED = re.compile(r"messages\[(\d{1,4})\]")
_LONGEST_TEXT, _LONGEST_NAME = 1000, 100

# As in Infobip's description; what is out of range is no document of Infobip's, and none that the ledger holds.
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_Address = Annotated[str, msgspec.Meta(max_length=64)]


class _Described(msgspec.Struct, frozen=True, rename="camel"):
    """A status, or the delivery error beside it: of id 0 where there is none. Nothing of it is required."""

    group_id: _Int32 | None = None
    id: _Int32 | None = None
    name: str | None = None
    description: str | None = None
    permanent: bool | None = None


class _Message(msgspec.Struct, frozen=True, rename="camel"):
    """A message in the answer to a send, in the logs, or in a report. Only a missing id costs us the rest."""

    message_id: str
    status: _Described = _Described()
    error: _Described | None = None
    to: _Address | None = None
    destination: _Address | None = None
    sender: _Address | None = None
    done_at: str | None = None
    message_count: _Int32 | None = None
    details: Any = None

    @property
    def is_duplicate(self) -> bool:
        """It is about a repetition of the id, and so not about the message that was sent under it."""
        return statuses.is_duplicate(self.status.id, self.status.name)


class _SendAnswer(msgspec.Struct, frozen=True):
    messages: list[msgspec.Raw]


class Results(msgspec.Struct, frozen=True):
    """A page of the logs, and a callback."""

    results: list[msgspec.Raw]
    cursor: dict[str, Any] | None = None


class _Inbound(msgspec.Struct, frozen=True, rename="camel"):
    message_id: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,255}$")] | int
    sender: Annotated[_Address, msgspec.Meta(min_length=1)] = msgspec.field(name="from")
    to: Annotated[_Address, msgspec.Meta(min_length=1)]
    text: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    received_at: str | None = None


class Balance(msgspec.Struct, frozen=True):
    balance: float
    currency: str = ""


class _ApiError(msgspec.Struct, frozen=True, rename="camel"):
    """The error of the newer endpoints, or `request_error`, that of the older ones."""

    error_code: str | None = None
    description: str | None = None
    violations: list[Any] | None = None
    resources: list[Any] | None = None
    request_error: dict[str, dict[str, Any]] | None = None


_send_decoder = msgspec.json.Decoder(_SendAnswer)
_message_decoder = msgspec.json.Decoder(_Message)
_inbound_decoder = msgspec.json.Decoder(_Inbound)
_error_decoder = msgspec.json.Decoder(_ApiError)
results_decoder = msgspec.json.Decoder(Results)
balance_decoder = msgspec.json.Decoder(Balance)


def authorization(key: str) -> Secret:
    """https://www.infobip.com/docs/developer-resources/authentication-and-access/api-authentication"""
    return Secret(f"App {key}")


def send_body(messages: Sequence[OutboundMessage], platform: Mapping[str, str], *, reports: bool) -> bytes:
    """Return the request that sends each message under its own id. `reports`: to the address that the messages name.

    The bulk's id is ours too: the logs of the messages of one request can be asked for by it. It has to be unique only
    for rescheduling: https://www.infobip.com/blog/control-and-time-your-sms-campaigns-with-a-flexible-api
    """
    schedule = {"bulkId": batch_of(messages[0].id)}
    if messages[0].send_at is not None:  # one request's messages have one time
        schedule["sendAt"] = write_time(messages[0].send_at)
    options = {"schedule": schedule, "includeSmsCountInResponse": True}
    document = {"messages": [_message(each, platform, reports=reports) for each in messages], "options": options}
    return msgspec.json.encode(document)


def write_time(moment: datetime) -> str:
    """Return `yyyy-MM-dd'T'HH:mm:ss.SSSZ`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _message(message: OutboundMessage, platform: Mapping[str, str], *, reports: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"platform": platform} if platform else {}
    if message.validity_seconds:
        options["validityPeriod"] = {"amount": message.validity_seconds, "timeUnit": "SECONDS"}
    delivery: dict[str, Any] = {"intermediateReport": True}
    if reports and message.callback_url:
        # Without its query, which names the message: only reports to the same address come many in a request.
        delivery["url"] = message.callback_url.partition("?")[0]
    return {
        "sender": message.sender.removeprefix("+"),
        "destinations": [{"to": message.to.removeprefix("+"), "messageId": message.id}],
        "content": {"text": message.text},
        "options": options,
        "webhooks": {"delivery": delivery},
    }


def logs_queries(message_ids: Sequence[str]) -> list[str]:
    """Return the query strings that together ask for all of these messages: by their ids where one call holds them,
    else by the bulks they were sent in."""
    if len(",".join(message_ids)) <= _ID_CHARACTERS:
        return [_logs_query("messageId", message_ids)]
    parts = [list[str]()]
    for bulk in sorted({batch_of(each) for each in message_ids}):
        if len(",".join([*parts[-1], bulk])) > _ID_CHARACTERS:
            parts.append([])
        parts[-1].append(bulk)
    return [_logs_query("bulkId", part) for part in parts]


def _logs_query(name: str, values: Sequence[str]) -> str:
    return urlencode([(name, ",".join(values)), ("limit", LOGS_PER_CALL), ("useCursor", "true")], safe=",")


def next_page(query: str, page: Results) -> str:
    """Return the query of the next page; empty where the answer names none."""
    cursor = (page.cursor or {}).get("nextCursor")
    return f"{query}&{urlencode({'cursor': cursor})}" if cursor and page.results else ""


def read_outcomes(response: HttpResponse, messages: Sequence[OutboundMessage]) -> list[SendOutcome]:
    """Return what a 2xx says of each message. Raises OutcomeUnknown where it says nothing of any."""
    answer = decode(_send_decoder, response.body)
    if answer is None:
        raise OutcomeUnknown(f"{NAME} answered {response.status} with a body that can't be read")
    by_id = {each.message_id: each for each in _ours(answer.messages)}
    if not any(message.id in by_id for message in messages):
        raise OutcomeUnknown(f"{NAME} answered {response.status} without our messages' ids")
    return [_outcome(by_id.get(message.id)) for message in messages]


def _outcome(message: _Message | None) -> SendOutcome:
    if message is None or not message.status.name:
        return OutcomeUnknown(f"{NAME}'s answer does not tell what became of this message")
    if message.is_duplicate:
        return OutcomeUnknown(f"{NAME} has this message's id already ({statuses.DUPLICATE_NAME})")
    return outcome_of(_report(message))


def outcome_of(report: DeliveryReport, *, repeated: bool = False) -> SendOutcome:
    """Return the outcome of the call that a message was sent by. A refusal that may pass (no credit) has used the id
    for good: a `repeated` call ends the message instead of having it sent again in vain, and a retry sends another."""
    failure = report.failure
    if report.status is MessageStatus.FAILED and failure and not (repeated and failure.retry is not RetrySafety.NEVER):
        return failure
    return SendReceipt(report.provider_message_id, report.status, report.raw_status, report.segments, failure)


def read_reports(results: Sequence[msgspec.Raw]) -> list[DeliveryReport]:
    """Return the reports of a page of the logs, or of a callback."""
    return [_report(each) for each in _ours(results) if not each.is_duplicate]


def read_callback(callback: RawCallback) -> list[msgspec.Raw]:
    """Return what a callback holds. Raises InvalidRequest where there is no list."""
    document = decode(results_decoder, callback.body)
    if document is None:
        raise InvalidRequest(FieldProblem("results", "the list is missing; this is not a callback of Infobip's"))
    return document.results


def read_inbound(callback: RawCallback) -> list[InboundMessage]:
    """Return the messages that can be read. Raises InvalidRequest where there is no list of them."""
    found = [decode(_inbound_decoder, bytes(item)) for item in read_callback(callback)]
    return [
        InboundMessage(
            str(each.message_id),
            find_number(each.sender) or each.sender,
            find_number(each.to) or each.to,
            each.text,
            min(read_time(each.received_at) or callback.received_at, callback.received_at),
        )
        for each in found
        if each is not None
    ]


def _ours(items: Sequence[msgspec.Raw]) -> list[_Message]:
    """Return those of ours that can be read: one that can't, or of the account's other traffic, stops no other."""
    found = [decode(_message_decoder, bytes(item)) for item in items]
    return [each for each in found if each is not None and MESSAGE_ID.fullmatch(each.message_id)]


def _report(message: _Message) -> DeliveryReport:
    raw_status = (message.status.name or "")[:_LONGEST_NAME]
    status = statuses.to_status(message.status.group_id, raw_status)
    to, details = message.to or message.destination, message.details
    parts = message.message_count or (details.get("messageCount") if isinstance(details, dict) else None)
    return DeliveryReport(
        message.message_id,
        status,
        raw_status,
        failure=_failure(message.status, message.error or _Described()) if status in statuses.FAILED else None,
        message_id=message.message_id,
        to=to and (find_number(to) or to),
        sender=message.sender,
        segments=parts if isinstance(parts, int) else None,
        updated_at=read_time(message.done_at),
    )


def _failure(status: _Described, error: _Described) -> FailureReason:
    """Return the reason in Infobip's words: the delivery error's; where that gives none, the status's own."""
    kind, retry = statuses.reason(status.id, error.id, group=error.group_id, permanent=bool(error.permanent))
    source = status if error.id in statuses.NO_REASON else error
    name = (source.name or f"code {source.id}")[:_LONGEST_NAME]
    text = f"{(source.description or name)[:_LONGEST_TEXT]} ({name})"
    return FailureReason("provider", kind, text, source.id, retry=retry)


def read_refusal(response: HttpResponse) -> tuple[FailureReason, frozenset[int]] | None:
    """Return Infobip's error for a whole call, and the places of the messages that it names (none where it is about
    more); None where the answer is another server's."""
    error = decode(_error_decoder, response.body) if response.status >= 400 else None
    if error is None:
        return None
    # 403 is about the key's scopes or its allowed addresses, not about the message.
    kind = ErrorKind.AUTHENTICATION if response.status == 403 else HTTP_KINDS.get(response.status, ErrorKind.OTHER)
    if old := (error.request_error or {}).get("serviceException"):
        return call_refused(kind, str(old.get("text")), str(old.get("messageId"))), frozenset()
    if not error.error_code:
        return None
    violations, resources = (
        [each for each in items or () if isinstance(each, dict)] for items in (error.violations, error.resources)
    )
    texts = [f"{each.get('property')}: {each.get('violation')}" for each in violations]
    text = "; ".join([error.description or error.error_code, *texts])[:_LONGEST_TEXT]
    link = next((str(each["url"]) for each in resources if each.get("url")), None)
    named = [_VIOLATED.match(str(each.get("property"))) for each in violations]
    places = frozenset(int(each[1]) for each in named if each) if all(named) else frozenset()
    return call_refused(kind, text, error.error_code, link), places


def checked(response: HttpResponse, *, repeatable: bool = True) -> HttpResponse:
    """Return a 2xx of a call that sends nothing. Raises ProviderRefused for Infobip's own error, else NotSent or, of a
    change, OutcomeUnknown."""
    if 200 <= response.status < 300:
        return response
    refusal = read_refusal(response)
    raise query_error(NAME, response, refusal and refusal[0], repeatable=repeatable)
