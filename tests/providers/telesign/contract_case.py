"""Telesign's case for the provider contract suite."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from sms_connector.model.status import MessageStatus
from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import ProviderCase
from tests.providers.telesign import telesign_wire as wire


def _code(word: str) -> int | str:
    return int(word) if word.isdecimal() else word


def _forged(genuine: RawCallback) -> Mapping[str, RawCallback]:
    headers = dict(genuine.headers)
    signature = headers.pop("X-TS-Authorization")
    return {
        "another body": replace(genuine, body=genuine.body.replace(b"1555", b"1556").replace(b"msg_1", b"msg_2")),
        "one byte more": replace(genuine, body=genuine.body + b" "),
        "no signature": replace(genuine, headers=headers),
        "an empty signature": replace(genuine, headers={**headers, "X-TS-Authorization": ""}),
        "a signature of letters": replace(genuine, headers={**headers, "X-TS-Authorization": "é" * 28}),
        "a shorter signature": replace(genuine, headers={**headers, "X-TS-Authorization": signature[:-1]}),
        "another key's": replace(
            genuine, headers={**headers, "Authorization": f"TSA x:{wire.signature(genuine.body, wire.NEW_KEY)}"}
        ),
        "somebody's token": replace(genuine, headers={**headers, "Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9"}),
    }


CASE = ProviderCase(
    name="telesign",
    build=lambda secrets, transport: wire.make(secrets, transport),
    secrets=wire.SECRETS,
    rotated={"api-key": wire.NEW_KEY},
    message_id=wire.reference_id,
    taken=lambda ids: wire.answer(200, wire.envelope(int(ids[0], 16), external_id="msg_0")),
    refusal=wire.error(400, 11000, "Invalid value for parameter phone_number."),
    refusal_words=(11000, "Invalid value for parameter phone_number.", None),
    opted_out=wire.error(400, 10032, "Message blocked by TeleSign"),
    unauthorized=wire.error(401, 10022, "Invalid API Key."),
    unreadable={
        "nothing": HttpResponse(200, {}, b""),
        "half a document": HttpResponse(200, wire.JSON, b'{"reference_id": "0000'),
        "a page": wire.html(200),
        "no id": wire.answer(200, wire.envelope(None)),
        "null": wire.answer(200, wire.envelope(None, reference_id=None)),
        "a number": wire.answer(200, wire.envelope(None, reference_id=1)),
        "a short id": wire.answer(200, wire.envelope(None, reference_id="0123")),
        "no status": wire.answer(200, {"reference_id": wire.reference_id(1)}),
        "a list": wire.answer(200, [wire.envelope()]),
        "not UTF-8": HttpResponse(200, wire.JSON, b'{"reference_id": "\xff"}'),
    },
    words={
        "290": MessageStatus.SENDING,
        "291": MessageStatus.QUEUED,
        "292": MessageStatus.QUEUED,
        "295": MessageStatus.ACCEPTED,
        "203": MessageStatus.SENT,
        "251": MessageStatus.SENT,
        "250": MessageStatus.UNKNOWN,
        "599": MessageStatus.ACCEPTED,
        "207": MessageStatus.UNDELIVERED,
        "510": MessageStatus.UNDELIVERED,
        "515": MessageStatus.FAILED,
        "10030": MessageStatus.FAILED,
        "200": MessageStatus.DELIVERED,
    },
    connected=wire.error(404, 10017, "CustomerID/ReferenceID not found"),
    report=lambda ref, word: wire.answer(200, wire.envelope(int(ref, 16), _code(word), "said by Telesign")),
    not_known=wire.error(404, 10017, "CustomerID/ReferenceID not found"),
    status_callback=lambda url, ref, word: wire.callback(url, wire.report(ref, _code(word))),
    inbound=lambda url, sender, text: wire.callback(url, wire.inbound(sender, text)),
    forged=_forged,
)
