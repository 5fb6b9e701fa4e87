"""Event Grid's requests: handshakes, delivery reports, inbound messages.

Envelopes: the Event Grid schema (an array) and CloudEvents 1.0 (an object, or an array in batches).
https://learn.microsoft.com/azure/event-grid/communication-services-telephony-sms-events,
https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema (and …-cloud-events-schema).
Nothing of a request is signed: the token in the address is all there is to verify, and the webhook has done that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.provider import CallbackAnswer, CallbackKind, RawCallback
from sms_connector.providers.azure.wire import THEIR_ID, read_object, read_report, with_plus
from sms_connector.providers.common import decode, split_array

REPORT = "Microsoft.Communication.SMSDeliveryReportReceived"
RECEIVED = "Microsoft.Communication.SMSReceived"
# A batch has at most 1 MB by default; https://learn.microsoft.com/azure/event-grid/delivery-and-retry#output-batching
MOST_BYTES = 2 * 1024 * 1024

EVENT_TYPE, ORIGIN = "aeg-event-type", "webhook-request-origin"
HEADERS: tuple[str, ...] = (EVENT_TYPE, ORIGIN)
EVENT_GRID = "eventgrid.azure.net"
JSON = "application/json"

_raw_events = msgspec.json.Decoder(list[msgspec.Raw])


def answer_handshake(callback: RawCallback) -> CallbackAnswer | None:
    """Answer the question of whether this address wants events; None for anything else."""
    headers = {name.lower(): value for name, value in callback.headers.items()}
    if callback.method == "OPTIONS" and headers.get(ORIGIN) == EVENT_GRID:
        allowed = {"WebHook-Allowed-Origin": EVENT_GRID, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
        return CallbackAnswer(b"", JSON, 200, allowed)
    if headers.get(EVENT_TYPE) != "SubscriptionValidation":
        return None
    data = next((event.get("data") for event in _events(callback.body)), None)
    code = data.get("validationCode") if isinstance(data, dict) else None
    if not isinstance(code, str):
        return None
    # Event Grid takes a 200 only.
    return CallbackAnswer(msgspec.json.encode({"validationResponse": code}), JSON, 200)


def kind_of(callback: RawCallback, addressed: CallbackKind) -> CallbackKind:
    """Return what a request holds: one subscription may bring both kinds of events to one address."""
    types = {_type(event) for event in _events(callback.body)} & {REPORT, RECEIVED}
    if len(types) != 1:
        return addressed
    return "status" if types == {REPORT} else "inbound"


def split(callback: RawCallback, most_bytes: int) -> Sequence[RawCallback]:
    """Spread a batch over requests of at most `most_bytes` each, and its reports and messages over different ones."""
    raw = [bytes(event) for event in decode(_raw_events, callback.body) or ()]
    inbound = {number for number, event in enumerate(raw) if _type(read_object(event) or {}) == RECEIVED}
    if not 0 < len(inbound) < len(raw):
        return split_array(callback, most_bytes)
    groups = ([event for number, event in enumerate(raw) if (number in inbound) is kept] for kept in (False, True))
    alike = [replace(callback, body=b"[" + b",".join(group) + b"]") for group in groups]
    return [part for one in alike for part in split_array(one, most_bytes)]


def read_reports(callback: RawCallback) -> list[DeliveryReport]:
    """Return the reports in a verified request; one that can't be read stops no other. Raises InvalidRequest."""
    return [report for data in _data(callback, REPORT) if (report := read_report(data)) is not None]


def read_messages(callback: RawCallback) -> list[InboundMessage]:
    """Return the messages in a verified request. Raises InvalidRequest."""
    return [message for data in _data(callback, RECEIVED) if (message := _message(callback, data)) is not None]


def _message(callback: RawCallback, document: Mapping[str, Any]) -> InboundMessage | None:
    data = {name.lower(): value for name, value in document.items() if isinstance(value, str)}
    message_id, sender, to = (data.get(name, "") for name in ("messageid", "from", "to"))
    if not (THEIR_ID.fullmatch(message_id) and sender and to):
        return None
    return InboundMessage(
        message_id, with_plus(sender), with_plus(to), data.get("message", ""), received_at=callback.received_at
    )


def _data(callback: RawCallback, wanted: str) -> list[Mapping[str, Any]]:
    """Return the data of the events of one type; others (of a subscription's end, say) are left out."""
    events = list(_events(callback.body))
    if not any(_type(event) for event in events):
        raise InvalidRequest(FieldProblem("", "the body holds no event of Event Grid's"))
    return [data for event in events if _type(event) == wanted and isinstance(data := event.get("data"), dict)]


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield the events of an array, or the one that stands alone; what is no object is left out."""
    raw = decode(_raw_events, body)
    bodies = [body] if raw is None else [bytes(event) for event in raw]
    return (event for each in bodies if (event := read_object(each)) is not None)


def _type(event: Mapping[str, Any]) -> str:
    """Return `eventType` of the Event Grid schema, `type` of CloudEvents."""
    found = event.get("eventType", event.get("type"))
    return found if isinstance(found, str) else ""
