"""Telesign's callbacks: delivery reports and inbound messages, both JSON, both signed.

The OpenAPI document "Engage Callbacks" (developer.telesign.com/enterprise/openapi/engage-callbacks.json) and
…/docs/inbound-sms-get-started. An account may have one address for both.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.provider import CallbackKind, RawCallback
from sms_connector.providers.common import decode
from sms_connector.providers.telesign.statuses import ACTIONS
from sms_connector.providers.telesign.wire import ENVELOPE, REFERENCE_ID, read_report, with_plus


class UserResponse(msgspec.Struct, frozen=True):
    """A text from a person; `action` is there where Telesign handles keywords for the account."""

    phone_number: str
    sender_id: str
    mo_message: str = ""
    action: Any = None


class InboundDocument(msgspec.Struct, frozen=True):
    """An inbound message (`sub_resource` is `mo_sms`)."""

    reference_id: str
    user_response: UserResponse


class Content(msgspec.Struct, frozen=True):
    """What tells the two apart."""

    user_response: Any = None


_INBOUND = msgspec.json.Decoder(InboundDocument)
_CONTENT = msgspec.json.Decoder(Content)


def kind_of(callback: RawCallback, addressed: CallbackKind) -> CallbackKind:
    content = decode(_CONTENT, callback.body)
    if content is None:
        return addressed
    return "status" if content.user_response is None else "inbound"


def read_status(callback: RawCallback) -> DeliveryReport:
    """Return the report in a verified callback. Raises InvalidRequest."""
    envelope = decode(ENVELOPE, callback.body)
    if envelope is None or not REFERENCE_ID.fullmatch(envelope.reference_id or ""):
        raise InvalidRequest(FieldProblem("", "is no report of Telesign's: reference_id and status.code are needed"))
    report = read_report(envelope)
    return report if report.updated_at else msgspec.structs.replace(report, updated_at=callback.received_at)


def read_message(callback: RawCallback) -> InboundMessage:
    """Return the message in a verified callback. Raises InvalidRequest."""
    document = decode(_INBOUND, callback.body)
    if document is None or not (document.user_response.phone_number and document.user_response.sender_id):
        raise InvalidRequest(
            FieldProblem("", "is no inbound message of Telesign's: reference_id and user_response are needed")
        )
    response = document.user_response
    return InboundMessage(
        document.reference_id,
        with_plus(response.phone_number),
        with_plus(response.sender_id),
        text=response.mo_message,
        received_at=callback.received_at,
        keyword=ACTIONS.get(response.action.lower()) if isinstance(response.action, str) else None,
    )
