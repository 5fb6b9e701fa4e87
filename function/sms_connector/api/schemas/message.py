"""Messages and the results of sends and previews, as they are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import (
    Line,
    Maybe,
    NextPageToken,
    PageQuery,
    Payload,
    ProblemInfo,
    Time,
    Warnings,
    payload_of,
    write_time,
    write_warnings,
)
from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.segments import Encoding
from sms_connector.model.status import MessageStatus

if TYPE_CHECKING:
    from sms_connector.api.validation.drafts import Refused
    from sms_connector.campaigns.chunk import RefusedRecord
    from sms_connector.errors import FieldProblem
    from sms_connector.model.record_warnings import RecordWarnings
    from sms_connector.model.send_request import Draft
    from sms_connector.store.message_record import MessageRecord

Source = Literal["provider", "transport", "connector"]
SentAt = Annotated[Time, Meta(description="When the provider had it; with `sendAt`, from that time on.")]
SendAt = Annotated[Time, Meta(description="When the provider is to send it, where the request asked for a later time.")]


class ErrorInfo(Payload, kw_only=True):
    """The reason of a failure or of an unknown outcome. `code`, `message`, `moreInfo` are the provider's."""

    source: Annotated[
        Source,
        Meta(description="`provider`: it refused. `transport`: no answer came. `connector`: refused before any call."),
    ]
    kind: ErrorKind
    code: Maybe[int | str] = UNSET
    message: str
    more_info: Maybe[str] = UNSET
    retry: Annotated[RetrySafety, Meta(description="What sending it again would do.")]
    field: Maybe[Annotated[str, Meta(description="With `onInvalid: report`: the field that is wrong.")]] = UNSET
    evidence: Maybe[Annotated[list[str], Meta(description="Of an unknown outcome: what was seen of it.")]] = UNSET


class TemplateUse(Payload):
    """The saved template that a request named."""

    name: str
    version: int


class SendResult(Payload):
    """The outcome of one record."""

    index: Annotated[int, Meta(description="Place of the record in the request, from 0.")]
    id: Annotated[str | None, Meta(description="Our id; null where nothing was to be sent.")]
    to: str | None
    status: MessageStatus
    final: Annotated[bool, Meta(description="false: the tracking has ended, a later callback may still change it.")]
    sender: Annotated[str | None, Meta(description="The one named, or chosen for this recipient.")] = None
    provider_message_id: str | None = None
    segments: int = 0
    encoding: str | None = None
    attempts: Annotated[int, Meta(description="Status polls so far.")] = 0
    sent_at: SentAt | None = None
    updated_at: Time | None = None
    error: ErrorInfo | None = None
    send_at: Maybe[SendAt] = UNSET
    key: Maybe[Annotated[str, Meta(description="The record's, where it has one.")]] = UNSET
    reference: Maybe[Annotated[str, Meta(description="The record's, where it has one.")]] = UNSET
    template: Maybe[TemplateUse] = UNSET
    line: Maybe[Line] = UNSET
    text: Maybe[Annotated[str, Meta(description="With `dryRun`: the rendered text.")]] = UNSET
    replayed: Maybe[
        Annotated[bool, Meta(description="true: the record's `key` was used before; this is the first one's message.")]
    ] = UNSET


class SendAnswer(Payload):
    """One result a record, in order; `summary` counts them by status."""

    request_id: str
    results: list[SendResult]
    summary: dict[str, int]
    warnings: Warnings = msgspec.field(default_factory=list)
    duplicates: Annotated[int, Meta(description="Records whose person came before.")] = 0
    dry_run: Maybe[bool] = UNSET


class HistoryEntry(Payload):
    """One report on a message, whether or not it changed the status."""

    at: Time
    status: MessageStatus
    source: Annotated[str, Meta(description="Where the report came from: `send`, `poll`, `callback`, `transport`, …")]
    provider_status: Annotated[str | None, Meta(description="The provider's own word or code.")]


class Message(Payload):
    """A message as the ledger has it. The text is not kept."""

    id: str
    to: str
    sender: str
    status: MessageStatus
    final: bool
    provider_message_id: str | None
    segments: int
    encoding: str | None
    attempts: int
    created_at: Time
    sent_at: SentAt | None
    updated_at: Time
    campaign: str | None
    redacted: bool
    error: ErrorInfo | None
    send_at: Maybe[SendAt] = UNSET
    key: Maybe[str] = UNSET
    reference: Maybe[str] = UNSET
    template: Maybe[TemplateUse] = UNSET
    history: Maybe[list[HistoryEntry]] = UNSET


