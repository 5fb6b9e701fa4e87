"""Forecast a campaign: how long it takes, and whether the provider's own queue can hold it.

Messages are handed over at our rate, R a second: nodes times the node's rate, or the connection's rate where that is
less, times the recipients of a call. A sender has a rate of its own at the provider, r segments a second
(`Capabilities.sender_rates`); what comes faster waits in the provider's queue for that sender. For n messages of s
segments in all:

    handing over takes        T = n / R
    sending takes             t = s / r            (at least T)
    the last one waits for    w = t - T            (nothing, where the sender keeps up)

The queue is longest when the last message is handed over, so w is the longest wait there is. A campaign is refused
where w is more than the provider lets its queue grow (`Capabilities.sender_queue_seconds`; from then on it would refuse
messages one by one), or more than the messages may live (`validitySeconds`). Messages for a later time (`sendAt`) are
all released at that time: then w = t, and handing over has to end before the provider's shortest notice begins.

Other campaigns are ahead (`ahead_of`): M messages have yet to be handed over, m of them for the same sender, for which
S segments have yet to be sent. They go first, so T = (M + n) / R, t = (S + s) / r, and w = t - (m + n) / R. Their
shares and ours mix in fact; no message waits longer for that.
"""

from __future__ import annotations

from math import ceil

import msgspec

from sms_connector.campaigns.control import Campaigns, in_state
from sms_connector.model.phone_number import parse_sender
from sms_connector.model.send_request import SendOptions
from sms_connector.ports import Ledger
from sms_connector.provider import Capabilities
from sms_connector.store.campaign_record import Campaign, CampaignState

# Newest first; a campaign older than this many others has usually ended.
CAMPAIGNS_EXAMINED = 100
_FASTER = "split the campaign, or use a messaging service"


class Pace(msgspec.Struct, frozen=True):
    """How fast this connection may call: `node` and `connection` a second, `nodes` at once."""

    node: int = 25
    nodes: int = 1
    connection: int | None = None

    def calls_per_second(self) -> int:
        together = self.node * self.nodes
        return together if self.connection is None else min(together, self.connection)


class Ahead(msgspec.Struct, frozen=True):
    """What other campaigns have left: `messages` to be handed over, `of_sender` of these for our sender, which has
    `segments` to send."""

    messages: int = 0
    of_sender: int = 0
    segments: int = 0


NOTHING = Ahead()


class Forecast(msgspec.Struct, frozen=True):
    """Seconds and rates as in the module's docstring; `sender_rate` None where the provider publishes none.

    `ends_at` is epoch seconds. `ahead` are the messages that go first. `refusal` is why the campaign can't be taken,
    `for_good` says that more records would not change that.
    """

    rate: float
    hand_over_seconds: float
    sender_rate: float | None
    longest_wait_seconds: float
    ends_at: float
    ahead: int = 0
    refusal: str | None = None
    for_good: bool = False


