"""The engine as the API sees it: one door to sending, tracking, consent and the connection's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sms_connector.messaging.connection import ConnectionControl, Limits
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.idempotency import IdempotencyKeys
from sms_connector.messaging.inbound import InboundMessages
from sms_connector.messaging.messages import Messages
from sms_connector.messaging.record import MessageRecord
from sms_connector.messaging.requests import SendRequest
from sms_connector.messaging.send import Sender

__all__ = ["Engine", "Limits", "MessageRecord", "SendRequest", "Sequence"]


@dataclass(frozen=True, slots=True)
class Engine:
    """
    sender       `send(request) -> list[MessageRecord]`, one record a draft, in order
    messages     `get(id)`, `list(filter, page)`, `cancel(id)`, `redact(id)`
    keys         `begin(key, digest) -> Replay | Started`, `finish(started, answer)`, `abandon(started)`
    opt_outs     `get(number)`, `put(number, source)`, `delete(number)`, `list(...)`
    inbound      `list(...)`
    connection   `status()`, `suspend(reason)`, `resume()`, `require_active()`, `limits()`
    """

    sender: Sender
    messages: Messages
    keys: IdempotencyKeys
    opt_outs: OptOuts
    inbound: InboundMessages
    connection: ConnectionControl
