"""News of campaigns' messages: written blindly, folded in later.

A callback becomes a document named by message, status and the provider's id, which must not be there yet: one write, no read, and
the second telling of the same thing changes nothing. Whoever looks at a block next (the ticker, a page of results) folds its news in. What
the ticker has folded it forgets: no round reads it again, and Firestore bills the deletion whoever makes it. What is reported of a
block while its worker holds it, by a cancel or a redact too, takes the same way.
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
from sms_connector.ports import MAX_WRITES, MUST_BE_ABSENT, Condition, Document, Json, Ledger, Query, Write
from sms_connector.ports.ledger_access import scan
from sms_connector.store.apply_report import ApplyReport, Source
from sms_connector.store.blocks import Block
from sms_connector.store.campaign_record import RETENTION_SECONDS, MessageLocation
from sms_connector.store.message_record import MessageRecord

STATUS_EVENTS = "statusEvents"
PAGE = 500


def write_status_event(
    ledger: Ledger, location: MessageLocation, report: DeliveryReport, *, at: float, source: Source = "callback"
) -> None:
    """Keep what was reported; nothing, where the same was reported before."""
    is_awaited = report.status.final or source == "redact"
    data: Json = {
        "block": location.block_id,
        "finalIn": location.block_id if is_awaited else None,
        "finalAt": at if is_awaited else None,
        "position": location.position,
        "status": str(report.status),
        "word": report.raw_status,
        "providerMessageId": report.provider_message_id,
        "at": at,
        "source": source,
        "segments": report.segments,
        "failure": msgspec.to_builtins(report.failure),
        "expiresAt": at + RETENTION_SECONDS,
    }
    what = source if source == "redact" else report.status
    with suppress(Conflict):
        ledger.commit([Write(STATUS_EVENTS, _id(location, what, report.provider_message_id), data, MUST_BE_ABSENT)])


def _id(location: MessageLocation, what: str, provider_message_id: str) -> str:
    """A message that was sent again may have become two of the provider's: the fate of one says nothing of the other."""
    which = hashlib.sha256(provider_message_id.encode()).hexdigest()[:12]
    return f"{location.message_id}:{what}:{which}"


def fill_history(ledger: Ledger, location: MessageLocation, record: MessageRecord) -> None:
    """With what was told on the way to the final status, which is not worth a write: it stays news. The record is not for keeping
    afterwards."""
    if record.provider_message_id is None:
        return
    found = ledger.get(
        STATUS_EVENTS,
        [_id(location, status, record.provider_message_id) for status in MessageStatus if not status.final],
    )
    heard = {word for _, _, source, word in record.history if source == "callback"}
    told = [each.data for each in found if each is not None and each.data["word"] not in heard]
    record.history += [(float(each["at"]), each["status"], "callback", each["word"]) for each in told]
    record.history.sort(key=lambda entry: entry[0])


def read_status_events(
    ledger: Ledger, blocks: Sequence[Block], *, final_only: bool = False
) -> dict[str, list[Document]]:
    """What was told of blocks of one chunk, by block: a range of ids, so that ten blocks cost no more queries than one."""
    ids = [block.id for block in blocks]
    told: dict[str, list[Document]] = {id_: [] for id_ in ids}
    for document in _read(ledger, "finalIn" if final_only else "block", min(ids), max(ids)):
        told.get(document.data["block"], []).append(document)
    return told


def read_campaign_events(ledger: Ledger, campaign: str) -> Iterator[Document]:
    """The final news of a campaign's messages."""
    return _read(ledger, "finalIn", f"{campaign}-", f"{campaign}-~")


def _read(ledger: Ledger, field: str, first: str, last: str) -> Iterator[Document]:
    where: tuple[Condition, ...] = ((field, ">=", first), (field, "<=", last))
    return scan(ledger, Query(STATUS_EVENTS, where, order_by=field, limit=PAGE))


def read_late_events(ledger: Ledger, *, until: float, limit: int) -> list[Document]:
    """Final news that has been waiting since that time, oldest first: of blocks that no round would look at soon."""
    where: tuple[Condition, ...] = (("finalAt", "<=", until),)
    return ledger.find(Query(STATUS_EVENTS, where, order_by="finalAt", limit=limit))


def delete_events(ledger: Ledger, news: Sequence[Document]) -> None:
    """Delete news that is in its block. Nothing is lost by a deletion that does not come about."""
    done = [Write(STATUS_EVENTS, document.id, None) for document in news]
    for start in range(0, len(done), MAX_WRITES):
        ledger.commit(done[start : start + MAX_WRITES])


def merge_events(block: Block, news: Iterable[Document]) -> None:
    """Apply news to the block's messages, oldest first."""
    for document in sorted(news, key=lambda each: float(each.data["at"])):
        record = block.records.get(document.data["position"])
        if record is not None:
            change_of(document)(record)


def change_of(document: Document) -> ApplyReport:
    return ApplyReport(report_of(document), document.data["at"], document.data["source"], stored=True)


def is_awaited(record: MessageRecord, document: Document) -> bool:
    """It may change the message."""
    return record.may_yield or document.data["source"] == "redact"


def report_of(document: Document) -> DeliveryReport:
    data = document.data
    return DeliveryReport(
        provider_message_id=data["providerMessageId"],
        status=MessageStatus(data["status"]),
        raw_status=data["word"],
        failure=msgspec.convert(data["failure"], FailureReason | None),
        segments=data["segments"],
        updated_at=datetime.fromtimestamp(data["at"], UTC),
    )
