"""What a connection's other campaigns have left to do when a new one comes: it goes after them.

Estimated from whole chunks, which costs two counts a campaign: of those that are not sent, every record is left. What the provider has
been handed since a campaign began to run, and its sender can't have sent in that time, waits in the provider's queue.
"""

from __future__ import annotations

import msgspec

from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.forecast import Ahead
from sms_connector.model.send_request import SendOptions
from sms_connector.ports import Clock, Condition, Ledger, Query
from sms_connector.store.campaign_record import PROGRESS, Campaign, CampaignState

# Newest first; what is older than so many others is over, as a rule.
LOOKED_AT = 100


class Backlog(msgspec.Struct, frozen=True):
    """`ahead_of` a campaign that is to be sent with these options; `sender_rate` in segments a second."""

    ledger: Ledger
    campaigns: Campaigns
    clock: Clock

    def ahead_of(self, options: SendOptions, sender_rate: float | None) -> Ahead:
        messages = of_sender = segments = 0
        for campaign in self.campaigns.page(limit=LOOKED_AT)[0]:
            is_same = _queue_of(campaign.options) == _queue_of(options)
            waiting = self._at_provider(campaign, sender_rate) if is_same and sender_rate else 0
            if campaign.state is CampaignState.RUNNING or waiting:
                left = self._left(campaign)
                handed_over = campaign.segments - left * campaign.segments // max(1, campaign.valid)
                segments += max(0, waiting - (campaign.segments - handed_over))
                if campaign.state is CampaignState.RUNNING:
                    messages += left
                    of_sender += left * is_same
                    segments += (campaign.segments - handed_over) * is_same
        return Ahead(messages, of_sender, segments)

    def _at_provider(self, campaign: Campaign, sender_rate: float) -> int:
        """Segments that its sender can't have sent since it began."""
        begun = campaign.options.send_at.timestamp() if campaign.options.send_at else campaign.running_since
        sent = max(0.0, self.clock.time() - begun) * sender_rate if begun is not None else 0.0
        return max(0, round(campaign.segments - sent))

    def _left(self, campaign: Campaign) -> int:
        """Messages that were not handed over, to the chunk."""
        if campaign.state is CampaignState.DONE or not campaign.chunks:
            return 0
        chunks = sum(self.ledger.count(Query(PROGRESS, _in(campaign, state))) for state in ("pending", "running"))
        return min(campaign.valid, -(-campaign.valid * chunks // campaign.chunks))


def _queue_of(options: SendOptions) -> tuple[str, bool]:
    """Scheduled messages wait elsewhere."""
    return options.sender, options.send_at is not None


def _in(campaign: Campaign, state: str) -> tuple[Condition, ...]:
    return (("campaign", "==", campaign.id), ("state", "==", state))
