"""The message store of a node that carries a chunk out: the same promises as `MessageStore`, kept a block at a time.

`create` writes the block with the new intents, and with whatever outcomes have come in since; `save` only remembers outcomes
until a block is complete or `flush` is called. A node that dies in between leaves those messages as being called, hence
unknown, and they are looked up at the provider: the rule of every message.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.blocks import Block, read_blocks
from sms_connector.messaging.campaigns.campaign import BLOCK_RECORDS, Campaign, Place, block_id
from sms_connector.messaging.message_store import Announcer, Change
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.ports import Ledger


class ChunkStore(BlockStore):
    """One chunk's messages. Thread-safe. Raises Conflict where another node writes the same block: then this one must stop."""

    def __init__(
        self, ledger: Ledger, campaign: Campaign, chunk: int, *, valid: int, announcer: Announcer | None = None
    ) -> None:
        super().__init__(ledger, announcer)
        self._ledger = ledger
        self._campaign = campaign
        self._chunk = chunk
        self._valid = valid
        self._lock = threading.Lock()
        self._blocks: dict[str, Block] = {}
        self._dirty: set[str] = set()

    def load(self) -> list[MessageRecord]:
        """What an earlier attempt at this chunk has left, in order."""
        numbers = range(-(-self._valid // BLOCK_RECORDS))
        self._blocks = read_blocks(
            self._ledger, [block_id(self._campaign.id, self._chunk, number) for number in numbers]
        )
        return [record for block in self._blocks.values() for record in block.records.values()]

    def blocks(self) -> list[Block]:
        return list(self._blocks.values())

    def create(self, records: Sequence[MessageRecord]) -> None:
        with self._lock:
            touched = [self._put(record) for record in records]
            self._write(touched)

    def save(self, changes: Sequence[tuple[MessageRecord, Change]]) -> None:
        """The records are the blocks' own and changed already."""
        with self._lock:
            touched = {self._block_of(record).id for record, _ in changes}
            self._dirty |= touched
            self._write([block for id_ in touched if self._complete(block := self._blocks[id_])])

    def apply(self, record: MessageRecord, change: Change) -> None:
        change(record)
        self.save([(record, change)])

    def withdraw(self, record: MessageRecord) -> None:
        """The provider did not take it and is not to be bothered now: as if the call had never been meant."""
        with self._lock:
            block = self._block_of(record)
            block.records.pop(_position(record), None)
            self._dirty.add(block.id)

    def flush(self) -> None:
        """Write every outcome that is only remembered."""
        with self._lock:
            self._write([self._blocks[id_] for id_ in sorted(self._dirty)])

    def _put(self, record: MessageRecord) -> Block:
        block = self._block_of(record)
        block.records[_position(record)] = record
        return block

    def _block_of(self, record: MessageRecord) -> Block:
        place = Place(self._campaign.id, self._chunk, _position(record))
        block = self._blocks.get(place.block_id)
        if block is None:
            tracking = self._campaign.options.tracking
            block = Block(
                place.block_id,
                self._campaign.id,
                record.created_at,
                sender=record.sender,
                interval=tracking.interval,
                attempts_allowed=tracking.attempts,
                callback_url=record.callback_url,
            )
            self._blocks[block.id] = block
        return block

    def _complete(self, block: Block) -> bool:
        full = len(block.records) == BLOCK_RECORDS
        return full and all(record.phase != Phase.CALLING for record in block.records.values())

    def _write(self, blocks: Iterable[Block]) -> None:
        chosen = list({block.id: block for block in blocks}.values())
        if not chosen:
            return
        for block in chosen:
            block.plan_next_check()
        announced = self.announce([record for block in chosen for record in block.records.values()])
        versions = self._ledger.commit([*(block.to_write() for block in chosen), *announced])
        for block, version in zip(chosen, versions, strict=False):
            if version is not None:
                block.version = version
            self._dirty.discard(block.id)
        self.announced(announced)


def _position(record: MessageRecord) -> int:
    place = Place.of(record.id)
    if place is None:
        raise ValueError(f"{record.id} is not a campaign's message")
    return place.position
