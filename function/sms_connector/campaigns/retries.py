"""Send the records of a campaign that failed and can safely be sent now, as a campaign of their own, once each.

Each retry keeps the indexes, keys and references of its records. So what an earlier one has taken is known from its
chunks, and a retry that broke off half-way is found by its id, which follows from the campaign and the number of
retries before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import msgspec
from msgspec.structs import replace

from sms_connector.campaigns.chunk import AcceptedRecord, Chunk, Columns
from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.intake import CampaignOrder, Intake
from sms_connector.errors import PreconditionFailed
from sms_connector.model.send_request import SendOptions
from sms_connector.model.template import Template
from sms_connector.ports import Clock, Ledger
from sms_connector.sending.idempotency import RecordKeys
from sms_connector.store.block_store import BlockStore
from sms_connector.store.campaign_record import Campaign, CampaignState, MessageLocation

# Between the plan of a retry and its last call at a usual size; larger campaigns are held against the notice by their
# forecast.
MARGIN_SECONDS = 60.0


class Retries(msgspec.Struct, frozen=True):
    """Makes retries. `keys` knows which failures free a record; `notice`: how long before `sendAt` a provider takes
    messages, in seconds."""

    ledger: Ledger
    store: BlockStore
    campaigns: Campaigns
    intake: Intake
    keys: RecordKeys
    clock: Clock
    notice: float

    def retry(self, campaign_id: str, *, request_id: str) -> Campaign:
        """Return the new campaign, or the latest earlier one if no further record can be sent. Raises NotFound,
        PreconditionFailed if there is neither, and what the intake raises."""
        origin = self.campaigns.read(campaign_id)
        if origin.state is CampaignState.ACCEPTING:
            raise PreconditionFailed("the campaign's records are still being taken in; retry it when it runs")
        records = self._sendable(origin)
        first = next(records, None)
        if first is None:
            return self._latest(origin)
        taken = self.intake.accept(self._order(origin, request_id), chain([first], records))
        self.campaigns.note_retry(campaign_id, taken.id)
        return taken

    def _latest(self, origin: Campaign) -> Campaign:
        if not origin.retries:
            raise PreconditionFailed(
                "no record of the campaign failed in a way that lets it be sent again safely (error.retry 'safe', or "
                "an opt-out that has ended since); GET /v1/campaigns/{campaign_id}/results?status=error shows why each "
                "failed"
            )
        return self.campaigns.read(origin.retries[-1])

    def _order(self, origin: Campaign, request_id: str) -> CampaignOrder:
        return CampaignOrder(
            text=origin.text,
            placeholders=len(Template.parse(origin.text).placeholders),
            options=self._options(origin.options),
            nonce=f"retry {len(origin.retries)} of {origin.id}",
            request_id=request_id,
            source=origin.source,
            name=origin.name,
            reference=origin.reference,
            mapping=origin.mapping,
            origin=origin.id,
            columns=Columns(origin.columns),
        )

    def _options(self, options: SendOptions) -> SendOptions:
        """Keep `sendAt` while it is ahead, as late as the provider's notice makes it; send at once where it has
        passed."""
        now = self.clock.time()
        if options.send_at is None or options.send_at.timestamp() <= now:
            return replace(options, send_at=None)
        earliest = datetime.fromtimestamp(now + self.notice + MARGIN_SECONDS, UTC)
        return replace(options, send_at=max(options.send_at, earliest))

    def _sendable(self, origin: Campaign) -> Iterator[AcceptedRecord]:
        taken = self._taken(origin)
        for chunk in self._chunks(origin):
            locations = {
                MessageLocation(origin.id, chunk.number, position).message_id: record
                for position, record in enumerate(chunk.accepted)
                if not taken[record.index]
            }
            for found in self.store.get(list(locations)) if locations else ():
                if found is not None and self.keys.is_free(found):
                    yield locations[found.id]

    def _taken(self, origin: Campaign) -> bytearray:
        """Return a byte for each index in the campaign: 1 if its record is in a retry already."""
        taken = bytearray(origin.total)
        for id_ in origin.retries:
            for chunk in self._chunks(self.campaigns.read(id_)):
                for record in chunk.accepted:
                    taken[record.index] = 1
        return taken

    def _chunks(self, campaign: Campaign) -> Iterator[Chunk]:
        for number in range(campaign.chunks):
            if (chunk := Chunk.read(self.ledger, campaign.id, number)) is not None:
                yield chunk
