"""Twilio's case for the provider contract suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import format_datetime

from msgspec.structs import replace

from sms_connector.model.status import MessageStatus
from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import NOW, Listed, ProviderCase
from tests.fixtures.providers import make_twilio
from tests.providers.twilio import twilio_wire as wire

NEXT_PAGE = f"/2010-04-01/Accounts/{wire.ACCOUNT}/Messages.json?PageSize=1000&Page=1&PageToken=PASM0001"


def _page(listed: Sequence[Listed], next_page: str | None) -> HttpResponse:
    return wire.page([_message(item) for item in listed], next_page)


def _message(item: Listed) -> dict[str, object]:
    created = format_datetime(NOW - timedelta(seconds=item.age_seconds))
    return wire.message(item.provider_message_id, "sent", body=item.text, date_created=created, date_sent=created)


def _forged(genuine: RawCallback) -> Mapping[str, RawCallback]:
    headers = dict(genuine.headers)
    signature = headers.pop("X-Twilio-Signature")
    return {
        "another body": replace(genuine, body=genuine.body.replace(b"From=%2B1", b"From=%2B2")),
        "another URL": replace(genuine, url=genuine.url + "0"),
        "one more field": replace(genuine, body=genuine.body + b"&Extra=1"),
        "no signature": replace(genuine, headers=headers),
        "an empty signature": replace(genuine, headers={**headers, "X-Twilio-Signature": ""}),
        "a signature of letters": replace(genuine, headers={**headers, "X-Twilio-Signature": "é" * 28}),
        "a shorter signature": replace(genuine, headers={**headers, "X-Twilio-Signature": signature[:-1]}),
        "no content type": replace(genuine, headers={"X-Twilio-Signature": signature}),
    }


CASE = ProviderCase(
    name="twilio",
    build=lambda secrets, transport: make_twilio(None, secrets, transport),
    secrets=wire.SECRETS,
    rotated={"auth-token": "f" * 32},
    message_id=wire.message_sid,
    taken=lambda ids: wire.answer(201, wire.message(ids[0])),
    refusal=wire.error(400, 21211, f"The 'To' number {wire.RECIPIENT} is not a valid phone number."),
    refusal_words=(
        21211,
        f"The 'To' number {wire.RECIPIENT} is not a valid phone number.",
        "https://www.twilio.com/docs/errors/21211",
    ),
    opted_out=wire.error(400, 21610, "Attempt to send to unsubscribed recipient"),
    unauthorized=wire.error(401, 20003, "Authenticate"),
    unreadable={
        "nothing": HttpResponse(201, {}, b""),
        "half a document": HttpResponse(201, wire.JSON, b'{"sid": "SM0000'),
        "a page": wire.html(200),
        "no SID": wire.answer(201, {"status": "queued"}),
        "null SID": wire.answer(201, {"sid": None, "status": "queued"}),
        "a number for a SID": wire.answer(201, {"sid": 1, "status": "queued"}),
        "another kind of SID": wire.answer(201, {"sid": "CA" + "0" * 32, "status": "queued"}),
        "a short SID": wire.answer(201, {"sid": "SM01", "status": "queued"}),
        "a list": wire.answer(201, [wire.message()]),
        "not UTF-8": HttpResponse(201, wire.JSON, b'{"sid": "SM\xff"}'),
    },
    words={
        "accepted": MessageStatus.ACCEPTED,
        "scheduled": MessageStatus.SCHEDULED,
        "queued": MessageStatus.QUEUED,
        "sending": MessageStatus.SENDING,
        "sent": MessageStatus.SENT,
        "partially_delivered": MessageStatus.SENT,
        "delivered": MessageStatus.DELIVERED,
        "undelivered": MessageStatus.UNDELIVERED,
        "failed": MessageStatus.FAILED,
        "canceled": MessageStatus.CANCELED,
        "read": MessageStatus.READ,
    },
    connected=wire.account(),
    report=lambda sid, word: wire.answer(200, wire.message(sid, word)),
    not_known=wire.error(404, 20404, "The requested resource was not found"),
    page=_page,
    next_page=NEXT_PAGE,
    foreign_page=f"https://evil.example{NEXT_PAGE}",
    status_callback=lambda url, sid, word: wire.form_callback(url, wire.status_fields(sid, word)),
    inbound=lambda url, sender, text: wire.form_callback(url, wire.inbound_fields(sender, text)),
    forged=_forged,
    witness=wire.WITNESS,
)
