"""Every message of the ledger, whether it has a document of its own or a place in a campaign's block.

This is the store of all that happens after sending: looking up, asking, reconciling. A change of a campaign's message, the
chunk's counts and what has to be announced of it are one commit: applied once, whatever fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from heapq import merge
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.person import person_key
from sms_connector.model.status import MessageStatus, advance
from sms_connector.ports import Condition, Ledger, Query, Write
from sms_connector.store.apply_report import ApplyReport, OptOutRecorder, Source, record_opt_out
from sms_connector.store.blocks import BLOCKS, Block, by_chunk, read_blocks
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
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import (
    Change,
    Changes,
    Cursor,
    MessageStore,
    Outbox,
    PersonQuery,
    become,
)
from sms_connector.store.status_events import fill_history, merge_events, read_status_events, write_status_event

Item = tuple[MessageLocation, MessageRecord, Change]
# Follows every block's id.
LAST_ID = "~"
# A list that ends at a time finds messages of a block that went on after a pause of its campaign, if it was not longer.
LONGEST_PAUSE = 24 * 3600.0

Each = TypeVar("Each")
Done = TypeVar("Done")


class BlockStore(MessageStore):
    """`MessageStore` for both kinds of messages."""

    def __init__(
        self,
        ledger: Ledger,
        outbox: Outbox | None = None,
        opt_outs: OptOutRecorder | None = None,
        *,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        super().__init__(ledger, outbox, opt_outs)
        self._ledger = ledger
        self._executor = executor

    def get(self, ids: Sequence[str]) -> list[MessageRecord | None]:
        locations = {id_: location for id_ in ids if (location := MessageLocation.of(id_)) is not None}
        own = [id_ for id_ in ids if id_ not in locations]
        found = dict(zip(own, super().get(own), strict=True)) if own else {}
        found |= self._read_locations(locations)
        self._mirror([record for record in found.values() if record is not None and record.same_as])
        return [found.get(id_) for id_ in ids]

    def update_copies(self, records: Sequence[MessageRecord]) -> None:
        """Make durable what became of the messages that these stand for: it is counted, and announced."""
        self._mirror(records)
        self.save_in_blocks([(record, _Mirror(replace(record))) for record in records])

    def _mirror(self, copies: Sequence[MessageRecord]) -> None:
        wanted = sorted({record.same_as for record in copies if record.same_as})
        firsts = {each.id: each for each in self.get(wanted) if each is not None} if wanted else {}
        for record in copies:
            if record.same_as in firsts:
                record.mirror(firsts[record.same_as])

    def save(self, changes: Changes) -> None:
        super().save([pair for pair in changes if MessageLocation.of(pair[0].id) is None])
        self.save_in_blocks(changes)

    def apply(self, record: MessageRecord, change: Change) -> None:
        if MessageLocation.of(record.id) is None:
            return super().apply(record, change)
        change(record)
        self.save_in_blocks([(record, change)])
        return None

    def record_event(self, message_id: str, report: DeliveryReport, *, at: float, source: Source) -> bool:
        """A campaign's message may be its worker's alone at the moment: the report is kept as news."""
        location = MessageLocation.of(message_id)
        if location is None:
            return super().record_event(message_id, report, at=at, source=source)
        if report.failure is not None and report.failure.is_opt_out:
            self._end_consent_by(message_id, ApplyReport(report, at, source))
        write_status_event(self._ledger, location, report, at=at, source=source)
        if report.status is MessageStatus.READ:
            self._apply_read(location, report, at)
        return True

    def _end_consent_by(self, message_id: str, change: ApplyReport) -> None:
        """Before it is noted that this was reported: what breaks off in between is done again."""
        [record] = self.get([message_id])
        recipient = record.to if record is not None else change.report and change.report.to
        change.is_change = record is None or change(record)
        if recipient:
            record_opt_out(self._opt_outs, recipient, change)

    def fill_history(self, record: MessageRecord) -> None:
        location = MessageLocation.of(record.id)
        if location is not None:
            fill_history(self._ledger, location, record)

    def find_by_provider_id(self, provider_message_id: str) -> str | None:
        own = super().find_by_provider_id(provider_message_id)
        if own is not None:
            return own
        found = self._ledger.find(Query(BLOCKS, (("providerMessageIds", "contains", provider_message_id),), limit=1))
        records = chain.from_iterable(Block.of(document).records.values() for document in found)
        return next((each.id for each in records if each.provider_message_id == provider_message_id), None)

    def _by_person(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Those of blocks take their place by the time of their block, which is that of its latest intent."""
        return merge(super()._by_person(query), self._by_person_in_blocks(query), key=itemgetter(0), reverse=True)

    def newest(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        return merge(super().newest(query), self._newest_in_blocks(query), key=itemgetter(0), reverse=True)

    def _newest_in_blocks(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Every message of the blocks that may hold one. A block begins and ends within a second, or within a pause of its campaign."""
        where: tuple[Condition, ...] = ()
        if query.person is not None:
            where = (("people", "contains", query.person),)
        elif query.reference is not None:
            where = (("references", "contains", query.reference),)
        elif query.campaign is not None:
            where = (("campaign", "==", query.campaign),)
        if query.until is not None:
            where = (*where, ("createdAt", "<=", query.until + LONGEST_PAUSE))
        after = None if query.after is None else (query.after[0], LAST_ID)
        for document in self._pages(BLOCKS, where, replace(query, after=after)):
            for position, record in sorted(Block.of(document).records.items(), reverse=True):
                cursor = (document.data["createdAt"], f"{document.id}:{position:03}")
                if query.after is None or cursor < query.after:
                    yield cursor, record

    def _by_person_in_blocks(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        # A page may have ended within a block: it is read again, from the first of its time.
        after = None if query.after is None else (query.after[0], LAST_ID)
        where: tuple[Condition, ...] = (("people", "contains", query.person or ""),)
        for document in self._pages(BLOCKS, where, replace(query, after=after)):
            records = sorted(Block.of(document).records.values(), key=attrgetter("id"), reverse=True)
            for record in records:
                cursor = (document.data["createdAt"], record.id)
                follows = query.after is None or cursor < query.after
                if follows and person_key(record.to) == query.person and _is_within(record, query):
                    yield cursor, record

    def save_in_blocks(self, changes: Changes, *, loaded: dict[str, Block] | None = None) -> set[str]:
        """A commit for each chunk: what all its blocks count for is in one document. `loaded` saves reading blocks that were just
        read. Returns the blocks that took their changes: one that is held does not, and what was reported of it is kept as news."""
        self._end_consent(changes)
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
        """The block is held: its worker would write over what is changed in it."""
        if isinstance(change, ApplyReport) and change.report is not None and change.is_change and not change.stored:
            write_status_event(self._ledger, location, change.report, at=change.at, source=change.source)

    def each(self, work: Callable[[Each], Done], over: Sequence[Each]) -> list[Done]:
        """The work on each, in parallel where there are threads: a store on the network answers in tens of milliseconds."""
        if self._executor is None or len(over) < 2:
            return [work(one) for one in over]
        return list(self._executor.map(work, over))

    def _try_save(self, items: Sequence[Item], loaded: dict[str, Block]) -> set[str] | None:
        """The blocks that took their changes; None where somebody else was quicker."""
        location, wanted = items[0][0], {location.block_id for location, _, _ in items}
        blocks = {id_: loaded[id_] for id_ in wanted if id_ in loaded}
        blocks |= read_blocks(self._ledger, sorted(wanted - blocks.keys()))
        # A held one's worker will record what it did.
        free = {id_: block for id_, block in blocks.items() if not block.held}
        [document] = self._ledger.get(PROGRESS, [chunk_id(location.campaign, location.chunk)]) if free else [None]
        if document is None:
            return set()  # all held; or expired with its campaign
        progress = Progress.of(document)
        before = _tally(free)
        _change(free, items)
        after = _tally(free)
        sums = self._removed_from_totals(progress) if after != before else []
        progress.recount(before, after)
        counted = [progress.to_write(expires_at=float(document.data["expiresAt"])), *sums]
        return set(free) if self._commit_blocks(list(free.values()), counted) else None

    def _removed_from_totals(self, progress: Progress) -> list[Write]:
        """Late news of a chunk whose counts are in its campaign's sums: taken out of them, in the same commit."""
        [document] = self._ledger.get(CAMPAIGNS, [progress.campaign]) if progress.state == AGGREGATED else [None]
        if document is None:
            return []
        campaign = Campaign.of(document)
        campaign.remove_from_totals(progress)
        return [campaign.to_write()]

    def _commit_blocks(self, blocks: Sequence[Block], counted: Sequence[Write]) -> bool:
        announced = self.announce([record for block in blocks for record in block.records.values()])
        writes: list[Write] = [*(block.to_write() for block in blocks), *counted, *announced]
        try:
            versions = self._ledger.commit(writes)
        except Conflict:
            return False
        self.announced(announced)
        for block, version in zip(blocks, versions, strict=False):
            block.version = version
        return True

    def _read_locations(self, locations: dict[str, MessageLocation]) -> dict[str, MessageRecord | None]:
        """As the blocks have them, with the news that is not folded in yet."""
        wanted: dict[str, list[tuple[str, int]]] = {}
        for id_, location in locations.items():
            wanted.setdefault(location.block_id, []).append((id_, location.position))
        blocks = read_blocks(self._ledger, wanted)
        open_blocks = [
            block
            for name, block in blocks.items()
            if block.held
            or any(record.may_yield for _, at in wanted[name] if (record := block.records.get(at)) is not None)
        ]
        news = self.each(partial(read_status_events, self._ledger), by_chunk(open_blocks))
        # A round may have folded some in and forgotten it meanwhile: then the block has it by now.
        blocks |= read_blocks(self._ledger, (block.id for block in open_blocks))
        for id_, told in chain.from_iterable(each.items() for each in news):
            merge_events(blocks[id_], told)
        return {id_: block.records.get(at) for name, block in blocks.items() for id_, at in wanted[name]}

    def _apply_read(self, location: MessageLocation, report: DeliveryReport, at: float) -> None:
        """`delivered` is final and yet yields to `read`: nobody looks for news of it any more, and a round may be noting it at this
        moment. So this is applied at once."""
        blocks = read_blocks(self._ledger, [location.block_id])
        record = blocks[location.block_id].records.get(location.position) if blocks else None
        if record is not None and record.status is not advance(record.status, report.status):
            change = ApplyReport(report, at, "callback", stored=True)
            self.save_in_blocks([(record, change)], loaded=blocks)


class _Mirror(msgspec.Struct, frozen=True):
    """What became of the first message, as a change that can be applied again."""

    seen: MessageRecord

    def __call__(self, record: MessageRecord) -> None:
        record.mirror(self.seen)
        record.next_check_at = self.seen.next_check_at


def _tally(blocks: dict[str, Block]) -> Tally:
    return Tally.of(record for block in blocks.values() for record in block.records.values())


def _change(blocks: dict[str, Block], items: Sequence[Item]) -> None:
    for location, record, change in items:
        current = blocks[location.block_id].records.get(location.position) if location.block_id in blocks else None
        if current is not None:
            change(current)
            become(record, current)


def _is_within(record: MessageRecord, query: PersonQuery) -> bool:
    since, until = query.since, query.until
    return (since is None or since <= record.created_at) and (until is None or record.created_at <= until)