class Forecaster(msgspec.Struct, frozen=True):
    """`forecast` for this connection."""

    pace: Pace
    capabilities: Capabilities

    def sender_rate(self, options: SendOptions) -> float | None:
        return self.capabilities.sender_rates.get(parse_sender(options.sender).kind)

    def forecast(
        self,
        *,
        messages: int,
        segments: int,
        one_text: bool,
        options: SendOptions,
        now: float,
        ahead: Ahead = NOTHING,
    ) -> Forecast:
        """Return the forecast; `one_text`: all messages have the same text."""
        capabilities = self.capabilities
        together = capabilities.recipients_per_call if one_text or not capabilities.same_text_per_call else 1
        rate = float(self.pace.calls_per_second() * together)
        handing_over = (ahead.messages + messages) / rate
        sender_rate = self.sender_rate(options)
        sending = (ahead.segments + segments) / sender_rate if sender_rate else 0.0
        begin = options.send_at.timestamp() if options.send_at else now + (ahead.messages - ahead.of_sender) / rate
        wait = max(0.0, sending - (0.0 if options.send_at else (ahead.of_sender + messages) / rate))
        ends_at = max(now + handing_over, begin + sending)
        too_slow = self._refusal(wait, sender_rate, options, ahead=ahead)
        refusal = too_slow or self._too_late(now + handing_over, options)
        for_good = too_slow is None or options.send_at is not None or (sender_rate or 0.0) <= rate
        for_good = for_good and refusal is not None
        return Forecast(rate, handing_over, sender_rate, wait, ends_at, ahead.messages, refusal, for_good)

    def _refusal(self, wait: float, sender_rate: float | None, options: SendOptions, *, ahead: Ahead) -> str | None:
        if not sender_rate:
            return None
        most, life = self.capabilities.sender_queue_seconds, options.validity_seconds
        speed = "1 segment" if sender_rate == 1 else f"{sender_rate:g} segments"
        others = f" and has {ahead.segments:,} of other campaigns to send first" if ahead.segments else ""
        slow = f"the sender sends {speed} a second{others}, so the last messages would wait {_say(wait)}"
        if most and wait > most:
            return f"{slow} at the provider, which queues at most {_say(most)}; {_FASTER}"
        if life is not None and wait > life:
            return f"{slow}, but live {_say(life)} only (validitySeconds); raise it, {_FASTER}"
        return None

    def _too_late(self, handed_over: float, options: SendOptions) -> str | None:
        window = self.capabilities.schedule_window
        if options.send_at is None or window is None or handed_over <= options.send_at.timestamp() - window[0]:
            return None
        return f"handing all messages over would end less than {_say(window[0])} before 'sendAt'; choose a later time"


def _say(seconds: float) -> str:
    """Return seconds as `3 h 20 min` or `45 s`, rounded up."""
    minutes = ceil(seconds / 60)
    if seconds < 120:
        return f"{ceil(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def ahead_of(campaigns: Campaigns, options: SendOptions, sender_rate: float | None) -> Ahead:
    """Return what goes before a campaign with these options; `sender_rate` in segments a second.

    An estimate from whole chunks, of two counts a campaign: of chunks that are not sent, every record is left. What was
    handed over since a campaign began to run, and its sender can't have sent in that time, waits in the provider's
    queue.
    """
    messages = of_sender = segments = 0
    for campaign in campaigns.page(limit=CAMPAIGNS_EXAMINED)[0]:
        is_same = _queue_of(campaign.options) == _queue_of(options)
        waiting = _at_provider(campaign, sender_rate, campaigns.clock.time()) if is_same and sender_rate else 0
        if campaign.state is CampaignState.RUNNING or waiting:
            left = _left(campaigns.ledger, campaign)
            to_hand_over = left * campaign.segments // max(1, campaign.valid)
            segments += max(0, waiting - to_hand_over)
            if campaign.state is CampaignState.RUNNING:
                messages += left
                of_sender += left * is_same
                segments += to_hand_over * is_same
    return Ahead(messages, of_sender, segments)


def _at_provider(campaign: Campaign, sender_rate: float, now: float) -> int:
    """Return the segments that its sender can't have sent since it began."""
    begun = campaign.options.send_at.timestamp() if campaign.options.send_at else campaign.running_since
    sent = max(0.0, now - begun) * sender_rate if begun is not None else 0.0
    return max(0, round(campaign.segments - sent))


def _left(ledger: Ledger, campaign: Campaign) -> int:
    """Return the messages that were not handed over, to the chunk."""
    if campaign.state is CampaignState.DONE or not campaign.chunks:
        return 0
    chunks = sum(ledger.count(in_state(campaign.id, state)) for state in ("pending", "running"))
    return min(campaign.valid, -(-campaign.valid * chunks // campaign.chunks))


def _queue_of(options: SendOptions) -> tuple[str, bool]:
    return options.sender, options.send_at is not None  # scheduled messages wait in a queue of their own
