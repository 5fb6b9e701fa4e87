"""Telesign's answers and callbacks, written from its OpenAPI documents, not from our code."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from sms_connector import registry
from sms_connector.local.clock import SystemClock
from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import Provider, ProviderSettings, RawCallback
from sms_connector.transport.http import HttpResponse, Transport
from tests.contract.providers.case import NOW

CUSTOMER_ID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
API_KEY = "ABC12345yusumoN6BYsBVkh+yRJ5czgsnCehZaOYldPJdmFh6NeX8kunZ2zU1YWaUw/0wV6xfw=="
NEW_KEY = b64encode(b"another key of the same account").decode()
SECRETS = {"customer-id": CUSTOMER_ID, "api-key": API_KEY}
JSON = {"content-type": "application/json"}
UPDATED = "2026-07-06T12:00:05.000000Z"


def make(
    secrets: SecretSource,
    transport: Transport,
    *,
    base_url: str | None = None,
    clock: Clock | None = None,
    **options: str,
) -> Provider:
    settings = ProviderSettings("local", base_url, options)
    return registry.make_provider(
        "telesign", settings, secrets=secrets, transport=transport, clock=clock or SystemClock()
    )


def reference_id(number: int) -> str:
    return f"{number:032X}"


def envelope(number: int | None = 1, code: Any = 290, description: str = "Message in progress", **more: Any) -> Any:
    document: dict[str, Any] = {"status": {"code": code, "description": description, "updated_on": UPDATED}}
    return document | ({} if number is None else {"reference_id": reference_id(number)}) | more


def answer(status: int, document: Any) -> HttpResponse:
    return HttpResponse(status, JSON, json.dumps(document, ensure_ascii=False).encode())


def error(status: int, code: int, description: str) -> HttpResponse:
    return answer(status, envelope(9, code, description))


def html(status: int) -> HttpResponse:
    return HttpResponse(status, {"content-type": "text/html", "server": "squid"}, b"<html><body>hello</body></html>")


def signature(body: bytes, key: str = API_KEY) -> str:
    return b64encode(hmac.new(b64decode(key), body, hashlib.sha256).digest()).decode()


def callback(url: str, document: Any, key: str = API_KEY, **headers: str) -> RawCallback:
    body = json.dumps(document, ensure_ascii=False).encode()
    signed = f"TSA {CUSTOMER_ID}:{signature(body, key)}"
    given: Mapping[str, str] = {"Content-Type": "application/json", "X-TS-Authorization": signed, **headers}
    return RawCallback("POST", url, given, body, NOW)


def report(ref: str, code: Any, **more: Any) -> dict[str, Any]:
    return {
        "reference_id": ref,
        "sub_resource": "sms",
        "status": {"code": code, "description": "said by Telesign", "updated_on": UPDATED},
        "submit_timestamp": "2026-07-06T12:00:00.000000Z",
        "errors": [],
        "external_id": "msg_1",
    } | more


def inbound(sender: str, text: str, **response: str) -> dict[str, Any]:
    return {
        "reference_id": reference_id(77),
        "sub_resource": "mo_sms",
        "status": {"code": 1500, "description": "Delivered to customer", "updated_on": UPDATED},
        "submit_timestamp": UPDATED,
        "errors": {},
        "user_response": {"phone_number": sender.lstrip("+"), "sender_id": "15551234567", "mo_message": text}
        | response,
    }
