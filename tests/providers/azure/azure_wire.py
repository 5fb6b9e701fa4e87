"""Azure's answers and events as tests write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import NOW

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SECRETS = {"access-key": KEY}
URL = "https://acme.unitedstates.communication.azure.com"
RECIPIENT, SENDER = "+15558675300", "+15551234567"
# Recorded by Microsoft's SDKs.
OURS = {"ms-cv": "2Py3Qdv3L0iC1codIBFwUw.0", "api-supported-versions": "2021-03-07, 2026-01-23"}
JSON = {"content-type": "application/json; charset=utf-8", **OURS}
REPORT, RECEIVED = "Microsoft.Communication.SMSDeliveryReportReceived", "Microsoft.Communication.SMSReceived"


def message_id(number: int) -> str:
    return f"Outgoing_20210616232153{number:08x}-ff2f-4d12-b973-5ae2014255a9_noam"


def recipient(number: int) -> str:
    """As `ProviderCase.messages` has them."""
    return f"+155586753{number:02}"


def answer(status: int, document: object) -> HttpResponse:
    return HttpResponse(status, JSON, json.dumps(document).encode())


def item(number: int, to: str | None = None, **changes: Any) -> dict[str, Any]:
    """A recipient that was taken; a field given as None is left out."""
    made = {
        "to": to or recipient(number),
        "messageId": message_id(number),
        "httpStatusCode": 202,
        "repeatabilityResult": "accepted",
        "successful": True,
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def refused(number: int, status: int, text: str, **changes: Any) -> dict[str, Any]:
    changes = {"httpStatusCode": status, "errorMessage": text, "successful": False, **changes}
    return item(number, **{"messageId": None, "repeatabilityResult": None, **changes})


def items(*rows: object) -> HttpResponse:
    return answer(202, {"value": list(rows)})


def taken(ids: Sequence[str]) -> HttpResponse:
    return items(*(item(number, messageId=each) for number, each in enumerate(ids)))


def error(status: int, code: str, message: str) -> HttpResponse:
    return answer(status, {"error": {"code": code, "message": message}})


def problem(status: int, title: str, errors: object = None) -> HttpResponse:
    document = {"type": "https://tools.ietf.org/html/rfc9110#section-15.5", "title": title, "status": status}
    return answer(status, {**document, "traceId": "00-2a-45-00"} | ({"errors": errors} if errors else {}))


NOT_FOUND = problem(404, "Not Found")


def details(word: str) -> str:
    return {"Delivered": "No error.", "Failed": "4005: Message is blocked by Destination carrier"}.get(word, "")


def report(provider_message_id: str, word: str, **changes: Any) -> dict[str, Any]:
    made = {
        "deliveryStatus": word,
        "deliveryStatusDetails": details(word),
        "deliveryAttempts": [{"timestamp": "2026-07-06T11:59:59Z", "segmentsSucceeded": 1, "segmentsFailed": 0}],
        "receivedTimestamp": "2026-07-06T12:00:00.2855749Z",
        "messageId": provider_message_id,
        "from": "15551234567",
        "to": RECIPIENT,
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def event(data: object, event_type: str = REPORT) -> dict[str, Any]:
    return {
        "id": "5e3b2c10-0000-4000-8000-000000000001",
        "topic": "/subscriptions/s/resourceGroups/g/providers/microsoft.communication/communicationservices/acme",
        "subject": "/phonenumber/15551234567",
        "data": data,
        "eventType": event_type,
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": "2026-07-06T12:00:00Z",
    }


def cloud_event(data: object, event_type: str = REPORT) -> dict[str, Any]:
    made = event(data, event_type)
    names = {"id": "id", "source": "topic", "subject": "subject", "data": "data", "type": "eventType"}
    return {name: made[own] for name, own in names.items()} | {"time": made["eventTime"], "specversion": "1.0"}


def received(sender: str, text: str, **changes: Any) -> dict[str, Any]:
    made = {"messageId": "Incoming_20260706120000ab_noam", "from": sender.lstrip("+"), "to": "15551234567"}
    return {**made, "message": text, "receivedTimestamp": "2026-07-06T12:00:00Z", "segmentCount": 1} | changes


def callback(url: str, document: object, *, method: str = "POST", **headers: str) -> RawCallback:
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawCallback(method, url, {"aeg-event-type": "Notification", **named}, body, NOW)
