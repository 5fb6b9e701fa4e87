"""All messages in the ledger: those of requests in documents of their own, those of campaigns in blocks.

Messages are created as intents, and changed only by changes that can be applied again: a callback may change a document
while its sender still has the record in hand. So every change is a function of a record; after a conflict it is applied
to the current document, and the sender's record becomes that. A change of a campaign's message, the chunk's counts and
its notifications are one commit, applied once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from heapq import merge
from itertools import chain, islice
from math import inf
from operator import itemgetter
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.person import person_key
from sms_connector.model.status import MessageStatus, advance
from sms_connector.ports import MUST_BE_ABSENT, Condition, Document, Ledger, Query, Version, Write
from sms_connector.ports.ledger_access import conditions, read_document, scan
from sms_connector.store.apply_report import ApplyReport, Source, record_opt_out
from sms_connector.store.blocks import BLOCKS, Block, by_chunk, message_at, read_blocks, records_of
from sms_connector.store.campaign_record import (
    AGGREGATED,
    CAMPAIGNS,
    PROGRESS,
    Campaign,
    MessageLocation,
    Progress,
    Tally,
    chunk_id,
)
from sms_connector.store.message_record import COLLECTION, MessageRecord
from sms_connector.store.message_record import become as become
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.status_events import fill_history, merge_events, read_status_events, write_status_event

COMMIT_LIMIT = 250  # a final message may bring a notification: two writes each, at most 500 in a commit
# A list that ends at a time finds messages of a block that went on after a pause of its campaign, if it was not longer.
# (A person is in few blocks, so those of a person are all read.)
LONGEST_PAUSE = 24 * 3600.0

# Where a page of messages ends: the time and the id it was found by.
Cursor = tuple[float, str]


class Outbox(Protocol):
    """Takes notifications of final messages (`notifications.delivery.NotificationOutbox`)."""

    def writes(self, records: Sequence[MessageRecord]) -> list[Write]: ...

    def enqueue(self, ids: Sequence[str]) -> None: ...


Each = TypeVar("Each")
Done = TypeVar("Done")
Change = Callable[[MessageRecord], object]
Changes = Sequence[tuple[MessageRecord, Change]]
Item = tuple[MessageLocation, MessageRecord, Change]


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
    """The only writer of messages, but for blocks that a worker owns (`ChunkStore`). Notifications and ended consent
    of a change are stored with it."""

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

    # --- reading ------------------------------------------------------------------------------------------------------

    def get(self, ids: Sequence[str]) -> list[MessageRecord | None]:
        locations = {id_: location for id_ in ids if (location := MessageLocation.of(id_)) is not None}
        own = [id_ for id_ in ids if id_ not in locations]
        documents = self._ledger.get(COLLECTION, own) if own else []
        found = self._read_locations(locations)
        found |= {each.id: read_document(each, MessageRecord) for each in documents if each is not None}
        self._mirror([record for record in found.values() if record is not None and record.same_as])
        return [found.get(id_) for id_ in ids]

    def _read_locations(self, locations: dict[str, MessageLocation]) -> dict[str, MessageRecord | None]:
        """Return messages of blocks, with the events that are not merged yet."""
        blocks = read_blocks(self._ledger, dict.fromkeys(each.block_id for each in locations.values()))
        changing = {at.block_id for at in locations.values() if (found := message_at(blocks, at)) and found.may_yield}
        open_blocks = [block for block in blocks.values() if block.owned or block.id in changing]
        events = self.each(partial(read_status_events, self._ledger), by_chunk(open_blocks))
        # A run may have merged and deleted events meanwhile: then the block has them now.
        blocks |= read_blocks(self._ledger, (block.id for block in open_blocks))
        for id_, pending in chain.from_iterable(each.items() for each in events):
            merge_events(blocks[id_], pending)
        return {id_: message_at(blocks, location) for id_, location in locations.items()}

    def fill_history(self, record: MessageRecord) -> None:
        """Add the events that are kept elsewhere."""
        location = MessageLocation.of(record.id)
        if location is not None:
            fill_history(self._ledger, location, record)

    def find(self, query: Query) -> list[MessageRecord]:
        return [read_document(document, MessageRecord) for document in self._ledger.find(query)]

    def find_by_person(
        self, person: str, *, limit: int, since: float | None = None, until: float | None = None
    ) -> list[MessageRecord]:
        """Return a person's messages (`person_key`) created from `since` to `until`, newest first, as their documents
        have them."""
        query = PersonQuery(person, since=since, until=until, page=limit + 1)
        first, last = -inf if since is None else since, inf if until is None else until
        candidates = (record for _, record in self.newest(query) if first <= record.created_at <= last)
        return list(islice((record for record in candidates if person_key(record.to) == person), limit))

    def find_by_provider_id(self, provider_message_id: str) -> str | None:
        """Return the id of the message of ours that has that id of the provider's."""
        own = self._ledger.find(Query(COLLECTION, (("providerMessageId", "==", provider_message_id),), limit=1))
        if own:
            return own[0].id
        found = self._ledger.find(Query(BLOCKS, (("providerMessageIds", "contains", provider_message_id),), limit=1))
        records = records_of(map(Block.of, found))
        return next((each.id for each in records if each.provider_message_id == provider_message_id), None)

    def newest(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Yield candidates, newest first, each with its cursor. The caller drops those that don't match, and so bounds
        how much is read. Messages of blocks are sorted by the time of their block, which is that of its latest intent.
        """
        own = self._newest_of_requests(query) if query.campaign is None else iter(())
        return merge(own, self._newest_in_blocks(query), key=itemgetter(0), reverse=True)

    def _newest_of_requests(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        by = conditions(
            ("person", "==", query.person), ("reference", "==", query.reference), ("createdAt", "<=", query.until)
        )
        for document in self._pages(COLLECTION, by, query):
            yield (document.data["createdAt"], document.id), read_document(document, MessageRecord)

    def _newest_in_blocks(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Yield every message of the blocks that may hold a match. A block covers a second, or a pause of its
        campaign."""
        where = conditions(
            ("people", "contains", query.person),
            ("references", "contains", query.reference),
            ("campaign", "==", query.campaign),
            ("createdAt", "<=", query.until + LONGEST_PAUSE if query.until is not None and not query.person else None),
        )
        after = None if query.after is None else (query.after[0], "~")  # sorts after every block's id
        for document in self._pages(BLOCKS, where, replace(query, after=after)):
            for position, record in sorted(Block.of(document).records.items(), reverse=True):
                cursor = (document.data["createdAt"], f"{document.id}:{position:03}")
                if query.after is None or cursor < query.after:
                    yield cursor, record

    def _pages(self, collection: str, where: tuple[Condition, ...], query: PersonQuery) -> Iterator[Document]:
        """Yield documents, newest first, a page at a time."""
        where = (*where, *conditions(("createdAt", ">=", query.since)))
        return scan(self._ledger, Query(collection, where, "createdAt", True, query.page, query.after))

    # --- changes ------------------------------------------------------------------------------------------------------

    def create(self, records: Sequence[MessageRecord]) -> None:
        """Write the intents, all or none. Raises Conflict where one of them is there already."""
        for record in records:
            record.version = MUST_BE_ABSENT
        self._commit(records)

    def register_unknown(self, records: Sequence[MessageRecord]) -> None:
        """Apply reports that wait for the owner of the records. (Here they are applied as they come.)"""

    def record_event(self, message_id: str, report: DeliveryReport, *, at: float, source: Source) -> bool:
        """Apply a report about a message that the caller has not read; of a campaign's message it is kept as a status
        event, as a worker may own the block. Return False if there is no such message."""
        location = MessageLocation.of(message_id)
        if location is None:
            [record] = self.get([message_id])
            if record is not None:
                change = ApplyReport(report, at, source)
                if change(record):
                    self.save([(record, change)])
            return record is not None
        if report.failure is not None and report.failure.is_opt_out:
            self._end_consent_by(message_id, ApplyReport(report, at, source))
        write_status_event(self._ledger, location, report, at=at, source=source)
        if report.status is MessageStatus.READ:
            self._apply_read(location, report, at)
        return True

    def _end_consent_by(self, message_id: str, change: ApplyReport) -> None:
        """End consent before the event is kept: after a failure in between, the report comes again."""
        [record] = self.get([message_id])
        recipient = record.to if record is not None else change.report and change.report.to
        change.is_change = record is None or change(record)
        if recipient:
            record_opt_out(self._opt_outs, recipient, change)

    def _apply_read(self, location: MessageLocation, report: DeliveryReport, at: float) -> None:
        """Apply `read` at once: it follows `delivered`, which is final, so that no run would look for it."""
        blocks = read_blocks(self._ledger, [location.block_id])
        record = message_at(blocks, location)
        if record is not None and record.status is not advance(record.status, report.status):
            self.save_in_blocks([(record, ApplyReport(report, at, "callback", stored=True))], loaded=blocks)

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

    def save(self, changes: Changes) -> None:
        """Store records that were changed by their changes; after a conflict the changes are applied to the current
        documents."""
        self._end_consent(changes)
        for part in _parts([pair for pair in changes if MessageLocation.of(pair[0].id) is None]):
            while part:
                try:
                    self._commit([record for record, _ in part])
                    break
                except Conflict:
                    part = self._catch_up(part)  # what is left of it
        self.save_in_blocks(changes)

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

    # --- blocks -------------------------------------------------------------------------------------------------------

    def update_copies(self, records: Sequence[MessageRecord]) -> None:
        """Store the outcome of the messages that these refer to, with its counts and notifications."""
        self._mirror(records)
        self.save_in_blocks([(record, partial(MessageRecord.mirror, first=replace(record))) for record in records])

    def _mirror(self, copies: Sequence[MessageRecord]) -> None:
        wanted = sorted({record.same_as for record in copies if record.same_as})
        firsts = {each.id: each for each in self.get(wanted) if each is not None} if wanted else {}
        for record in copies:
            if record.same_as in firsts:
                record.mirror(firsts[record.same_as])

    def save_in_blocks(self, changes: Changes, *, loaded: dict[str, Block] | None = None) -> set[str]:
        """Commit the changes of campaigns' messages, chunk by chunk, as the counts of a chunk are one document.
        `loaded` are blocks that were just read.

        Return the ids of the changed blocks. An owned block is not changed: its reports are kept as status events.
        """
        of_chunks: dict[str, list[Item]] = {}
        for record, change in changes:
            location = MessageLocation.of(record.id)
            if location is not None:
                of_chunks.setdefault(chunk_id(location.campaign, location.chunk), []).append((location, record, change))

        def save(items: Sequence[Item]) -> set[str]:
            blocks = loaded or {}
            while (saved := self._try_save(items, blocks)) is None:
                blocks = {}
            return saved

        saved = set().union(*self.each(save, list(of_chunks.values())))
        for location, _, change in chain.from_iterable(of_chunks.values()):
            if location.block_id not in saved:
                self._keep(location, change)
        return saved

    def _keep(self, location: MessageLocation, change: Change) -> None:
        """Keep the report of an owned block, whose worker would overwrite a change."""
        if isinstance(change, ApplyReport) and change.report is not None and change.is_change and not change.stored:
            write_status_event(self._ledger, location, change.report, at=change.at, source=change.source)

    def _try_save(self, items: Sequence[Item], loaded: dict[str, Block]) -> set[str] | None:
        """Return the ids of the changed blocks; None after a conflict."""
        location, wanted = items[0][0], {location.block_id for location, _, _ in items}
        blocks = {id_: loaded[id_] for id_ in wanted if id_ in loaded}
        blocks |= read_blocks(self._ledger, sorted(wanted - blocks.keys()))
        # The worker of an owned block records its outcomes.
        free = {id_: block for id_, block in blocks.items() if not block.owned}
        [document] = self._ledger.get(PROGRESS, [chunk_id(location.campaign, location.chunk)]) if free else [None]
        if document is None:
            return set()  # all are owned, or the chunk has expired with its campaign
        progress = Progress.of(document)
        before = Tally.of(records_of(free.values()))
        for at, record, change in items:
            if (current := message_at(free, at)) is not None:
                change(current)
                become(record, current)
        after = Tally.of(records_of(free.values()))
        sums = self._removed_from_totals(progress) if after != before else []
        progress.recount(before, after)
        counted = [progress.to_write(expires_at=float(document.data["expiresAt"])), *sums]
        try:
            self._commit_blocks(list(free.values()), counted)
        except Conflict:
            return None
        return set(free)

    def _removed_from_totals(self, progress: Progress) -> list[Write]:
        """Take a chunk's counts out of its campaign's totals, in the same commit as a late change."""
        [document] = self._ledger.get(CAMPAIGNS, [progress.campaign]) if progress.state == AGGREGATED else [None]
        if document is None:
            return []
        campaign = Campaign.of(document)
        campaign.remove_from_totals(progress)
        return [campaign.to_write()]

    def _commit_blocks(
        self, blocks: Sequence[Block], counted: Sequence[Write], *, owned: bool = False
    ) -> list[Version | None]:
        """Commit blocks with their counts and notifications. Return the versions of the counts."""
        with self.notifying(records_of(blocks)) as notifications:
            writes = [*(block.to_write(owned=owned) for block in blocks), *counted, *notifications]
            versions = self._ledger.commit(writes)
            for block, version in zip(blocks, versions, strict=False):
                block.version, block.owned = version, owned
            return versions[len(blocks) : len(blocks) + len(counted)]


def _parts(changes: Changes) -> Iterator[Changes]:
    """Split changes into commits. Two requests may follow the same message: a commit takes it once."""
    part: dict[str, tuple[MessageRecord, Change]] = {}
    for pair in changes:
        if len(part) == COMMIT_LIMIT or pair[0].id in part:
            yield list(part.values())
            part = {}
        part[pair[0].id] = pair
    yield list(part.values())
