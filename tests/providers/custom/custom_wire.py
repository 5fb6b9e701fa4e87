"""What a custom channel answers and posts, written from the contract, signed by the Standard Webhooks library."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook

from sms_connector import registry
from sms_connector.local.clock import SystemClock
from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import Provider, ProviderSettings, RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport
from tests.contract.providers.case import NOW

SECRET, NEW_SECRET = "whsec_Y3VzdG9tIGNoYW5uZWwgb2YgdGhlIHNhbmRib3g=", "whsec_YSBuZXcgc2VjcmV0IG9mIHRoZSBjaGFubmVs"
API_KEY = "customchannelkey0001"
SECRETS = {"signing-secret": SECRET, "api-key": API_KEY}
URL, STATUS_URL = "https://channel.example.com/messages/", "https://channel.example.com/statuses"
JSON = {"content-type": "application/json"}


def make(
    secrets: SecretSource, transport: Transport, *, url: str = URL, clock: Clock | None = None, **options: str
) -> Provider:
    settings = ProviderSettings("acme", url, options)
    return registry.make_provider(
        "custom", settings, secrets=secrets, transport=transport, clock=clock or SystemClock()
    )


def answer(status: int, document: Any) -> HttpResponse:
    return HttpResponse(status, JSON, json.dumps(document, ensure_ascii=False).encode())


def details(reason: str, message: str = "said by the channel") -> dict[str, Any]:
    return {"Details": {"Reason": reason, "Message": message}}


def taken(request: HttpRequest, *, refused: int | None = None) -> HttpResponse:
    """Take what is sent, but for the one at that place."""
    document = json.loads(request.body or b"")
    items = document if isinstance(document, list) else [document]
    results: list[dict[str, Any]] = [
        {"MessageId": f"theirs_{place}", "RequestId": item["RequestId"], "Status": "Sent", "Details": {}}
        for place, item in enumerate(items)
    ]
    if refused is not None:
        results[refused] |= {"Status": "NotSent", **details("InvalidRecipient")}
    return answer(200, results if isinstance(document, list) else results[0])


def report(message_id: str, word: str, **more: Any) -> dict[str, Any]:
    return {"RequestId": message_id, "MessageId": f"theirs_{message_id}", "Status": word, "Details": {}} | more


def inbound(sender: str, text: str, **more: Any) -> dict[str, Any]:
    return {"MessageId": "cm-1", "To": "+15551234567", "From": sender, "Message": {"text": text}} | more


def callback(url: str, document: Any, *, secret: str = SECRET, at: datetime = NOW, id_: str = "event_1") -> RawCallback:
    body = json.dumps(document, ensure_ascii=False)
    headers = {
        "Content-Type": "application/json",
        "Webhook-Id": id_,
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(id_, at, body),
    }
    return RawCallback("POST", url, headers, body.encode(), NOW)
