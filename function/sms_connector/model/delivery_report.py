"""A provider's report about a message, from a callback, a poll or a list."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.status import MessageStatus


class FailureReason(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a message did not arrive. `code`, `message`, `more_info` are the source's own, verbatim; `kind` is ours.

    `source`: `provider` (it refused or reported), `transport` (no answer came), `connector` (refused before any call).
    """

    source: str
    kind: ErrorKind
    message: str
    code: int | str | None = None
    more_info: str | None = None
    retry: RetrySafety = RetrySafety.NEVER

    @property
    def is_opt_out(self) -> bool:
        """Return whether the provider says that the recipient has opted out. (A refusal of our own only repeats what is
        known.)"""
        return self.source == "provider" and self.kind is ErrorKind.OPTED_OUT


class DeliveryReport(msgspec.Struct, frozen=True):
    """A provider's report about one message.

    `provider_message_id` is empty in the answer of a provider that tells it by later reports. `raw_status` is the
    provider's status, `status` ours. `to`, `sender`, `text_digest`, `media` (how many) and
    `created_at` are there where the provider tells them (a list): they identify a message whose id we never received.
    `message_id` is ours, where the provider echoes it; of a call with many messages it may echo what their ids begin
    with only (`batch`, see `message.batch_of`). A provider that reports on each part of a long text names the
    `part`, and how many there are (`parts`) where it tells.
    """

    provider_message_id: str
    status: MessageStatus
    raw_status: str
    failure: FailureReason | None = None
    message_id: str | None = None
    batch: str | None = None
    to: str | None = None
    sender: str | None = None
    text_digest: str | None = None
    media: int | None = None
    segments: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    part: str | None = None
    parts: int | None = None
