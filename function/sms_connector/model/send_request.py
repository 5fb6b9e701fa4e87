"""Requests to the engine, checked and rendered; no wire names here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from sms_connector.model.segments import Segments


class OnUnknown(StrEnum):
    """The caller's choice for an outcome that stays unknown: at most once, or at least once."""

    REPORT = "report"
    RESEND = "resend"


class Tracking(msgspec.Struct, frozen=True, rename="camel"):
    """How a message is followed: ask every `interval` seconds, at most `attempts` times; `wait` holds the answer until
    then."""

    interval: float = 10.0
    attempts: int = 6
    wait: bool = False


class Draft(msgspec.Struct, frozen=True):
    """One record of a request: recipient checked, text rendered and measured.

    `sender` is the address that was chosen for it; empty where a preview has none. `key` is the record's own
    idempotency key, `reference` the caller's name for it, `line` where it begins in the caller's file: returned with
    every result.
    """

    index: int
    to: str
    sender: str
    text: str
    segments: Segments
    key: str | None = None
    reference: str | None = None
    line: int | None = None


class SendOptions(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Options for every record of a request. `sender` is the address that all records have, None where it is chosen for
    each. `template` is the saved template it was made from, with its version (`name@3`), `channel` the channel
    definition of Journeys that it came by."""

    sender: str | None = None
    tracking: Tracking = msgspec.field(default_factory=Tracking)
    on_unknown: OnUnknown = OnUnknown.REPORT
    media_urls: tuple[str, ...] = ()
    validity_seconds: int | None = None
    send_at: datetime | None = None
    callback_url: str | None = None
    template: str | None = None
    channel: str | None = None


class SendRequest(msgspec.Struct, frozen=True):
    """One or many records. `nonce` makes the message ids: the same nonce and index give the same id, so that a request
    that is carried on after a crash finds what it had begun."""

    drafts: Sequence[Draft]
    options: SendOptions
    nonce: str
    request_id: str


class MessageFilter(msgspec.Struct, frozen=True):
    """Which messages of the ledger are listed, newest first: what is None is not filtered by. `to` is any spelling of a
    person's number."""

    to: str | None = None
    status: str | None = None
    reference: str | None = None
    campaign: str | None = None
    provider_message_id: str | None = None
    created_after: float | None = None
    created_before: float | None = None
