"""Infobip's wire format: requests out, answers in. Its field names stand here, and in `webhooks` for callbacks.

Source: Infobip's OpenAPI description, release 3.210.0 (https://www.infobip.com/docs/api/channels/sms), and the official
client generated from it (infobip-api-python-client 6.0.0).

    | answer to a send                           | outcome                                                          |
    |--------------------------------------------|------------------------------------------------------------------|
    | 2xx, the message's status is not REJECTED  | taken                                                            |
    | 2xx, REJECTED                              | refused with that status                                         |
    | 2xx, status 23: its id was used before     | the logs decide; without an entry there the outcome is unknown   |
    | 2xx without the message, or unreadable     | outcome unknown                                                  |
    | 4xx with Infobip's error                   | each message refused; where violations name some, those alone    |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from sms_connector.errors import OutcomeUnknown, ProviderRefused
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import MESSAGE_ID, OutboundMessage, batch_of
from sms_connector.model.phone_number import find_number
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.providers.common import decode
from sms_connector.providers.infobip import statuses
from sms_connector.providers.infobip.statuses import Meaning
from sms_connector.transport.http import HttpResponse

JSON = {"content-type": "application/json", "accept": "application/json"}
# GET /sms/3/logs: at most 1 000 logs, and 2 048 characters of ids, in one call.
LOGS_PER_CALL = 1000
_ID_CHARACTERS = 2048
_VIOLATED = re.compile(r"messages\[(\d{1,4})\]")
_LONGEST_TEXT, _LONGEST_NAME = 1000, 100


# As in Infobip's description; what is out of range is no document of Infobip's, and none that the ledger holds.
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
_Address = Annotated[str, msgspec.Meta(max_length=64)]


class Described(msgspec.Struct, frozen=True, rename="camel"):
    """A status, or the delivery error beside it: of id 0 where there is none. Nothing of it is required."""

    group_id: _Int32 | None = None
    id: _Int32 | None = None
    name: str | None = None
    description: str | None = None
    permanent: bool | None = None


class MessageDocument(msgspec.Struct, frozen=True, rename="camel"):
    """A message in the answer to a send, in the logs, or in a report. Only a missing id costs us the rest."""

    message_id: str
    status: Described = Described()
    error: Described | None = None
    to: _Address | None = None
    destination: _Address | None = None
    sender: _Address | None = None
    done_at: str | None = None
    message_count: _Int32 | None = None
    details: Any = None

    @property
    def segments(self) -> int | None:
        parts = self.message_count or (self.details.get("messageCount") if isinstance(self.details, dict) else None)
        return parts if isinstance(parts, int) else None


class _SendAnswer(msgspec.Struct, frozen=True):
    messages: list[msgspec.Raw]


class LogsAnswer(msgspec.Struct, frozen=True):
    results: list[msgspec.Raw]
    cursor: dict[str, Any] | None = None


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


class Refusal(msgspec.Struct, frozen=True):
    """Infobip's error for a whole call. `places`: the messages that it names, none where it is about more."""

    code: str
    message: str
    meaning: Meaning
    more_info: str | None = None
    places: frozenset[int] = frozenset()

    def to_failure(self) -> FailureReason:
        kind, _, retry = self.meaning
        return FailureReason("provider", kind, self.message, self.code, self.more_info, retry)

    def to_error(self, http_status: int) -> ProviderRefused:
        return ProviderRefused(
            self.message, kind=self.meaning.kind, code=self.code, more_info=self.more_info, status=http_status
        )


_send_decoder = msgspec.json.Decoder(_SendAnswer)
_message_decoder = msgspec.json.Decoder(MessageDocument)
_error_decoder = msgspec.json.Decoder(_ApiError)
logs_decoder = msgspec.json.Decoder(LogsAnswer)
balance_decoder = msgspec.json.Decoder(Balance)


# --- out --------------------------------------------------------------------------------------------------------------


def send_body(messages: Sequence[OutboundMessage], platform: Mapping[str, str], *, reports: bool) -> bytes:
    """Return the request that sends each message under its own id. `reports`: to the address that the messages name.

    The bulk's id is ours too: the logs of the messages of one request can be asked for by it. It has to be unique only
    for rescheduling: https://www.infobip.com/blog/control-and-time-your-sms-campaigns-with-a-flexible-api
    """
    schedule: dict[str, str] = {"bulkId": batch_of(messages[0].id)}
    if messages[0].send_at is not None:  # one request's messages have one time
        at = messages[0].send_at.astimezone(UTC)
        schedule["sendAt"] = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"
    options = {"schedule": schedule, "includeSmsCountInResponse": True}
    document = {"messages": [_message(each, platform, reports=reports) for each in messages], "options": options}
    return msgspec.json.encode(document)


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
    bulks, parts = sorted({batch_of(each) for each in message_ids}), [list[str]()]
    for bulk in bulks:
        if len(",".join([*parts[-1], bulk])) > _ID_CHARACTERS:
            parts.append([])
        parts[-1].append(bulk)
    return [_logs_query("bulkId", part) for part in parts]


