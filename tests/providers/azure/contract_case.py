"""Azure's case for the provider contract suite."""

from __future__ import annotations

from collections.abc import Sequence

from sms_connector.model.status import MessageStatus
from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import ProviderCase
from tests.fixtures.providers import make_provider
from tests.providers.azure import azure_wire as wire


def _some_refused(ids: Sequence[str], place: int) -> HttpResponse:
    rows = [wire.item(number, messageId=each) for number, each in enumerate(ids)]
    rows[place] = wire.refused(place, 400, "Invalid To phone number format.")
    return wire.items(*rows)


def _many_reports(url: str, reports: Sequence[tuple[str, str]]) -> RawCallback:
    unreadable = [
        1,
        {},
        wire.event("x"),
        wire.event({"messageId": 1}),
        wire.event(wire.report("x", "Delivered"), "other"),
    ]
    return wire.callback(url, [*unreadable, *(wire.event(wire.report(*each)) for each in reports)])


CASE = ProviderCase(
    name="azure",
    build=lambda secrets, transport: make_provider("azure", secrets, transport, wire.URL),
    secrets=wire.SECRETS,
    rotated={"access-key": "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="},
    message_id=wire.message_id,
    taken=wire.taken,
    some_refused=_some_refused,
    refusal=wire.error(400, "ApiVersionUnspecified", "An API version is required, but was not specified."),
    refusal_words=("ApiVersionUnspecified", "An API version is required, but was not specified.", None),
    opted_out=wire.items(wire.refused(0, 400, "Sender blocked for given recipient.")),
    unauthorized=wire.error(401, "Denied", "Denied by the resource provider."),
    unreadable={
        "nothing": HttpResponse(202, wire.JSON, b""),
        "half a document": HttpResponse(202, wire.JSON, b'{"value": [{"to": "+1555'),
        "a page": HttpResponse(200, {"content-type": "text/html"}, b"<html>"),
        "no items": wire.answer(202, {}),
        "null": wire.answer(202, {"value": None}),
        "an empty list": wire.items(),
        "no id": wire.items(wire.item(0, messageId=None)),
        "a number for an id": wire.items(wire.item(0, messageId=1)),
        "an id with a line end": wire.items(wire.item(0, messageId="Outgoing_1\r\n")),
        "another recipient": wire.items(wire.item(0, to="+15550000000")),
        "items that are none": wire.answer(202, {"value": [1]}),
        "not UTF-8": HttpResponse(202, wire.JSON, b'{"value": [{"to": "\xff"}]}'),
    },
    words={"Delivered": MessageStatus.DELIVERED, "Failed": MessageStatus.FAILED},
    connected=wire.NOT_FOUND,
    report=lambda message_id, word: wire.answer(200, wire.report(message_id, word)),
    not_known=wire.NOT_FOUND,
    status_callback=lambda url, message_id, word: wire.callback(url, [wire.event(wire.report(message_id, word))]),
    many_reports=_many_reports,
    inbound=lambda url, sender, text: wire.callback(url, [wire.event(wire.received(sender, text), wire.RECEIVED)]),
)
