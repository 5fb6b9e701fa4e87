"""Twilio's answers and callbacks, written from its documentation, not from our code."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpResponse
from tests.fixtures.openapi_witness import OpenApiWitness

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "0123456789abcdef0123456789abcdef"
POOL = "MG00000000000000000000000000000009"
SENDER = "+15551234567"
RECIPIENT = "+15558675310"
SID = "SM00000000000000000000000000000001"
NOW = datetime(2026, 7, 6, 12, 0, 0, tzinfo=UTC)
SECRETS = {"account-sid": ACCOUNT, "auth-token": TOKEN}
DATE = "Mon, 06 Jul 2026 12:00:00 +0000"
JSON = {"content-type": "application/json"}

WITNESS = OpenApiWitness(Path(__file__).parents[2] / "openapi" / "twilio_api_v2010.json", root="/2010-04-01")


def message_sid(number: int, prefix: str = "SM") -> str:
    return f"{prefix}{number:032x}"


def message(sid: str = SID, status: str = "queued", **fields: Any) -> dict[str, Any]:
    """A Message resource as Twilio returns it."""
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}"
    return {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "Your order ships today – ✓",
        "date_created": DATE,
        "date_sent": None,
        "date_updated": DATE,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": SENDER,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": RECIPIENT,
        "uri": f"{uri}.json",
        **fields,
    }


def answer(status: int, document: object, headers: Mapping[str, str] = JSON) -> HttpResponse:
    return HttpResponse(status, headers, json.dumps(document).encode())


def error(status: int, code: int, text: str) -> HttpResponse:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return answer(status, {"code": code, "message": text, "more_info": more_info, "status": status})


def page(messages: Sequence[Mapping[str, Any]], next_page_uri: str | None = None) -> HttpResponse:
    """One page of the list, with the envelope Twilio gives it."""
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=1000&Page=0"
    envelope = {
        "end": len(messages) - 1,
        "first_page_uri": uri,
        "next_page_uri": next_page_uri,
        "page": 0,
        "page_size": 1000,
        "previous_page_uri": None,
        "start": 0,
        "uri": uri,
    }
    return answer(200, {"messages": messages, **envelope})


def account(status: str = "active", kind: str = "Full") -> HttpResponse:
    uri = f"/2010-04-01/Accounts/{ACCOUNT}.json"
    return answer(200, {"sid": ACCOUNT, "friendly_name": "Acme", "status": status, "type": kind, "uri": uri})


def html(status: int, server: str = "squid/5.7") -> HttpResponse:
    """The page of something between us and Twilio, which quotes the request."""
    body = f"<html><h1>{status}</h1>{RECIPIENT} Your order ships today {TOKEN}</html>"
    return HttpResponse(status, {"content-type": "text/html", "server": server}, body.encode())


def sign(url: str, form: Sequence[tuple[str, str]] = (), token: str = TOKEN, algorithm: str = "sha1") -> str:
    """A signature by the documented steps; the vectors in the tests hold them to Twilio's library."""
    names = sorted({name for name, _ in form})
    text = url + "".join(
        name + value for name in names for value in sorted({value for other, value in form if other == name})
    )
    return b64encode(hmac.new(token.encode(), text.encode(), getattr(hashlib, algorithm)).digest()).decode()


def form_callback(url: str, fields: Sequence[tuple[str, str]], signature: str | None = None) -> RawCallback:
    """A signed POST of a form; `signature` overrides the right one."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": sign(url, fields) if signature is None else signature,
        "I-Twilio-Idempotency-Token": "0c2d1f3b-6a01-4d1e-9a57-7f9c0a520b7e",
    }
    return RawCallback("POST", url, headers, urlencode(fields).encode(), NOW)


def status_fields(sid: str = SID, status: str = "delivered", **more: str) -> list[tuple[str, str]]:
    fields = {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": SENDER,
        "MessageSid": sid,
        "MessageStatus": status,
        "SmsSid": sid,
        "SmsStatus": status,
        "To": RECIPIENT,
    }
    return list({**fields, **more}.items())


def inbound_fields(sender: str = RECIPIENT, text: str = "Hello", **more: str) -> list[tuple[str, str]]:
    fields = {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "Body": text,
        "From": sender,
        "FromCountry": "US",
        "MessageSid": SID,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": SID,
        "SmsSid": SID,
        "SmsStatus": "received",
        "To": SENDER,
        "ToCountry": "US",
    }
    return list({**fields, **more}.items())
