"""What LINK posts: delivery reports, and inbound messages.

SMS REST API MT/DLR 1.18, "Delivery Reports", and MO 1.7, "Receiving MO messages". Both come as JSON to a gate's
destination, with HTTP Basic where it is set there; LINK signs nothing. Reports come for each part of a long text.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.phone_number import find_number
from sms_connector.provider import RawCallback
from sms_connector.providers.common import decode, echoed_id
from sms_connector.providers.link_mobility.statuses import message_failure, to_status

HEADERS = ("authorization",)
# `{id}${n}`, n from 0.
_PART_ID = re.compile(r"(.{1,200})\$([0-9]{1,3})", re.DOTALL)
# A short number has its country before it: NO-2333.
_COUNTRY = re.compile(r"[A-Z]{2}-")


# What a stranger who knows the address could put into the ledger is bounded.
_Id = Annotated[str, Meta(pattern=r"^[!-~]{1,255}\Z")]
_Address = Annotated[str, Meta(min_length=1, max_length=64)]


class ReportDocument(msgspec.Struct, frozen=True, rename="camel"):
    id: _Id
    result_code: Annotated[int, Meta(ge=0, le=999_999)] | Annotated[str, Meta(min_length=1, max_length=40)]
    ref_id: Any = None
    segments: Any = None


class ContentDocument(msgspec.Struct, frozen=True, rename="camel"):
    user_data: Annotated[str, Meta(max_length=40_000)] = ""  # 254 segments of GSM-7


class InboundDocument(msgspec.Struct, frozen=True, rename="camel"):
    message_id: _Id
    source: _Address
    destination: _Address
    content: ContentDocument


_report = msgspec.json.Decoder(ReportDocument)
_inbound = msgspec.json.Decoder(InboundDocument)


def read_report(callback: RawCallback) -> DeliveryReport:
    """Raises InvalidRequest for what is no delivery report."""
    document = decode(_report, callback.body)
    if document is None:
        raise InvalidRequest(FieldProblem("id, resultCode", "are missing; this is no delivery report of LINK's"))
    raw_status = str(document.result_code)
    code = int(raw_status) if raw_status.isascii() and raw_status.isdigit() else None
    segments = document.segments if isinstance(document.segments, int) and 0 < document.segments <= 255 else None
    of_part = _PART_ID.fullmatch(document.id)
    return DeliveryReport(
        of_part[1] if of_part else document.id,
        to_status(code),
        raw_status,
        failure=message_failure(code),
        message_id=echoed_id(document.ref_id),
        segments=segments,
        updated_at=callback.received_at,
        part=of_part[2] if of_part else None,
        parts=segments if of_part else None,
    )


def read_message(callback: RawCallback) -> InboundMessage:
    """Raises InvalidRequest for what is no inbound message."""
    document = decode(_inbound, callback.body)
    if document is None:
        problem = "are missing; this is no inbound message of LINK's"
        raise InvalidRequest(FieldProblem("messageId, source, destination, content", problem))
    to = _COUNTRY.sub("", document.destination, count=1)
    return InboundMessage(
        document.message_id,
        find_number(document.source) or document.source,
        find_number(to) or to,
        text=document.content.user_data,
        received_at=callback.received_at,
    )
