"""Vibes' case for the provider contract suite."""

from __future__ import annotations

from sms_connector.model.status import MessageStatus
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import ProviderCase
from tests.fixtures.providers import make_provider
from tests.providers.vibes import vibes_wire as wire

S = MessageStatus

CASE = ProviderCase(
    name="vibes",
    build=lambda secrets, transport: make_provider("vibes", secrets, transport),
    secrets=wire.SECRETS,
    rotated={"password": "another password"},
    message_id=wire.message_id,
    taken=wire.taken,
    ids_come_later=True,
    refusal=wire.refused(16, "Code Lease not found."),
    refusal_words=(16, "Code Lease not found.", None),
    opted_out=wire.refused(9, "MDN blocked"),
    unauthorized=HttpResponse(401, {"www-authenticate": 'Basic realm="Vibes"'}, b""),
    unreadable={
        "nothing": HttpResponse(200, {}, b""),
        "half a document": HttpResponse(200, wire.XML, b'<mtMessageRsp messageId="b7'),
        "a page that is no XML": HttpResponse(200, {"content-type": "text/html"}, b"<html><br></html>"),
        "no id": wire.answer('<mtMessageRsp submitterMessageId="x"/>'),
        "an empty id": wire.answer('<mtMessageRsp messageId=""/>'),
        "a bundle's id": wire.bundled(),
        "JSON": HttpResponse(200, {"content-type": "application/json"}, b'{"messageId": "x"}'),
        "not UTF-8": HttpResponse(200, wire.XML, b'<mtMessageRsp messageId="\xff"/>'),
        "a document type": wire.answer('<!DOCTYPE x><mtMessageRsp messageId="x"/>'),
    },
    words={
        "System": S.QUEUED,
        "Carrier": S.SENT,
        "Handset": S.DELIVERED,
        "System error": S.FAILED,
        "Carrier error": S.FAILED,
        "Handset error": S.UNDELIVERED,
    },
    connected=HttpResponse(404, {}, b""),
    report=lambda vibes_id, word: wire.receipts(wire.worded(vibes_id, word)),
    not_known=HttpResponse(404, {}, b""),
    status_callback=lambda url, vibes_id, word: wire.callback(url, wire.worded(vibes_id, word)),
    inbound=lambda url, sender, text: wire.callback(url, wire.inbound(sender, text)),
    senders=(wire.SENDER,),
)