def next_page(query: str, answer: LogsAnswer) -> str | None:
    """Return the query of the next page while the answer names one."""
    cursor = (answer.cursor or {}).get("nextCursor")
    return f"{query}&{urlencode({'cursor': cursor})}" if cursor and answer.results else None


def _logs_query(name: str, values: Sequence[str]) -> str:
    return urlencode([(name, ",".join(values)), ("limit", LOGS_PER_CALL), ("useCursor", "true")], safe=",")


# --- in ---------------------------------------------------------------------------------------------------------------


def read_outcomes(response: HttpResponse, messages: Sequence[OutboundMessage]) -> list[SendOutcome]:
    """Return what a 2xx says of each message. Raises OutcomeUnknown where it says nothing of any."""
    answer = decode(_send_decoder, response.body)
    if answer is None:
        raise OutcomeUnknown(f"Infobip answered {response.status} with a body that can't be read")
    by_id = {each.message_id: each for each in read_messages(answer.messages)}
    if not any(message.id in by_id for message in messages):
        raise OutcomeUnknown(f"Infobip answered {response.status} without our messages' ids")
    return [_outcome(by_id.get(message.id)) for message in messages]


def read_messages(items: Sequence[msgspec.Raw]) -> list[MessageDocument]:
    """Return those of ours that can be read: one that can't, or of the account's other traffic, stops no other."""
    found = [decode(_message_decoder, bytes(item)) for item in items]
    return [each for each in found if each is not None and MESSAGE_ID.fullmatch(each.message_id)]


def _outcome(document: MessageDocument | None) -> SendOutcome:
    if document is None or not document.status.name:
        return OutcomeUnknown("Infobip's answer does not tell what became of this message")
    if is_duplicate(document):
        return OutcomeUnknown(f"Infobip has this message's id already ({statuses.DUPLICATE_NAME})")
    report = read_report(document)
    if document.status.group_id == statuses.REJECTED and report.failure is not None:
        return report.failure
    return SendReceipt(document.message_id, report.status, report.raw_status, report.segments, report.failure)


def is_duplicate(document: MessageDocument) -> bool:
    """Return whether it is about a repetition of the id, and so not about the message that was sent under it."""
    return document.status.id == statuses.DUPLICATE or document.status.name == statuses.DUPLICATE_NAME


def read_reports(documents: Sequence[MessageDocument]) -> list[DeliveryReport]:
    return [read_report(each) for each in documents if not is_duplicate(each)]


def read_report(document: MessageDocument) -> DeliveryReport:
    raw_status = (document.status.name or "")[:_LONGEST_NAME]
    status = statuses.to_status(document.status.group_id, raw_status)
    to = document.to or document.destination
    return DeliveryReport(
        document.message_id,
        status,
        raw_status,
        failure=_failure(document) if status in statuses.FAILED else None,
        message_id=document.message_id,
        to=to and (find_number(to) or to),
        sender=document.sender,
        segments=document.segments,
        updated_at=read_time(document.done_at),
    )


def _failure(document: MessageDocument) -> FailureReason:
    """Return the reason in Infobip's words: the delivery error's; where that gives none, the status's own."""
    status, error = document.status, document.error or Described()
    kind, title, retry = statuses.reason(status.id, error.id, group=error.group_id, permanent=bool(error.permanent))
    source = status if error.id in statuses.NO_REASON else error
    name = (source.name or title)[:_LONGEST_NAME]
    text = f"{(source.description or name)[:_LONGEST_TEXT]} ({name})"
    return FailureReason("provider", kind, text, source.id, retry=retry)


def read_refusal(response: HttpResponse) -> Refusal | None:
    """Return Infobip's own error; None where the body is something else, so the answer of another server."""
    error = decode(_error_decoder, response.body)
    if error is None:
        return None
    meaning = statuses.HTTP_REASONS.get(response.status, statuses.HTTP_OTHER)
    if old := (error.request_error or {}).get("serviceException"):
        return Refusal(str(old.get("messageId")), str(old.get("text")), meaning)
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
    return Refusal(error.error_code, text, meaning, link, places)


def read_time(text: str | None) -> datetime | None:
    """Return a time of the form `yyyy-MM-dd'T'HH:mm:ss.SSSZ`; None where it can't be read or has no zone."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
