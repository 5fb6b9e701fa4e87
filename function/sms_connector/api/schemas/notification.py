"""Notifications to callback URLs, as they are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import Maybe, NextPageToken, PageQuery, Payload, Time
from sms_connector.api.schemas.message import write_result
from sms_connector.notifications.signature import envelope

if TYPE_CHECKING:
    from sms_connector.ports import Json
    from sms_connector.store.message_record import MessageRecord

State = Literal["pending", "delivered", "given_up"]


class CallbackInfo(Payload):
    """A notification of a message's final status."""

    id: Annotated[str, Meta(description="Also the `webhook-id` of every attempt.")]
    message: Annotated[str, Meta(description="The message's id.")]
    campaign: str | None
    index: Annotated[int, Meta(description="Place of the record in its request, from 0.")]
    url: str
    state: State
    attempts: Annotated[int, Meta(description="Attempts to post it.")]
    created_at: Time
    next_attempt_at: Annotated[Time | None, Meta(description="While it is pending.")]
    delivered_at: Time | None
    last_error: Annotated[str | None, Meta(description="Why the last attempt failed.")]


class CallbackList(Payload):
    """A page of callbacks, newest first."""

    callbacks: list[CallbackInfo]
    next_page_token: NextPageToken


class CallbackQuery(PageQuery):
    """Which callbacks."""

    state: Maybe[State] = UNSET


class StandardForm:
    """Writes notifications as Standard Webhooks: a message's result as `messages:send` answers it, an inbound message
    as it is listed."""

    def of_message(self, record: MessageRecord) -> bytes:
        return envelope(msgspec.json.encode(write_result(record)), at=record.updated_at)

    def of_inbound(self, inbound: Json) -> bytes:
        return envelope(msgspec.json.encode(inbound), at=inbound["createdAt"], kind="message.inbound")
