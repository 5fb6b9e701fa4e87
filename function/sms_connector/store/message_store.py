"""Messages in the ledger: created as intents, changed only by changes that can be applied again.

A callback may change a document while its sender still has the record in hand. So every change is a function of a
record: after a conflict it is applied to the current document, and the sender's record becomes that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import fields

from sms_connector.errors import Conflict
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.person import person_key
from sms_connector.ports import MUST_BE_ABSENT, Condition, Document, Ledger, Query, Write
from sms_connector.ports.ledger_access import Cursor, conditions, read_document, scan
from sms_connector.store.apply_report import ApplyReport, Source, record_opt_out
from sms_connector.store.message_record import COLLECTION, MessageRecord
from sms_connector.store.opt_outs import OptOuts

COMMIT_LIMIT = 250  # a final message may bring a notification: two writes each, at most 500 in a commit


class Outbox(Protocol):
    """Takes notifications of final messages (`notifications.delivery.NotificationOutbox`)."""

    def writes(self, records: Sequence[MessageRecord]) -> list[Write]: ...

    def enqueue(self, ids: Sequence[str]) -> None: ...


Each = TypeVar("Each")
Done = TypeVar("Done")
Change = Callable[[MessageRecord], object]
Changes = Sequence[tuple[MessageRecord, Change]]


class PersonQuery(msgspec.Struct, frozen=True):
    """Messages by at most one of person, reference and campaign, created from `since` to `until` (both included), that
    follow `after`; `page`: read at a time."""

    person: str | None = None
    reference: str | None = None
    campaign: str | None = None
    since: float | None = None
    until: float | None = None
    after: Cursor | None = None
    page: int = 100


class MessageStore:
    """The only writer of the `messages` collection. Notifications and ended consent of a change are stored with it."""

    def __init__(
        self,
        ledger: Ledger,
        outbox: Outbox | None = None,
        opt_outs: OptOuts | None = None,
        *,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._opt_outs = opt_outs
        self._executor = executor

    def each(self, work: Callable[[Each], Done], over: Sequence[Each]) -> list[Done]:
        """Work on each, in parallel where there are threads: a store on the network answers in tens of milliseconds."""
        if self._executor is None or len(over) < 2:
            return [work(one) for one in over]
        return list(self._executor.map(work, over))

    def create(self, records: Sequence[MessageRecord]) -> None:
        """Write the intents, all or none. Raises Conflict where one of them is there already."""
        for record in records:
            record.version = MUST_BE_ABSENT
        self._commit(records)

    def get(self, ids: Sequence[str]) -> list[MessageRecord | None]:
        found = self._ledger.get(COLLECTION, ids)
        return [read_document(document, MessageRecord) if document else None for document in found]

    def find(self, query: Query) -> list[MessageRecord]:
        return [read_document(document, MessageRecord) for document in self._ledger.find(query)]

    def find_by_person(
        self,
        person: str,
        *,
        limit: int,
        since: float | None = None,
        until: float | None = None,
    ) -> list[MessageRecord]:
        """Return a person's messages (`person_key`) created from `since` to `until`, newest first, as their documents
        have them."""
        candidates = (
            record for _, record in self.newest(PersonQuery(person, since=since, until=until, page=limit + 1))
        )
        found = (
            record
            for record in candidates
            if person_key(record.to) == person
            and (since is None or since <= record.created_at)
            and (until is None or record.created_at <= until)
        )
        return list(islice(found, limit))

    def newest(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Yield candidates, newest first, each with its cursor. The caller drops those that don't match, and so bounds
        how much is read."""
        if query.campaign is not None:
            return  # its messages are in blocks
        by = conditions(
            ("person", "==", query.person), ("reference", "==", query.reference), ("createdAt", "<=", query.until)
        )
        for document in self._pages(COLLECTION, by, query):
            yield (document.data["createdAt"], document.id), read_document(document, MessageRecord)

    def _pages(self, collection: str, where: tuple[Condition, ...], query: PersonQuery) -> Iterator[Document]:
        """Yield documents, newest first, a page at a time."""
        where = (*where, *conditions(("createdAt", ">=", query.since)))
        return scan(self._ledger, Query(collection, where, "createdAt", True, query.page, query.after))

    def find_by_provider_id(self, provider_message_id: str) -> str | None:
        """Return the id of the message of ours that has that id of the provider's."""
        found = self._ledger.find(Query(COLLECTION, (("providerMessageId", "==", provider_message_id),), limit=1))
        return found[0].id if found else None

    def register_unknown(self, records: Sequence[MessageRecord]) -> None:
        """Apply reports that wait for the owner of the records. (Here they are applied as they come.)"""

    def fill_history(self, record: MessageRecord) -> None:
        """Add events that are kept elsewhere. (Here all are in the record.)"""

    def record_event(self, message_id: str, report: DeliveryReport, *, at: float, source: Source) -> bool:
        """Apply a report about a message that the caller has not read. Return False if there is no such message."""
        [record] = self.get([message_id])
        if record is None:
            return False
        change = ApplyReport(report, at, source)
        if change(record):
            self.save([(record, change)])
        return True

    def save(self, changes: Changes) -> None:
        """Store records that were changed by their changes; after a conflict the changes are applied to the current
        documents."""
        self._end_consent(changes)
        for part in _parts(changes):
            left = part
            while left:
                try:
                    self._commit([record for record, _ in left])
                    break
                except Conflict:
                    left = self._catch_up(left)

    def apply(self, record: MessageRecord, change: Change) -> None:
        """Change one record and make it durable."""
        self.apply_all([(record, change)])

    def apply_all(self, changes: Changes) -> None:
        """Change records and make them durable."""
        for record, change in changes:
            change(record)
        self.save(changes)

    def rewrite(self, records: Sequence[MessageRecord]) -> None:
        """Store the records as they are, all or none. Raises Conflict if one was changed meanwhile."""
        self._commit(records)

    def _end_consent(self, changes: Changes) -> None:
        for record, change in changes:
            record_opt_out(self._opt_outs, record.to, change)

    def _catch_up(self, changes: Changes) -> Changes:
        """Apply changes to current documents where these have changed. Deleted ones are left out."""
        found = self.get([record.id for record, _ in changes])
        for (record, change), current in zip(changes, found, strict=True):
            if current is not None and current.version != record.version:
                change(current)
                become(record, current)
        return [pair for pair, current in zip(changes, found, strict=True) if current is not None]

    def _commit(self, records: Sequence[MessageRecord]) -> None:
        with self.notifying(records) as notifications:
            versions = self._ledger.commit([*(record.to_write() for record in records), *notifications])
            for record, version in zip(records, versions, strict=False):
                record.version = version

    @contextmanager
    def notifying(self, records: Sequence[MessageRecord]) -> Iterator[list[Write]]:
        """Yield the writes of notifications about those that have become final, for the commit in the block. They are
        enqueued once it went through."""
        if self._outbox is None:
            yield []
            return
        flags = [record.announced for record in records]
        writes = self._outbox.writes(records)
        try:
            yield writes
        except BaseException:  # neither were the notifications
            for record, flag in zip(records, flags, strict=True):
                record.announced = flag
            raise
        if writes:
            self._outbox.enqueue([write.id for write in writes])


def _parts(changes: Changes) -> Iterator[Changes]:
    """Split changes into commits. Two requests may follow the same message: a commit takes it once."""
    part: dict[str, tuple[MessageRecord, Change]] = {}
    for pair in changes:
        if len(part) == COMMIT_LIMIT or pair[0].id in part:
            yield list(part.values())
            part = {}
        part[pair[0].id] = pair
    yield list(part.values())


def become(record: MessageRecord, other: MessageRecord) -> None:
    """Make the record equal to the stored one, but for its index in the current request."""
    for field in fields(MessageRecord):
        if field.name not in ("index", "replayed"):
            setattr(record, field.name, getattr(other, field.name))
