"""Status events of campaigns' messages: written without a read, merged into their block later.

A callback becomes a document named by message, status and the provider's id, which must not exist yet: one write, no
read, and a repeated callback changes nothing. The next reader of a block (a maintenance run, a page of results) merges
its events. A maintenance run deletes what it has merged, so that no later run reads it again. Reports about a block
that its worker owns, also of a cancel or a redact, are kept the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from sms_connector.errors import Conflict
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.status import MessageStatus
from sms_connector.model.typed import convert
from sms_connector.ports import MAX_WRITES, MUST_BE_ABSENT, Document, Json, Ledger, Query, Write
from sms_connector.ports.ledger_access import conditions, scan
from sms_connector.store.apply_report import ApplyReport, Source
from sms_connector.store.blocks import Block
from sms_connector.store.campaign_record import MessageLocation
from sms_connector.store.message_record import RETENTION_SECONDS, MessageRecord

STATUS_EVENTS = "statusEvents"
PAGE = 500


def write_status_event(
    ledger: Ledger, location: MessageLocation, report: DeliveryReport, *, at: float, source: Source = "callback"
) -> None:
    """Keep a report; do nothing if the same report is kept already."""
    is_awaited = report.status.final or source == "redact"
    data: Json = {
        "block": location.block_id,
        "finalIn": location.block_id if is_awaited else None,
        "finalAt": at if is_awaited else None,
        "position": location.position,
        "status": str(report.status),
        "rawStatus": report.raw_status,
        "providerMessageId": report.provider_message_id,
        "at": at,
        "source": source,
        "segments": report.segments,
        "part": report.part,
        "parts": report.parts,
        "failure": msgspec.to_builtins(report.failure),
        "expiresAt": at + RETENTION_SECONDS,
    }
    what = source if source == "redact" else report.status
    with suppress(Conflict):
        name = _id(location, what, report.provider_message_id, report.part)
        ledger.commit([Write(STATUS_EVENTS, name, data, MUST_BE_ABSENT)])


def _id(location: MessageLocation, what: str, provider_message_id: str, part: str | None = None) -> str:
    """Name the event by the provider's id too (a message that was sent again may be two at the provider, with an
    outcome each), and by the part."""
    one = provider_message_id if part is None else f"{provider_message_id} {part}"
    which = hashlib.sha256(one.encode()).hexdigest()[:12]
    return f"{location.message_id}:{what}:{which}"


def fill_history(ledger: Ledger, location: MessageLocation, record: MessageRecord) -> None:
    """Add the events on the way to the final status, which are never merged. The record must not be stored
    afterwards."""
    if record.provider_message_id is None:
        return
    found = ledger.get(
        STATUS_EVENTS,
        [_id(location, status, record.provider_message_id) for status in MessageStatus if not status.final],
    )
    known = {raw_status for _, _, source, raw_status in record.history if source == "callback"}
    missing = [each.data for each in found if each is not None and each.data["rawStatus"] not in known]
    record.history += [(float(each["at"]), each["status"], "callback", each["rawStatus"]) for each in missing]
    record.history.sort(key=lambda entry: entry[0])


def read_status_events(
    ledger: Ledger, blocks: Sequence[Block], *, final_only: bool = False
) -> dict[str, list[Document]]:
    """Return the events of blocks of one chunk, by block. One query by a range of ids, however many blocks."""
    ids = [block.id for block in blocks]
    events: dict[str, list[Document]] = {id_: [] for id_ in ids}
    for document in _read(ledger, "finalIn" if final_only else "block", min(ids), max(ids)):
        events.get(document.data["block"], []).append(document)
    return events


def read_campaign_events(ledger: Ledger, campaign: str) -> Iterator[Document]:
    """Return the final events of a campaign's messages."""
    return _read(ledger, "finalIn", f"{campaign}-", f"{campaign}-~")


def _read(ledger: Ledger, field: str, first: str, last: str) -> Iterator[Document]:
    where = conditions((field, ">=", first), (field, "<=", last))
    return scan(ledger, Query(STATUS_EVENTS, where, order_by=field, limit=PAGE))


def read_late_events(ledger: Ledger, *, until: float, limit: int) -> list[Document]:
    """Return final events that have waited since that time, oldest first: their blocks are not due for a long time."""
    return ledger.find(Query(STATUS_EVENTS, conditions(("finalAt", "<=", until)), order_by="finalAt", limit=limit))


def delete_events(ledger: Ledger, events: Sequence[Document]) -> None:
    """Delete events that are merged. A deletion that fails loses nothing."""
    done = [Write(STATUS_EVENTS, document.id, None) for document in events]
    for start in range(0, len(done), MAX_WRITES):
        ledger.commit(done[start : start + MAX_WRITES])


def merge_events(block: Block, events: Iterable[Document]) -> None:
    """Apply events to the block's messages, oldest first."""
    for document in sorted(events, key=lambda each: float(each.data["at"])):
        record = block.records.get(document.data["position"])
        if record is not None:
            change_of(document)(record)


def change_of(document: Document) -> ApplyReport:
    return ApplyReport(report_of(document), document.data["at"], document.data["source"], stored=True)


def is_awaited(record: MessageRecord, document: Document) -> bool:
    """Return True if the event may change the message."""
    return record.may_yield or document.data["source"] == "redact"


def report_of(document: Document) -> DeliveryReport:
    data = document.data
    return DeliveryReport(
        provider_message_id=data["providerMessageId"],
        status=MessageStatus(data["status"]),
        raw_status=data["rawStatus"],
        failure=convert(data["failure"], FailureReason) if data["failure"] is not None else None,
        segments=data["segments"],
        part=data["part"],
        parts=data["parts"],
        updated_at=datetime.fromtimestamp(data["at"], UTC),
    )
