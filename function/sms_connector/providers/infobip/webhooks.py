"""Infobip's callbacks: who may send them, and their content.

Reports: https://www.infobip.com/docs/api/channels/sms/outbound-sms/receive-outbound-sms-message-reports-v3
(up to 100 a request, at most 2 000: `maxBucketSize` of a notification profile). Inbound messages, format MO_JSON_2:
https://www.infobip.com/docs/api/channels/sms/inbound-sms/receive-inbound-sms-messages
Both expect 200.

A notification profile can have Basic, OAuth 2 or HMAC credentials. It is not published which header and text an HMAC
covers, so Basic it is: https://www.infobip.com/docs/api/platform/subscriptions-api/create-profile
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.phone_number import find_number
from sms_connector.provider import RawCallback
from sms_connector.providers.common import decode
from sms_connector.providers.infobip.wire import read_messages, read_reports, read_time

HEADERS = ("authorization",)
# The member that holds the array, in both kinds.
RESULTS = "results"
# 2 000 reports of up to 1 KB.
CALLBACK_BYTES = 2 * 1024 * 1024


class _Callback(msgspec.Struct, frozen=True):
    results: list[msgspec.Raw]


_Address = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class _Inbound(msgspec.Struct, frozen=True, rename="camel"):
    message_id: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,255}$")] | int
    sender: _Address = msgspec.field(name="from")
    to: _Address
    text: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    received_at: str | None = None


_callback_decoder = msgspec.json.Decoder(_Callback)
_inbound_decoder = msgspec.json.Decoder(_Inbound)


def read_status(callback: RawCallback) -> Sequence[DeliveryReport]:
    """Return the reports that can be read. Raises InvalidRequest where there is no list of them."""
    return read_reports(read_messages(_results(callback)))


def read_inbound(callback: RawCallback) -> Sequence[InboundMessage]:
    """Return the messages that can be read. Raises InvalidRequest where there is no list of them."""
    found = [decode(_inbound_decoder, bytes(item)) for item in _results(callback)]
    return [
        InboundMessage(
            str(each.message_id),
            find_number(each.sender) or each.sender,
            find_number(each.to) or each.to,
            each.text,
            min(read_time(each.received_at) or callback.received_at, callback.received_at),
        )
        for each in found
        if each is not None
    ]


def _results(callback: RawCallback) -> list[msgspec.Raw]:
    document = decode(_callback_decoder, callback.body)
    if document is None:
        raise InvalidRequest(FieldProblem(RESULTS, "the list is missing; this is not a callback of Infobip's"))
    return document.results