class MessageList(Payload):
    """A page of messages, newest first, without their histories."""

    messages: list[Message]
    next_page_token: NextPageToken


class MessageQuery(PageQuery):
    """The filter of a list; what is left out is not filtered by."""

    to: Annotated[str, Meta(min_length=1, max_length=100, description="The recipient, in any spelling.")] = ""
    status: Maybe[MessageStatus] = UNSET
    reference: Annotated[str, Meta(min_length=1, max_length=255, description="The record's own.")] = ""
    campaign: Annotated[str, Meta(min_length=1, max_length=100)] = ""
    provider_message_id: Annotated[str, Meta(min_length=1, max_length=200)] = ""
    created_after: Annotated[str, Meta(min_length=1, max_length=40, description="RFC 3339; that moment or later.")] = ""
    created_before: Annotated[str, Meta(min_length=1, max_length=40, description="RFC 3339; earlier than that.")] = ""


class PreviewResult(Payload):
    """A rendered record. `units` are septets (GSM-7) or UTF-16 units (UCS-2); `remaining` still fit the last
    segment."""

    index: int
    to: str | None
    sender: Annotated[str | None, Meta(description="The one it would be sent from.")] = None
    text: str | None = None
    characters: int = 0
    encoding: Encoding | None = None
    segments: int = 0
    units: int = 0
    remaining: int = 0
    reason: Annotated[str | None, Meta(description="What forces UCS-2.")] = None
    errors: list[ProblemInfo] = msgspec.field(default_factory=list)
    line: Maybe[Line] = UNSET


class PreviewAnswer(Payload):
    """Without `to` and `records` the one result measures the text as it is written."""

    placeholders: list[str]
    results: list[PreviewResult]
    segments: Annotated[int, Meta(description="Of all records together.")]
    warnings: Warnings
    template: Maybe[TemplateUse] = UNSET


def write_answer(
    results: Sequence[SendResult], *, request_id: str, notes: RecordWarnings, dry_run: bool = False
) -> SendAnswer:
    """Return the results in the order of their records, with counts and warnings."""
    ordered = sorted(results, key=lambda result: result.index)
    summary = dict(Counter(str(result.status) for result in ordered))
    return SendAnswer(
        request_id=request_id,
        results=ordered,
        summary=summary,
        warnings=write_warnings(notes.warnings),
        duplicates=notes.duplicates,
        dry_run=dry_run or UNSET,
    )


def write_result(record: MessageRecord, named: Draft | MessageRecord | None = None) -> SendResult:
    """Write what became of a record, under the key, the reference and the line that `named` gives it: a replayed one
    shows the first message."""
    named = named or record
    return payload_of(
        SendResult,
        record,
        encoding=record.encoding or None,
        error=write_failure(record.failure, record.evidence),
        template=write_template_use(record.template),
        replayed=True if record.replayed or record.same_as else None,
        key=named.key,
        reference=named.reference,
        line=named.line,
    )


def write_dry_result(draft: Draft, template: str | None = None) -> SendResult:
    return payload_of(
        SendResult,
        draft.segments,
        draft,
        id=None,
        status=MessageStatus.ACCEPTED,
        final=False,
        segments=draft.segments.count,
        template=write_template_use(template),
    )


def write_template_use(reference: str | None) -> Maybe[TemplateUse]:
    if reference is None:
        return UNSET
    name, _, version = reference.partition("@")
    return TemplateUse(name, int(version))


def write_refused(record: Refused | RefusedRecord, problem: FieldProblem | RefusedRecord) -> SendResult:
    """Return the result of an invalid record (`onInvalid: report`)."""
    error = payload_of(ErrorInfo, problem, source="connector", retry=RetrySafety.NEVER)
    return payload_of(SendResult, record, id=None, status=MessageStatus.ERROR, final=True, error=error)


def write_failure(failure: FailureReason | None, evidence: Sequence[str] = ()) -> ErrorInfo | None:
    if failure is None:
        return None
    seen = list(evidence) if failure.kind is ErrorKind.UNKNOWN_OUTCOME else []
    return payload_of(ErrorInfo, failure, more_info=failure.more_info or UNSET, evidence=seen or UNSET)


def write_message(record: MessageRecord, *, history: bool = True) -> Message:
    entries = [
        HistoryEntry(write_time(at), MessageStatus(status), source, word or None)
        for at, status, source, word in record.history
    ]
    return payload_of(
        Message,
        record,
        encoding=record.encoding or None,
        error=write_failure(record.failure, record.evidence),
        template=write_template_use(record.template),
        history=entries if history else UNSET,
    )
