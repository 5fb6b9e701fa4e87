"""LINK's answers and callbacks, written from its PDFs, not from our code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sms_connector.ports import SecretSource
from sms_connector.provider import Provider, RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport
from tests.fixtures.providers import make_provider

BASE = "https://n-eu.linkmobility.example"
OPTIONS = {"platformId": "COMMON_API", "platformPartnerId": "10001", "gateId": "BVldZyQt"}
SECRETS = {"username": "demoUser", "password": "demoPass"}
# Of the two above; reference/providers/link-mobility.md and RFC 7617 by hand.
AUTHORIZATION = "Basic ZGVtb1VzZXI6ZGVtb1Bhc3M="
NOW = datetime(2026, 7, 6, 12, 0, 0, tzinfo=UTC)
JSON = {"content-type": "application/json"}
RECIPIENT, SENDER = "+15558675310", "+15551234567"


def make_link(secrets: SecretSource, transport: Transport, *, without: Sequence[str] = ()) -> Provider:
    options = {name: value for name, value in OPTIONS.items() if name not in without}
    return make_provider("link-mobility", secrets, transport, BASE, **options)


def message_id(number: int) -> str:
    """As in the PDF: 24 characters of base64."""
    return f"Dcshuhod0PMAAAFQ+/P{number:05}"


def answer(status: int, document: object, headers: Mapping[str, str] = JSON) -> HttpResponse:
    return HttpResponse(status, headers, json.dumps(document).encode())


def error(status: int, code: int, text: str) -> HttpResponse:
    return answer(status, {"status": code, "description": text, "translatedDescription": text})


def queued(link_id: str, **fields: Any) -> HttpResponse:
    return answer(200, {"messageId": link_id, "resultCode": 1005, "description": "Queued", **fields})


def batch_of(request: HttpRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = json.loads(request.body or b"")["sendRequestMessages"]
    return messages


def taken(ids: Sequence[str]) -> HttpResponse | Callable[[HttpRequest], HttpResponse]:
    def to_batch(request: HttpRequest) -> HttpResponse:
        said = {"resultCode": 1005, "message": "Queued"}
        results = [
            {"messageId": link_id, "refId": item["refId"], **said}
            for link_id, item in zip(ids, batch_of(request), strict=True)
        ]
        # In no order: each names its refId.
        return answer(200, results[::-1])

    return queued(ids[0]) if len(ids) == 1 else to_batch


def some_refused(ids: Sequence[str], place: int) -> HttpResponse:
    results: list[dict[str, Any]] = [
        {"messageId": link_id, "refId": f"msg_{number}", "resultCode": 1005, "message": "Queued"}
        for number, link_id in enumerate(ids)
    ]
    results[place] |= {"messageId": None, "resultCode": 2106, "message": "Number error"}
    return answer(200, results)


def report(link_id: str, code: object = 1001, **fields: Any) -> dict[str, Any]:
    return {
        "refId": None,
        "id": link_id,
        "operator": "no.telenor",
        "sentTimestamp": "2026-07-06T11:59:58Z",
        "timestamp": "2026-07-06T12:00:00Z",
        "resultCode": code,
        "operatorResultCode": "2",
        "segments": 1,
        "gateCustomParameters": {},
        "customParameters": {"received": "2026-07-06 12:00:00"},
        **fields,
    }


def inbound(sender: str, text: str, **fields: Any) -> dict[str, Any]:
    """The PDF's own example, with another text."""
    return {
        "destination": "NO-2333",
        "subNumber": None,
        "source": sender,
        "content": {"type": "SMS", "userData": text, "encoding": "TEXT"},
        "operator": "no.telenor",
        "timestamp": "2026-07-06T12:00:00Z",
        "messageId": "mo-1",
        "operatorTimestamp": "2026-07-06T12:00:00Z",
        "operatorMessageId": "0",
        "route": {"type": "KEYWORD_ROUTE", "id": "0", "keyword": "BCLT", "shared": False},
        "gateCustomParameters": {},
        "customParameters": {"platformPartnerId": "0"},
        **fields,
    }


def callback(url: str, document: object, headers: Mapping[str, str] | None = None) -> RawCallback:
    return RawCallback("POST", url, headers or JSON, json.dumps(document).encode(), NOW)
