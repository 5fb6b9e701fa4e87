"""Infobip's documents as tests write them, after the examples of its OpenAPI description, release 3.210.0."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sms_connector.provider import RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.case import NOW

BASE_URL = "https://xyz123.api.infobip.com"
KEY = "003026bbc133714df1834b8638bb496e-8f4b3d9a-e931-478d-a994-28a725159ab9"
SECRETS = {"api-key": KEY}
NOW_TEXT = "2026-07-06T12:00:00.000+0000"
JSON = {"content-type": "application/json;charset=UTF-8"}
GROUPS = ("ACCEPTED", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED")
# Name to id and group.
STATUSES = {
    "PENDING_ACCEPTED": (26, 1),
    "PENDING_ENROUTE": (7, 1),
    "PENDING_WAITING_DELIVERY": (3, 1),
    "UNDELIVERABLE_REJECTED_OPERATOR": (4, 2),
    "UNDELIVERABLE_NOT_DELIVERED": (9, 2),
    "UNDELIVERABLE_NOT_SENT": (31, 2),
    "DELIVERED_TO_OPERATOR": (2, 3),
    "DELIVERED_TO_HANDSET": (5, 3),
    "EXPIRED_EXPIRED": (15, 4),
    "EXPIRED_DLR_UNKNOWN": (29, 4),
    "REJECTED_NETWORK": (6, 5),
    "REJECTED_NOT_ENOUGH_CREDITS": (12, 5),
    "REJECTED_DESTINATION_BLOCKLISTED": (14, 5),
    "REJECTED_FLOODING_FILTER": (20, 5),
    "REJECTED_DUPLICATE_MESSAGE_ID": (23, 5),
    "REJECTED_DESTINATION": (52, 5),
}
NO_ERROR = {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error", "permanent": False}


def answer(status: int, document: object) -> HttpResponse:
    return HttpResponse(status, JSON, json.dumps(document).encode())


def status(name: str) -> dict[str, Any]:
    """A status; of one that Infobip may add one day, the name alone."""
    if name not in STATUSES:
        return {"name": name}
    number, group = STATUSES[name]
    described = name.replace("_", " ").capitalize()
    return {"groupId": group, "groupName": GROUPS[group], "id": number, "name": name, "description": described}


def error(number: int, name: str, *, group: int = 1, permanent: bool = True) -> dict[str, Any]:
    described = name.removeprefix("EC_").replace("_", " ").capitalize()
    return {
        "groupId": group,
        "groupName": "HANDSET_ERRORS",
        "id": number,
        "name": name,
        "description": described,
        "permanent": permanent,
    }


def sent(*items: tuple[str, str]) -> HttpResponse:
    """The answer to a send: ids and status names."""
    return answer(
        200,
        {
            "bulkId": "2034072219640523072",
            "messages": [
                {
                    "messageId": message_id,
                    "status": status(name),
                    "destination": "41793026727",
                    "details": {"messageCount": 1},
                }
                for message_id, name in items
            ],
        },
    )


def asked_ids(request: HttpRequest) -> list[str]:
    """The ids of the messages that a request sends."""
    messages = json.loads(request.body or b"")["messages"]
    return [destination["messageId"] for message in messages for destination in message["destinations"]]


def all_sent(request: HttpRequest) -> HttpResponse:
    return sent(*((message_id, "PENDING_ACCEPTED") for message_id in asked_ids(request)))


def report(message_id: str, name: str, delivery_error: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "bulkId": "BULK-ID-123-xyz",
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": status(name),
        "error": delivery_error or NO_ERROR,
        "messageId": message_id,
        "to": "15558675310",
        "sender": "InfoSMS",
        "sentAt": NOW_TEXT,
        "doneAt": NOW_TEXT,
        "messageCount": 1,
    }


def log(message_id: str, name: str, delivery_error: dict[str, Any] | None = None) -> dict[str, Any]:
    document = report(message_id, name, delivery_error)
    return {**document, "destination": document.pop("to"), "content": {"text": "Hello"}}


def logs(*items: dict[str, Any], cursor: str | None = None) -> HttpResponse:
    following = {"nextCursor": cursor} if cursor else {}
    return answer(200, {"results": list(items), "cursor": {"limit": 1000, **following}})


def api_error(http_status: int, text: str, *violations: tuple[str, str], link: str | None = None) -> HttpResponse:
    document = {
        "errorCode": f"E{http_status}",
        "description": text,
        "action": "Check the syntax, violations and adjust the request.",
        "violations": [{"property": name, "violation": violation} for name, violation in violations],
        "resources": [{"name": "API Authentication", "url": link}] if link else [],
    }
    return answer(http_status, document)


def callback(url: str, results: Sequence[object], **headers: str) -> RawCallback:
    body = json.dumps({"results": results}).encode()
    return RawCallback("POST", url, headers, body, NOW)


def inbound(sender: str, text: str) -> dict[str, Any]:
    return {
        "messageId": "817790313235066447",
        "from": sender.removeprefix("+"),
        "to": "15551234567",
        "text": text,
        "cleanText": text,
        "receivedAt": NOW_TEXT,
        "smsCount": 1,
        "price": {"pricePerMessage": 0, "currency": "EUR"},
    }
