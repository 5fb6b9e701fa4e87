"""The message store of a worker: the same promises as `MessageStore`, kept a block at a time.

`create` writes a block with its new intents. `save` keeps outcomes in memory until the block is complete; then the
block is written, counted and released. A worker that dies in between leaves those messages as being called, hence
unknown, and they are looked up at the provider, as every message is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Ledger
from sms_connector.store.block_store import BlockStore
from sms_connector.store.blocks import Block, read_blocks, records_of
from sms_connector.store.campaign_record import (
    BLOCK_RECORDS,
    PROGRESS,
    Campaign,
    MessageLocation,
    Progress,
    Tally,
    block_id,
)
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.message_store import Changes, Outbox
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.status_events import merge_events, read_status_events

Count = Callable[[Progress], None]


class ChunkStore(BlockStore):
    """The messages of one chunk. Thread-safe. Raises Conflict if another worker has reclaimed the chunk: this one must
    stop.

    `progress` is the chunk's, claimed by this worker.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: Campaign,
        progress: Progress,
        *,
        outbox: Outbox | None = None,
        opt_outs: OptOuts | None = None,
    ) -> None:
        super().__init__(ledger, outbox, opt_outs)
        self._campaign = campaign
        self._progress = progress
        self._lock = threading.RLock()
        self._blocks: dict[str, Block] = {}

    def reclaim(self, abandon: Callable[[MessageRecord], None]) -> list[MessageRecord]:
        """Reclaim what earlier attempts at this chunk have begun: blocks that were not released, and those that are not
        full or have an unknown outcome. `abandon` is called for messages that were being called.

        Return all messages; those in owned blocks are this worker's.
        """
        numbers = range(-(-self._progress.valid // BLOCK_RECORDS))
        ids = [block_id(self._campaign.id, self._progress.chunk, number) for number in numbers]
        self._blocks = read_blocks(self._ledger, ids)
        for id_, block in list(self._blocks.items()):
            while self._has_work(block) and not self._take(block, abandon):
                block = self._blocks[id_] = read_blocks(self._ledger, [id_])[id_]
        return records_of(self._blocks.values())

    def changing(self) -> AbstractContextManager[object]:
        """Keep blocks from being written during a change of records."""
        return self._lock

    def create(self, records: Sequence[MessageRecord]) -> None:
        with self._lock:
            blocks = {block.id: block for block in map(self._put, records)}
            self._write(list(blocks.values()), released=False)

    def rewrite(self, records: Sequence[MessageRecord]) -> None:
        with self._lock:
            self._write(self._owned_blocks_of(records), released=False)

    def save(self, changes: Changes) -> None:
        """Keep outcomes of records, which are the blocks' own. One that is about to be called (again) is written at
        once."""
        self._end_consent(changes)
        with self._lock:
            touched = self._owned_blocks_of([record for record, _ in changes])
            called = [block for block in touched if self._is_called(block)]
            self._write([block for block in called if _is_settled(block)], released=True)
            intents = self._owned_blocks_of([record for record, _ in changes if record.phase == Phase.CALLING])
            self._write([block for block in touched if block.owned and block in [*called, *intents]], released=False)

    def register_unknown(self, records: Sequence[MessageRecord]) -> None:
        """Merge events into the owned blocks, so that callbacks settle unknown outcomes before the provider is polled
        and before anything is sent again."""
        with self._lock:
            blocks = self._owned_blocks_of([record for record in records if record.phase == Phase.UNKNOWN])
            for id_, pending in (read_status_events(self._ledger, blocks) if blocks else {}).items():
                merge_events(self._blocks[id_], pending)

    def withdraw(self, record: MessageRecord) -> None:
        """Remove intents of messages that were not called and will not be now."""
        with self._lock:
            self._block_of(record).records.pop(_position(record), None)

    def flush(self) -> None:
        """Write what may be only in memory."""
        with self._lock:
            self._write([block for block in self._blocks.values() if block.owned], released=False)

    def finish_chunk(self) -> Progress:
        """Release the chunk's blocks after the attempt: from then on events are merged into them."""
        with self._lock:
            owned = [block for block in self._blocks.values() if block.owned]
            tally = Tally.of(records_of(owned))

            def count(progress: Progress) -> None:
                progress.recount(Tally(), tally)
                progress.finish_chunk()

            self._store_blocks(owned, count, owned=False)
            return self._progress

    # --- inside, under the lock -------------------------------------------------------------------------------------

    def _put(self, record: MessageRecord) -> Block:
        block = self._block_of(record)
        block.records[_position(record)] = record
        return block

    def _block_of(self, record: MessageRecord) -> Block:
        location = MessageLocation(self._campaign.id, self._progress.chunk, _position(record))
        block = self._blocks.get(location.block_id)
        if block is None:
            tracking = self._campaign.options.tracking
            block = Block(
                location.block_id,
                self._campaign.id,
                record.created_at,
                sender=record.sender,
                interval=tracking.interval,
                attempts_allowed=tracking.attempts,
                callback_url=record.callback_url,
                owned=True,
            )
            self._blocks[block.id] = block
        return block

    def _take(self, block: Block, abandon: Callable[[MessageRecord], None]) -> bool:
        """Return False after a conflict with a change of the block."""
        counted = Tally() if block.owned else Tally.of(block.records.values())
        for record in block.records.values():
            if record.phase == Phase.CALLING:
                abandon(record)
        try:
            self._store_blocks([block], lambda progress: progress.recount(counted, Tally()))
        except Conflict as conflict:
            if conflict.collection == PROGRESS:
                raise
            return False
        return True

    def _has_work(self, block: Block) -> bool:
        has_unknown = any(record.status is MessageStatus.UNKNOWN for record in block.records.values())
        return block.owned or has_unknown or len(block.records) < self._capacity(block)

    def _capacity(self, block: Block) -> int:
        first = int(block.id.rpartition("-")[2]) * BLOCK_RECORDS
        return min(BLOCK_RECORDS, self._progress.valid - first)

    def _owned_blocks_of(self, records: Sequence[MessageRecord]) -> list[Block]:
        blocks = {block.id: block for block in map(self._block_of, records)}
        return [block for block in blocks.values() if block.owned]

    def _is_called(self, block: Block) -> bool:
        full = len(block.records) == self._capacity(block)
        return full and all(record.phase != Phase.CALLING for record in block.records.values())

    def _write(self, blocks: Sequence[Block], *, released: bool) -> None:
        if not blocks:
            return
        tally = Tally.of(records_of(blocks))
        count = (lambda progress: progress.recount(Tally(), tally)) if released else None
        self._store_blocks(blocks, count, owned=not released)

    def _store_blocks(self, blocks: Sequence[Block], count: Count | None, *, owned: bool = True) -> None:
        """Commit blocks and, where counts change, the chunk's progress, which events of other blocks may have
        changed."""
        while True:
            progress = replace(self._progress)
            counted = []
            if count is not None:
                count(progress)
                counted = [progress.to_write(expires_at=self._campaign.keep_until)]
            try:
                versions = self._commit_blocks(blocks, counted, owned=owned)
            except Conflict as conflict:
                if conflict.collection != PROGRESS:
                    raise
                self._read_progress()
                continue
            if versions:
                [progress.version], self._progress = versions, progress
            return

    def _read_progress(self) -> None:
        """Raises Conflict if another worker has reclaimed the chunk."""
        [document] = self._ledger.get(PROGRESS, [self._progress.id])
        current = Progress.of(document) if document is not None else None
        if current is None or current.holder != self._progress.holder:
            raise Conflict(PROGRESS, self._progress.id)
        self._progress = current


def _is_settled(block: Block) -> bool:
    """Return whether its worker has finished it; an unknown outcome may be called again."""
    return all(record.phase == Phase.DONE for record in block.records.values())


def _position(record: MessageRecord) -> int:
    location = MessageLocation.of(record.id)
    if location is None:
        raise ValueError(f"{record.id} is not a campaign's message")
    return location.position
