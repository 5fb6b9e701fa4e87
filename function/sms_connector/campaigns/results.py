"""A campaign's results in the order of its records, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sms_connector.campaigns.chunk import Chunk, RefusedRecord
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Ledger
from sms_connector.sending.send import new_record
from sms_connector.store.block_store import BlockStore
from sms_connector.store.campaign_record import CAMPAIGNS, Campaign, CampaignState, MessageLocation
from sms_connector.store.message_record import MessageRecord, Phase

# Chunks that a page of one status reads at most, however few of their messages have it.
CHUNKS_PER_PAGE = 40


class WaitingRecord(msgspec.Struct, frozen=True):
    """A record that was not called (yet); `canceled` where it never will be."""

    index: int
    to: str
    sender: str | None
    message_id: str
    canceled: bool
    key: str | None = None
    reference: str | None = None
    line: int | None = None

    @property
    def status(self) -> MessageStatus:
        return MessageStatus.CANCELED if self.canceled else MessageStatus.ACCEPTED


Result = MessageRecord | RefusedRecord | WaitingRecord
# A result with the cells of its record's row.
Line = tuple[Result, tuple[str, ...]]
# Where a page begins: the chunk, and how many of its results were given already.
Position = tuple[int, int]


class CampaignResults(msgspec.Struct, frozen=True):
    """Reads chunks and the messages made of them."""

    ledger: Ledger
    store: BlockStore

    def page(
        self,
        campaign: Campaign,
        *,
        limit: int,
        after: Position | None = None,
        status: MessageStatus | None = None,
    ) -> tuple[list[Result], Position | None]:
        """Return at most `limit` results, of one status if given, and where the next page begins (`after`).

        With a status a page may be short or empty, and still have a next page: it ends after enough chunks.
        """
        results: list[Result] = []
        number, skip = after or (0, 0)
        last = campaign.chunks if status is None else min(campaign.chunks, number + CHUNKS_PER_PAGE)
        while len(results) < limit and number < last:
            lines, count = self._chunk(campaign, number, skip=skip, limit=None if status else limit - len(results))
            for result, _ in lines:
                skip += 1
                if status in (None, _status(result)):
                    results.append(result)
                if len(results) == limit:
                    break
            if skip >= count:
                number, skip = number + 1, 0
        return results, (number, skip) if number < campaign.chunks else None

    def all(self, campaign: Campaign, *, status: MessageStatus | None = None) -> Iterator[Line]:
        """Yield every result with its row's cells, a chunk in memory at a time."""
        for number in range(campaign.chunks):
            lines, _ = self._chunk(campaign, number)
            yield from (line for line in lines if status in (None, _status(line[0])))

    def waiting(self, message_id: str) -> MessageRecord | None:
        """Return a campaign's message that was not called yet, as it will be; None for an unknown record."""
        location = MessageLocation.of(message_id)
        if location is None:
            return None
        [found] = self.ledger.get(CAMPAIGNS, [location.campaign])
        chunk = Chunk.read(self.ledger, location.campaign, location.chunk)
        if found is None or chunk is None:
            return None
        campaign = Campaign.of(found)
        drafts = list(chunk.drafts(campaign))
        if location.position >= len(drafts):
            return None
        draft, at = drafts[location.position], campaign.created_at
        record = new_record(draft, campaign.options, message_id, at=at, campaign=campaign.id)
        if campaign.state is CampaignState.CANCELED:
            record.status, record.phase = MessageStatus.CANCELED, Phase.DONE
        return record

    def _chunk(
        self, campaign: Campaign, number: int, *, skip: int = 0, limit: int | None = None
    ) -> tuple[list[Line], int]:
        """Return lines of the chunk, and how many it has in all."""
        chunk = Chunk.read(self.ledger, campaign.id, number)
        if chunk is None:
            return [], 0
        lines = _lines(campaign, chunk)[skip:][:limit]
        ids = [result.message_id for result, _ in lines if isinstance(result, WaitingRecord)]
        found = {record.id: record for record in self.store.get(ids) if record is not None} if ids else {}
        return [
            (found.get(result.message_id, result) if isinstance(result, WaitingRecord) else result, row)
            for result, row in lines
        ], chunk.count


def _lines(campaign: Campaign, chunk: Chunk) -> list[Line]:
    canceled, lines = campaign.state is CampaignState.CANCELED, list[Line]()
    for position, kept in enumerate(chunk.accepted):
        id_ = MessageLocation(campaign.id, chunk.number, position).message_id
        sender = kept.sender or campaign.options.sender
        waiting = WaitingRecord(kept.index, kept.to, sender, id_, canceled, kept.key, kept.reference, kept.line)
        lines.append((waiting, kept.row))
    lines += [(refused, refused.row) for refused in chunk.refused]
    return sorted(lines, key=lambda line: line[0].index)


def _status(result: Result) -> MessageStatus:
    return MessageStatus.ERROR if isinstance(result, RefusedRecord) else result.status
