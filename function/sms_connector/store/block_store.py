"""The store of all messages, those with a document of their own and those in a campaign's block.

Everything after sending uses it: look-ups, polling, reconciliation. A change of a campaign's message, the chunk's
counts and its notifications are one commit, applied once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from heapq import merge
from itertools import chain
from operator import itemgetter

from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus, advance
from sms_connector.ports import Query, Version, Write
from sms_connector.ports.ledger_access import Cursor, conditions
from sms_connector.store.apply_report import ApplyReport, Source, record_opt_out
from sms_connector.store.blocks import BLOCKS, Block, by_chunk, read_blocks, records_of
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
from sms_connector.store.message_store import Change, Changes, MessageStore, PersonQuery, become
from sms_connector.store.status_events import fill_history, merge_events, read_status_events, write_status_event

Item = tuple[MessageLocation, MessageRecord, Change]
# Sorts after every block's id.
LAST_ID = "~"
# A list that ends at a time finds messages of a block that went on after a pause of its campaign, if it was not longer.
# (A person is in few blocks, so those of a person are all read.)
LONGEST_PAUSE = 24 * 3600.0


class BlockStore(MessageStore):
    """`MessageStore` for both kinds of messages."""

    def get(self, ids: Sequence[str]) -> list[MessageRecord | None]:
        locations = {id_: location for id_ in ids if (location := MessageLocation.of(id_)) is not None}
        own = [id_ for id_ in ids if id_ not in locations]
        found = dict(zip(own, super().get(own), strict=True)) if own else {}
        found |= self._read_locations(locations)
        self._mirror([record for record in found.values() if record is not None and record.same_as])
        return [found.get(id_) for id_ in ids]

    def update_copies(self, records: Sequence[MessageRecord]) -> None:
        """Store the outcome of the messages that these refer to, with its counts and notifications."""
        self._mirror(records)
        self.save_in_blocks([(record, partial(_copy_outcome, seen=replace(record))) for record in records])

    def _mirror(self, copies: Sequence[MessageRecord]) -> None:
        wanted = sorted({record.same_as for record in copies if record.same_as})
        firsts = {each.id: each for each in self.get(wanted) if each is not None} if wanted else {}
        for record in copies:
            if record.same_as in firsts:
                record.mirror(firsts[record.same_as])

    def save(self, changes: Changes) -> None:
        super().save([pair for pair in changes if MessageLocation.of(pair[0].id) is None])
        self.save_in_blocks(changes)

    def record_event(self, message_id: str, report: DeliveryReport, *, at: float, source: Source) -> bool:
        """Keep the report as a status event: a worker may own the message's block at the moment."""
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
        """End consent before the event is kept: after a failure in between, the report comes again."""
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
        records = records_of(map(Block.of, found))
        return next((each.id for each in records if each.provider_message_id == provider_message_id), None)

    def newest(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Sort messages of blocks by the time of their block, which is that of its latest intent."""
        return merge(super().newest(query), self._newest_in_blocks(query), key=itemgetter(0), reverse=True)

    def _newest_in_blocks(self, query: PersonQuery) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Yield every message of the blocks that may hold a match. A block covers a second, or a pause of its
        campaign."""
        where = conditions(
            ("people", "contains", query.person),
            ("references", "contains", query.reference),
            ("campaign", "==", query.campaign),
            ("createdAt", "<=", query.until + LONGEST_PAUSE if query.until is not None and not query.person else None),
        )
        after = None if query.after is None else (query.after[0], LAST_ID)
        for document in self._pages(BLOCKS, where, replace(query, after=after)):
            for position, record in sorted(Block.of(document).records.items(), reverse=True):
                cursor = (document.data["createdAt"], f"{document.id}:{position:03}")
                if query.after is None or cursor < query.after:
                    yield cursor, record

    def save_in_blocks(self, changes: Changes, *, loaded: dict[str, Block] | None = None) -> set[str]:
        """Commit the changes chunk by chunk, since the counts of a chunk are one document. `loaded` are blocks that
        were just read.

        Return the ids of the changed blocks. An owned block is not changed: its reports are kept as status events.
        """
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
        _change(free, items)
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

    def _read_locations(self, locations: dict[str, MessageLocation]) -> dict[str, MessageRecord | None]:
        """Return messages of blocks, with the events that are not merged yet."""
        blocks = read_blocks(self._ledger, dict.fromkeys(each.block_id for each in locations.values()))
        changing = {at.block_id for at in locations.values() if (found := _at(blocks, at)) and found.may_yield}
        open_blocks = [block for block in blocks.values() if block.owned or block.id in changing]
        events = self.each(partial(read_status_events, self._ledger), by_chunk(open_blocks))
        # A run may have merged and deleted events meanwhile: then the block has them now.
        blocks |= read_blocks(self._ledger, (block.id for block in open_blocks))
        for id_, pending in chain.from_iterable(each.items() for each in events):
            merge_events(blocks[id_], pending)
        return {id_: _at(blocks, location) for id_, location in locations.items()}

    def _apply_read(self, location: MessageLocation, report: DeliveryReport, at: float) -> None:
        """Apply `read` at once: it follows `delivered`, which is final, so that no run would look for it."""
        blocks = read_blocks(self._ledger, [location.block_id])
        record = _at(blocks, location)
        if record is not None and record.status is not advance(record.status, report.status):
            change = ApplyReport(report, at, "callback", stored=True)
            self.save_in_blocks([(record, change)], loaded=blocks)


def _copy_outcome(record: MessageRecord, seen: MessageRecord) -> None:
    record.mirror(seen)
    record.next_check_at = seen.next_check_at


def _at(blocks: Mapping[str, Block], location: MessageLocation) -> MessageRecord | None:
    block = blocks.get(location.block_id)
    return block.records.get(location.position) if block is not None else None


def _change(blocks: dict[str, Block], items: Sequence[Item]) -> None:
    for location, record, change in items:
        current = _at(blocks, location)
        if current is not None:
            change(current)
            become(record, current)
