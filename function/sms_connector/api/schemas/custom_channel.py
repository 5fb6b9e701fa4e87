"""Documents of the custom channel of Customer Insights - Journeys.

https://learn.microsoft.com/dynamics365/customer-insights/journeys/real-time-marketing-custom-channel-custom-API
Fields that its later versions add are left alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import Maybe
from sms_connector.errors import ErrorKind
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Json
from sms_connector.store.message_record import MessageRecord

# A status of a message that was answered, and that nothing is known of: Journeys has no word for it.
UNREPORTED = frozenset({MessageStatus.UNKNOWN})
ARRIVED = frozenset({MessageStatus.DELIVERED, MessageStatus.READ})
Id = Annotated[str, Meta(pattern=r"^[!-~]{1,200}$", description="1 to 200 visible ASCII characters.")]


class _Document(msgspec.Struct, rename="pascal"):
    """A document as Journeys names its fields."""


class MessageParts(msgspec.Struct):
    """The parts of a message; a text message has one."""

    text: str


class CustomChannelBody(_Document):
    """What Journeys' plug-in hands over for one message."""

    request_id: Id
    to: Annotated[str, Meta(max_length=200)]
    message: MessageParts
    channel_definition_id: Annotated[str, Meta(max_length=200)] = ""
    idempotency_id: Maybe[Id] = UNSET
    from_: Annotated[str, Meta(max_length=200)] = msgspec.field(name="From", default="")
    marketing_app_context: dict[str, Any] = {}


class Details(_Document):
    """Why a message was not sent or did not arrive."""

    reason: str
    message: str


class CustomChannelAnswer(_Document, omit_defaults=True):
    """`Sent`: the provider accepted it. `NotSent`: it never will be, and why."""

    channel_definition_id: str
    request_id: str
    message_id: str | None
    status: Literal["Sent", "NotSent"]
    details: Maybe[Details] = UNSET


class DeliveryDocument(_Document, omit_defaults=True):
    """A final status, as it is posted to the connection's callback URL."""

    channel_definition_id: str
    request_id: str
    message_id: str
    from_: str = msgspec.field(name="From")
    organization_id: str
    status: Literal["Delivered", "NotDelivered"]
    details: Maybe[Details] = UNSET


class ReplyDocument(_Document):
    """An inbound message, as it is posted to the connection's callback URL."""

    channel_definition_id: str
    message_id: str
    to: str
    from_: str = msgspec.field(name="From")
    organization_id: str
    message: MessageParts


def write_details(kind: ErrorKind | str, message: str) -> Details:
    """Return the reason as one word: `OPTED_OUT` is `OptedOut`."""
    return Details("".join(word.capitalize() for word in str(kind).split("_")), message)


class JourneysForm(msgspec.Struct, frozen=True):
    """Writes notifications as Journeys takes them. A message that another way brought has the connection's name in
    place of a channel, and its own id in place of the request's."""

    connection: str
    organization: str

    def of_message(self, record: MessageRecord) -> bytes:
        failure = record.failure
        return msgspec.json.encode(
            DeliveryDocument(
                channel_definition_id=record.channel or self.connection,
                request_id=(record.channel and record.reference) or record.id,
                message_id=record.id,
                from_=record.sender,
                organization_id=self.organization,
                status="Delivered" if record.status in ARRIVED else "NotDelivered",
                details=write_details(failure.kind, failure.message) if failure else UNSET,
            )
        )

    def of_inbound(self, inbound: Json) -> bytes:
        return msgspec.json.encode(
            ReplyDocument(
                channel_definition_id=self.connection,
                message_id=inbound["providerMessageId"],
                to=inbound["to"],
                from_=inbound["from"],
                organization_id=self.organization,
                message=MessageParts(inbound["text"]),
            )
        )
