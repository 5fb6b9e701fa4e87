"""The custom channel's cases for the provider contract suite: one message a call, and many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from datetime import timedelta

from msgspec.structs import replace

from sms_connector.model.status import MessageStatus
from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.case import NOW, ProviderCase
from tests.providers.custom import custom_wire as wire


def _forged(genuine: RawCallback) -> Mapping[str, RawCallback]:
    headers = dict(genuine.headers)
    return {
        "another body": replace(genuine, body=genuine.body.replace(b"1", b"2")),
        "one byte more": replace(genuine, body=genuine.body + b" "),
        "no signature": replace(genuine, headers={**headers, "Webhook-Signature": ""}),
        "no headers": replace(genuine, headers={}),
        "another id": replace(genuine, headers={**headers, "Webhook-Id": "event_2"}),
        "another time": replace(genuine, headers={**headers, "Webhook-Timestamp": str(int(NOW.timestamp()) + 1)}),
        "a signature of letters": replace(genuine, headers={**headers, "Webhook-Signature": "v1,é"}),
        "replayed": replace(genuine, received_at=NOW + timedelta(minutes=6)),
    }


def _some_refused(_ids: Sequence[str], place: int) -> HttpResponse:
    results = [{"Status": "Sent"} for _ in range(3)]
    results[place] = {"Status": "NotSent", **wire.details("InvalidRecipient")}  # type: ignore[dict-item]  # JSON
    return wire.answer(200, results)


CASE = ProviderCase(
    name="custom",
    build=lambda secrets, transport: wire.make(secrets, transport, statusUrl=wire.STATUS_URL),
    secrets=wire.SECRETS,
    rotated={"signing-secret": wire.NEW_SECRET, "api-key": "another key"},
    optional=frozenset({"api-key"}),
    message_id=lambda number: f"msg_{number}",
    taken=lambda _ids: lambda request: _like_asked(request),
    refusal=wire.answer(422, wire.details("NoRoute", "No route to this number.")),
    refusal_words=("NoRoute", "No route to this number.", None),
    opted_out=wire.answer(200, {"Status": "NotSent", **wire.details("OptedOut")}),
    unauthorized=wire.answer(401, wire.details("Unauthorized", "the signature is wrong")),
    unreadable={
        "nothing": HttpResponse(200, {}, b""),
        "half a document": HttpResponse(200, wire.JSON, b'{"RequestId": "msg'),
        "a page": HttpResponse(200, {"content-type": "text/html"}, b"<html>"),
        "no status": wire.answer(200, {"RequestId": "msg_0"}),
        "another status": wire.answer(200, {"RequestId": "msg_0", "Status": "Perhaps"}),
        "a number for a status": wire.answer(200, {"RequestId": "msg_0", "Status": 1}),
        "another message": wire.answer(200, {"RequestId": "msg_9", "Status": "Sent"}),
        "a list": wire.answer(200, [{"RequestId": "msg_0", "Status": "Sent"}]),
        "not UTF-8": HttpResponse(200, wire.JSON, b'{"Status": "\xff"}'),
    },
    words={
        "Sent": MessageStatus.SENT,
        "NotSent": MessageStatus.FAILED,
        "Failed": MessageStatus.FAILED,
        "NotDelivered": MessageStatus.UNDELIVERED,
        "Delivered": MessageStatus.DELIVERED,
    },
    connected=wire.answer(200, {}),
    report=lambda message_id, word: wire.answer(200, wire.report(message_id, word)),
    not_known=wire.answer(404, wire.details("NotFound")),
    status_callback=lambda url, message_id, word: wire.callback(url, wire.report(message_id, word)),
    many_reports=lambda url, told: wire.callback(url, [*(wire.report(*each) for each in told), {"Status": "Sent"}]),
    inbound=lambda url, sender, text: wire.callback(url, wire.inbound(sender, text)),
    forged=_forged,
)


def _like_asked(request: HttpRequest) -> HttpResponse:
    """Take what is sent; a request that sends nothing is the connection test's."""
    return wire.taken(request) if request.body else CASE.connected


MANY = changed(
    CASE,
    name="custom, many a call",
    build=lambda secrets, transport: wire.make(secrets, transport, recipientsPerCall="3"),
    some_refused=_some_refused,
    opted_out=wire.answer(200, [{"Status": "NotSent", **wire.details("OptedOut")}]),
    unreadable={
        "nothing": HttpResponse(200, {}, b""),
        "one document": wire.answer(200, {"Status": "Sent"}),
        "too few": wire.answer(200, []),
        "too many": wire.answer(200, [{"Status": "Sent"}] * 2),
        "something else": wire.answer(200, ["Sent"]),
    },
    report=None,
    not_known=None,
)

MORE_CASES = (MANY,)
