"""A campaign's results in the order of its records, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.campaign import CAMPAIGNS, CHUNKS, Campaign, CampaignState, Place, chunk_id
from sms_connector.messaging.campaigns.chunk import Chunk, RefusedRecord
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.send import new_record
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Ledger


class WaitingRecord(msgspec.Struct, frozen=True):
    """A record that was not called (yet); `canceled` where it never will be."""

    index: int
    to: str
    message_id: str
    canceled: bool


Result = MessageRecord | RefusedRecord | WaitingRecord
# Where a page begins: the chunk, and how many of its results were given already.
Position = tuple[int, int]


class CampaignResults:
    """Reads chunks and the messages made of them."""

    def __init__(self, ledger: Ledger, store: BlockStore) -> None:
        self._ledger = ledger
        self._store = store

    def page(self, campaign: Campaign, *, limit: int, start: Position = (0, 0)) -> tuple[list[Result], Position | None]:
        """At most `limit` results; the second value is where the next page begins."""
        results: list[Result] = []
        number, skip = start
        while len(results) < limit and number < campaign.chunks:
            part = self._chunk(campaign, number, skip=skip, limit=limit - len(results))
            results += part
            skip += len(part)
            if len(results) < limit:
                number, skip = number + 1, 0
        more = number < campaign.chunks and not self._is_end(campaign, number, skip)
        return results, (number, skip) if more else None

    def all(self, campaign: Campaign) -> Iterator[Result]:
        """Every result, a chunk in memory at a time."""
        for number in range(campaign.chunks):
            yield from self._chunk(campaign, number, skip=0, limit=10**9)

    def waiting(self, message_id: str) -> MessageRecord | None:
        """A campaign's message that was not called yet, as it will be; None where there is no such record."""
        place = Place.of(message_id)
        if place is None:
            return None
        [found] = self._ledger.get(CAMPAIGNS, [place.campaign])
        [document] = self._ledger.get(CHUNKS, [chunk_id(place.campaign, place.chunk)])
        if found is None or document is None:
            return None
        campaign, drafts = Campaign.of(found), list(Chunk.of(document).drafts(Campaign.of(found)))
        if place.position >= len(drafts):
            return None
        draft, at = drafts[place.position], campaign.created_at
        record = new_record(draft, campaign.options, message_id, at=at, campaign=campaign.id)
        if campaign.state is CampaignState.CANCELED:
            record.status, record.phase = MessageStatus.CANCELED, Phase.DONE
        return record

    def _chunk(self, campaign: Campaign, number: int, *, skip: int, limit: int) -> list[Result]:
        chunk = self._read(campaign, number)
        if chunk is None:
            return []
        rows = _rows(campaign, chunk)[skip : skip + limit]
        ids = [row.message_id for row in rows if isinstance(row, WaitingRecord)]
        found = {record.id: record for record in self._store.get(ids) if record is not None} if ids else {}
        return [found.get(row.message_id, row) if isinstance(row, WaitingRecord) else row for row in rows]

    def _is_end(self, campaign: Campaign, number: int, skip: int) -> bool:
        if number < campaign.chunks - 1:
            return False
        chunk = self._read(campaign, number)
        return chunk is None or skip >= len(chunk.accepted) + len(chunk.refused)

    def _read(self, campaign: Campaign, number: int) -> Chunk | None:
        [document] = self._ledger.get(CHUNKS, [chunk_id(campaign.id, number)])
        return Chunk.of(document) if document is not None else None


def _rows(campaign: Campaign, chunk: Chunk) -> list[Result]:
    canceled = campaign.state is CampaignState.CANCELED
    rows: list[Result] = [
        WaitingRecord(index, to, Place(campaign.id, chunk.number, position).message_id, canceled)
        for position, (index, to, _, _) in enumerate(chunk.accepted)
    ]
    return sorted([*rows, *chunk.refusals()], key=lambda row: row.index)
