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

A campaign whose senders are chosen by country has an n and an s for each. Handing over takes T for all of them
together; w is the longest of theirs, each as if its messages came one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil

import msgspec

from sms_connector.campaigns.control import Campaigns, in_state
from sms_connector.model.phone_number import parse_sender
from sms_connector.model.send_request import SendOptions
from sms_connector.ports import Ledger
from sms_connector.provider import Capabilities
from sms_connector.store.campaign_record import Campaign, CampaignState, SenderLoad

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
    """What other campaigns have left: `messages` to be handed over; `senders`: of them for each sender, and the
    segments that it has yet to send."""

    messages: int = 0
    senders: Mapping[str, SenderLoad] = msgspec.field(default_factory=dict)


NOTHING = Ahead()


class SenderForecast(msgspec.Struct, frozen=True):
    """One sender's part of a forecast. `ahead` are the segments of other campaigns that it sends first."""

    sender: str
    messages: int
    segments: int
    rate: float | None
    longest_wait_seconds: float
    ends_at: float
    ahead: int = 0


class Forecast(msgspec.Struct, frozen=True):
    """Seconds and rates as in the module's docstring; `sender_rate` is that of the sender whose messages wait longest,
    None where the provider publishes none.

    `ends_at` is epoch seconds. `ahead` are the messages that go first. `refusal` is why the campaign can't be taken,
    `for_good` says that more records would not change that.
    """

    rate: float
    hand_over_seconds: float
    sender_rate: float | None
    longest_wait_seconds: float
    ends_at: float
    senders: tuple[SenderForecast, ...] = ()
    ahead: int = 0
    refusal: str | None = None
    for_good: bool = False


class Forecaster(msgspec.Struct, frozen=True):
    """`forecast` for this connection."""

    pace: Pace
    capabilities: Capabilities

    def sender_rate(self, sender: str) -> float | None:
        return self.capabilities.sender_rates.get(parse_sender(sender).kind)

    def forecast(
        self,
        loads: Mapping[str, SenderLoad],
        *,
        one_text: bool,
        options: SendOptions,
        now: float,
        ahead: Ahead = NOTHING,
    ) -> Forecast:
        """Return the forecast; `loads`: what each sender gets; `one_text`: all messages have the same text."""
        capabilities = self.capabilities
        together = capabilities.recipients_per_call if one_text or not capabilities.same_text_per_call else 1
        rate = float(self.pace.calls_per_second() * together)
        handed_over = now + (ahead.messages + sum(load.messages for load in loads.values())) / rate
        send_at = options.send_at.timestamp() if options.send_at else None
        parts = [
            self._of_sender(sender, load, ahead, rate=rate, handed_over=handed_over, send_at=send_at)
            for sender, load in loads.items()
        ]
        slowest = max(parts, key=lambda part: part.longest_wait_seconds, default=None)
        too_slow = self._refusal(slowest, options, several=len(parts) > 1) if slowest else None
        refusal = too_slow or self._too_late(handed_over, options)
        sender_rate = slowest.rate if slowest else None
        for_good = too_slow is None or options.send_at is not None or (sender_rate or 0.0) <= rate
        return Forecast(
            rate,
            handed_over - now,
            sender_rate,
            slowest.longest_wait_seconds if slowest else 0.0,
            max([handed_over, *(part.ends_at for part in parts)]),
            tuple(parts),
            ahead.messages,
            refusal,
            for_good and refusal is not None,
        )

    def _of_sender(
        self, sender: str, load: SenderLoad, ahead: Ahead, *, rate: float, handed_over: float, send_at: float | None
    ) -> SenderForecast:
        """Times are epoch seconds: when all messages are handed over, and when they are to be sent, if later."""
        first = ahead.senders.get(sender, SenderLoad())
        sender_rate = self.sender_rate(sender)
        sending = (first.segments + load.segments) / sender_rate if sender_rate else 0.0
        if send_at is None:
            wait = max(0.0, sending - (first.messages + load.messages) / rate)
            ends_at = handed_over + wait
        else:
            wait, ends_at = sending, max(handed_over, send_at + sending)
        return SenderForecast(sender, load.messages, load.segments, sender_rate, wait, ends_at, first.segments)

    def _refusal(self, part: SenderForecast, options: SendOptions, *, several: bool) -> str | None:
        if not part.rate:
            return None
        wait, most, life = part.longest_wait_seconds, self.capabilities.sender_queue_seconds, options.validity_seconds
        who = "one of the senders" if several else "the sender"
        speed = "1 segment" if part.rate == 1 else f"{part.rate:g} segments"
        others = f" and has {part.ahead:,} of other campaigns to send first" if part.ahead else ""
        slow = f"{who} sends {speed} a second{others}, so the last messages would wait {_say(wait)}"
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


def ahead_of(campaigns: Campaigns, options: SendOptions, rate_of: Callable[[str], float | None]) -> Ahead:
    """Return what goes before a campaign with these options; `rate_of` a sender in segments a second.

    An estimate from whole chunks, of two counts a campaign: of chunks that are not sent, every record is left. What was
    handed over since a campaign began to run, and its sender can't have sent in that time, waits in the provider's
    queue.
    """
    messages, senders = 0, dict[str, SenderLoad]()
    for campaign in campaigns.page(limit=CAMPAIGNS_EXAMINED)[0]:
        waiting = _at_provider(campaign, options, rate_of, campaigns.clock.time())
        is_running = campaign.state is CampaignState.RUNNING
        if not is_running and not any(waiting.values()):
            continue
        left = _left(campaigns.ledger, campaign)
        messages += left * is_running
        for sender, segments in waiting.items():
            load, ahead = campaign.loads[sender], senders.setdefault(sender, SenderLoad())
            messages_left = left * load.messages // max(1, campaign.valid)
            segments_left = messages_left * load.segments // max(1, load.messages)
            ahead.messages += messages_left * is_running
            ahead.segments += max(0, segments - segments_left) + segments_left * is_running
    return Ahead(messages, senders)


def _at_provider(
    campaign: Campaign, options: SendOptions, rate_of: Callable[[str], float | None], now: float
) -> dict[str, int]:
    """Return, for each sender that both may have, the segments that it can't have sent since the campaign began.

    Scheduled messages wait in a queue of their own.
    """
    send_at = campaign.options.send_at
    if (send_at is None) != (options.send_at is None):
        return {}
    begun = send_at.timestamp() if send_at else campaign.running_since
    seconds = max(0.0, now - begun) if begun is not None else 0.0
    return {
        sender: max(0, round(load.segments - seconds * rate)) if (rate := rate_of(sender)) else 0
        for sender, load in campaign.loads.items()
        if options.sender in (None, sender)
    }


def _left(ledger: Ledger, campaign: Campaign) -> int:
    """Return the messages that were not handed over, to the chunk."""
    if campaign.state is CampaignState.DONE or not campaign.chunks:
        return 0
    chunks = sum(ledger.count(in_state(campaign.id, state)) for state in ("pending", "running"))
    return min(campaign.valid, -(-campaign.valid * chunks // campaign.chunks))
