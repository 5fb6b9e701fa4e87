"""What will become of a campaign: how long it takes, and whether the provider's own queue can hold it.

Messages are handed over at our rate, R a second: nodes times the node's rate, or the connection's rate where that is less, times the
recipients of a call. A sender has a rate of its own at the provider, r segments a second (`Capabilities.sender_rates`); what comes
faster waits in the provider's queue for that sender. For n messages of s segments in all:

    handing over takes        T = n / R
    sending takes             t = s / r            (at least T)
    the last one waits for    w = t - T            (nothing, where the sender keeps up)

The queue is longest when the last message is handed over, so w is the longest wait there is. A campaign is refused where w is more
than the provider lets its queue grow (`Capabilities.sender_queue_seconds`; from then on it would refuse messages one by one), or more
than the messages may live (`validitySeconds`). Messages for a later time (`sendAt`) are all released at that time: then w = t, and
handing over has to end before the provider's shortest notice begins.

A forecast holds for a campaign alone: others that run at the same time share the rates.
"""

from __future__ import annotations

from math import ceil

import msgspec

from sms_connector.messaging.requests import SendOptions
from sms_connector.model.phone_number import parse_sender
from sms_connector.provider import Capabilities


class Pace(msgspec.Struct, frozen=True):
    """How fast this connection may call: `node` and `connection` a second, `nodes` at once."""

    node: int = 25
    nodes: int = 1
    connection: int | None = None

    def calls_per_second(self) -> int:
        together = self.node * self.nodes
        return together if self.connection is None else min(together, self.connection)


class Forecast(msgspec.Struct, frozen=True):
    """Seconds and rates as in the module's docstring; `sender_rate` None where the provider publishes none.

    `ends_at` is epoch seconds. `refusal` is why the campaign can't be taken.
    """

    rate: float
    hand_over_seconds: float
    sender_rate: float | None
    longest_wait_seconds: float
    ends_at: float
    refusal: str | None = None


class Forecaster(msgspec.Struct, frozen=True):
    """`forecast` for this connection."""

    pace: Pace
    capabilities: Capabilities

    def forecast(self, *, messages: int, segments: int, one_text: bool, options: SendOptions, now: float) -> Forecast:
        """`one_text`: all messages have the same text."""
        capabilities = self.capabilities
        together = capabilities.recipients_per_call if one_text or not capabilities.same_text_per_call else 1
        rate = float(self.pace.calls_per_second() * together)
        handing_over = messages / rate
        sender_rate = capabilities.sender_rates.get(parse_sender(options.sender).kind)
        sending = segments / sender_rate if sender_rate else 0.0
        begin = options.send_at.timestamp() if options.send_at else now
        wait = max(0.0, sending - (0.0 if options.send_at else handing_over))
        ends_at = max(now + handing_over, begin + sending)
        refusal = self._refusal(wait, sender_rate, options) or self._too_late(now + handing_over, options)
        return Forecast(rate, handing_over, sender_rate, wait, ends_at, refusal)

    def _refusal(self, wait: float, sender_rate: float | None, options: SendOptions) -> str | None:
        if not sender_rate:
            return None
        most, life = self.capabilities.sender_queue_seconds, options.validity_seconds
        speed = "1 segment" if sender_rate == 1 else f"{sender_rate:g} segments"
        slow = f"the sender sends {speed} a second, so the last messages would wait {_say(wait)}"
        if most and wait > most:
            return f"{slow} at the provider, which queues at most {_say(most)}; split the campaign, or use a messaging service"
        if life is not None and wait > life:
            return f"{slow}, but live {_say(life)} only (validitySeconds); raise it, split the campaign, or use a messaging service"
        return None

    def _too_late(self, handed_over: float, options: SendOptions) -> str | None:
        window = self.capabilities.schedule_window
        if options.send_at is None or window is None or handed_over <= options.send_at.timestamp() - window[0]:
            return None
        return f"handing all messages over would end less than {_say(window[0])} before 'sendAt'; choose a later time"


def _say(seconds: float) -> str:
    """`3 h 20 min`, `45 s`: rounded up."""
    minutes = ceil(seconds / 60)
    if seconds < 120:
        return f"{ceil(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
