"""A message on its way out, as every provider's package gets it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime

import msgspec

# The checks right before an attempt of a message's call: what it raises keeps the attempt from being made.
BeforeAttempt = Callable[[], object]


class OutboundMessage(msgspec.Struct, frozen=True):
    """One message to one recipient, rendered and checked.

    `to` and `sender` are addresses in the connector's own form: E.164 with `+`, a short code, an alphanumeric id, a
    channel address (`whatsapp:+…`), or for `sender` a pool of the provider's (Twilio: `MG…`). `callback_url` is where
    the provider reports on this very message; it names us and is keyed (sending.md section 3). `intended_at` (epoch
    seconds) is when the message was meant to be sent: the same at each repeat.
    """

    id: str
    to: str
    sender: str
    text: str
    media_urls: tuple[str, ...] = ()
    validity_seconds: int | None = None
    send_at: datetime | None = None
    callback_url: str | None = None
    intended_at: float = 0.0

    @property
    def digest(self) -> str:
        return text_digest(self.text)


# The form of our ids; of a provider that echoes ids, whatever else it sends is not about a message of ours.
MESSAGE_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,64}")


def batch_of(message_id: str) -> str:
    """Return what the ids of the messages of one request, or of one chunk of a campaign, begin with; a provider may
    know them by it."""
    return message_id.rpartition("-")[0] or message_id[:-4]


def text_digest(text: str) -> str:
    """Return the digest that the ledger keeps of a text, to recognise it in the provider's list."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
