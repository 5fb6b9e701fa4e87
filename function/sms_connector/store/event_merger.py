"""Merge the pending status events of campaigns' messages into their blocks, and count those that are not merged yet.

The events of a block are merged when the block is due. Late ones, of a block that is not due for hours, are found by
their age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec

from sms_connector.ports import Document, Ledger
from sms_connector.store.block_store import BlockStore
from sms_connector.store.blocks import Block, by_chunk, read_blocks, records_of
from sms_connector.store.campaign_record import Tally
from sms_connector.store.status_events import (
    change_of,
    delete_events,
    is_awaited,
    merge_events,
    read_campaign_events,
    read_late_events,
    read_status_events,
)

# By then a run has read every block that is still polled.
LATE_SECONDS = 15.0
LATE_PER_RUN = 500


def merge_due(ledger: Ledger, store: BlockStore, blocks: Mapping[str, Block]) -> None:
    """Merge what was reported of these blocks since the last run."""
    events: dict[str, list[Document]] = {}
    # Any event settles an unknown outcome, and may tell an id; of the others only a final one is worth a write.
    for settled in (True, False):
        some = [block for block in blocks.values() if _is_settled(block) is settled]
        for found in store.each(partial(read_status_events, ledger, final_only=settled), by_chunk(some)):
            events |= found
    _merge(ledger, store, blocks, events)


def merge_late(ledger: Ledger, store: BlockStore, now: float) -> set[str]:
    """Merge final events that have been waiting, except those of blocks whose worker still holds them.

    Return the campaigns that were changed.
    """
    events = _by_block(read_late_events(ledger, until=now - LATE_SECONDS, limit=LATE_PER_RUN))
    blocks = {id_: block for id_, block in read_blocks(ledger, events).items() if not block.owned}
    merge_due(ledger, store, {id_: block for id_, block in blocks.items() if not _is_settled(block)})
    _merge(ledger, store, blocks, {id_: events[id_] for id_, block in blocks.items() if _is_settled(block)})
    return {block.campaign for block in blocks.values()}


def _merge(
    ledger: Ledger, store: BlockStore, blocks: Mapping[str, Block], events: Mapping[str, Sequence[Document]]
) -> None:
    awaited = {id_: _awaited(blocks[id_], some) for id_, some in events.items()}
    changes = [(blocks[id_].records[each.data["position"]], change_of(each)) for id_ in events for each in awaited[id_]]
    saved = store.save_in_blocks(changes, loaded=dict(blocks))
    # A worker may have added messages to the block since it was read: their events come with the next run.
    done = [
        each
        for id_, some in events.items()
        for each in some
        if each.data["position"] in blocks[id_].records and (id_ in saved or each not in awaited[id_])
    ]
    delete_events(ledger, done)


class Pending(msgspec.Struct, frozen=True):
    """The difference that unmerged events make to a campaign's counts; `chunks` are the chunks concerned."""

    counts: Counter[str]
    open_messages: int
    chunks: list[str]


def count_pending(ledger: Ledger, campaign_id: str) -> Pending:
    """Return the difference between the totals and what a page of results shows already."""
    events = _by_block(read_campaign_events(ledger, campaign_id))
    blocks = [block for block in read_blocks(ledger, events).values() if not block.owned]
    before = Tally.of(records_of(blocks))
    for block in blocks:
        merge_events(block, _awaited(block, events[block.id]))
    after = Tally.of(records_of(blocks))
    counts = Counter(after.counts)
    counts.subtract(before.counts)
    return Pending(counts, after.open_messages - before.open_messages, sorted({block.chunk_id for block in blocks}))


def _by_block(events: Iterable[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for each in events:
        found.setdefault(each.data["block"], []).append(each)
    return found


def _awaited(block: Block, events: Iterable[Document]) -> list[Document]:
    """Return those that may change one of the block's messages, oldest first."""
    in_order = sorted(events, key=lambda each: float(each.data["at"]))
    records = [(block.records.get(each.data["position"]), each) for each in in_order]
    return [each for record, each in records if record is not None and is_awaited(record, each)]


def _is_settled(block: Block) -> bool:
    return not any(record.is_unsettled or record.lacks_id for record in block.records.values())
