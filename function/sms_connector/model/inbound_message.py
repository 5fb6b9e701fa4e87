"""A message that came in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Keyword(StrEnum):
    """The meaning of a keyword, by the provider or by our own list."""

    STOP = "stop"
    START = "start"
    HELP = "help"


class InboundMessage(msgspec.Struct, frozen=True):
    """A reply or any other text to one of our numbers. `keyword` is the provider's own reading where it gives one."""

    provider_message_id: str
    sender: str
    to: str
    text: str
    received_at: datetime
    media_urls: tuple[str, ...] = ()
    keyword: Keyword | None = None
    in_reply_to: str | None = None
