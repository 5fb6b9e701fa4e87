"""LINK Mobility's case for the provider contract suite."""

from __future__ import annotations

from sms_connector.model.status import MessageStatus
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import ProviderCase
from tests.providers.link_mobility import link_wire as wire

S = MessageStatus

CASE = ProviderCase(
    name="link-mobility",
    build=wire.make_link,
    secrets=wire.SECRETS,
    rotated={"password": "another password"},
    message_id=wire.message_id,
    taken=wire.taken,
    some_refused=wire.some_refused,
    refusal=wire.error(400, 106301, "Specified gate unavailable. Please check your gateId."),
    refusal_words=(106301, "Specified gate unavailable. Please check your gateId.", None),
    opted_out=wire.error(400, 2105, "Destination blocked (subscriber permanently barred)"),
    unauthorized=wire.error(401, 106100, "Invalid authentication. Please check your username and password."),
    unreadable={
        "nothing": HttpResponse(200, {}, b""),
        "no content, as with ignoreResponse": HttpResponse(204, {}, b""),
        "half a document": HttpResponse(200, wire.JSON, b'{"messageId": "Dcs'),
        "a page": HttpResponse(200, {"content-type": "text/html"}, b"<html>"),
        "no id": wire.answer(200, {"resultCode": 1005, "description": "Queued"}),
        "null id": wire.answer(200, {"messageId": None, "resultCode": 1005}),
        "a number for an id": wire.answer(200, {"messageId": 1, "resultCode": 1005}),
        "an unknown code without an id": wire.answer(200, {"messageId": None, "resultCode": 9999}),
        "a list": wire.answer(200, [{"messageId": "x"}]),
        "not UTF-8": HttpResponse(200, wire.JSON, b'{"messageId": "\xff"}'),
    },
    words={
        "1005": S.QUEUED,
        "1008": S.SENDING,
        "1012": S.SENDING,
        "1000": S.SENT,
        "1011": S.SENT,
        "1013": S.SENT,
        "1007": S.DELIVERED,
        "1001": S.DELIVERED,
        "1002": S.UNDELIVERED,
        "1006": S.UNDELIVERED,
        "1010": S.EXPIRED,
        "2105": S.UNDELIVERED,
        "105": S.FAILED,
    },
    connected=wire.answer(200, [{"id": "other"}, {"id": wire.OPTIONS["gateId"]}]),
    status_callback=lambda url, link_id, word: wire.callback(url, wire.report(link_id, _code(word))),
    inbound=lambda url, sender, text: wire.callback(url, wire.inbound(sender, text)),
)


def _code(word: str) -> int | str:
    return int(word) if word.isdigit() else word
