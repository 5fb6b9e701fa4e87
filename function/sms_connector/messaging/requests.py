"""What the engine is asked to do, checked and rendered already; no wire names here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sms_connector.model.segments import Segments


class OnUnknown(StrEnum):
    """What the caller wants when an outcome stays unknown: at most once, or at least once."""

    REPORT = "report"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class Tracking:
    """How a message is followed: ask every `interval` seconds, at most `attempts` times; `wait` holds the answer until then."""

    interval: float = 10.0
    attempts: int = 6
    wait: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """One record of a request: recipient checked, text rendered and measured. `key` is the record's own idempotency key."""

    index: int
    to: str
    text: str
    segments: Segments
    key: str | None = None


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What holds for every record of a request."""

    sender: str
    tracking: Tracking = field(default_factory=Tracking)
    on_unknown: OnUnknown = OnUnknown.REPORT
    media_urls: tuple[str, ...] = ()
    validity_seconds: int | None = None
    send_at: datetime | None = None
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One or many records. `nonce` makes the message ids: the same nonce and index give the same id, so that a request that is
    carried on after a crash finds what it had begun."""

    drafts: Sequence[Draft]
    options: SendOptions
    nonce: str
    request_id: str


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages of the ledger are listed, newest first."""

    to: str | None = None
    status: str | None = None
    campaign: str | None = None
    provider_message_id: str | None = None
    created_after: float | None = None
    created_before: float | None = None
