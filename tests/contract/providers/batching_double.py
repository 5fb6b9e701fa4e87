"""A provider that is nothing like Twilio, to keep the contract suite honest: a hundred recipients of one text a call,
an outcome for each, repeatable by our message ids, no lists, no callbacks per message, an API key in a header.

Shaped after Azure Communication Services (per-recipient results, repeatability) and Infobip (`App` scheme).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, NotSent, OutcomeUnknown, ProviderRefused
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.status import MessageStatus
from sms_connector.ports import SecretSource
from sms_connector.provider import (
    CallbackAnswer,
    Capabilities,
    Provider,
    RawCallback,
    SendOutcome,
    SendReceipt,
)
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane, Transport

from .case import NOW, ProviderCase

BASE = "https://acme.batching.example"
KEY = "batch-key-0123456789"
WORDS = {
    "Queued": MessageStatus.QUEUED,
    "Delivered": MessageStatus.DELIVERED,
    "Failed": MessageStatus.FAILED,
}
KINDS = {4007: ErrorKind.OPTED_OUT, 401: ErrorKind.AUTHENTICATION}


class BatchingProvider(Provider):
    """POST /send, GET /reports/{id}, GET /ping."""

    name = "batching"
    capabilities = Capabilities(
        recipients_per_call=100,
        same_text_per_call=True,
        reports_by_id=1,
        idempotent_send=True,
        status_callbacks=True,
        sender_kinds=frozenset({SenderKind.LONG_CODE, SenderKind.ALPHANUMERIC}),
        text_limit=2048,
    )
    consent_words = STANDARD_WORDS
    secret_names: tuple[str, ...] = ("api-key",)
    callback_headers: tuple[str, ...] = ("signature",)

    def __init__(self, secrets: SecretSource, transport: Transport) -> None:
        self._secrets = secrets
        self._transport = transport

    def problems(self, *, callbacks: bool = False) -> list[str]:
        where = self._secrets.where("api-key")
        return [] if self._secrets.get("api-key") else [f"secret 'api-key' is missing (looked at {where})"]

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        document = {
            "from": messages[0].sender,
            "text": messages[0].text,
            "to": [{"to": message.to, "id": message.id} for message in messages],
        }
        response = self._call("POST", "/send", lane=Lane.SEND, document=document, before_attempt=before_attempt)
        if response.status != 202:
            return [_refusal(response, safe=False)] * len(messages)
        try:
            return [_outcome(item) for item in json.loads(response.body)["value"]]
        except (ValueError, KeyError, TypeError) as error:
            raise OutcomeUnknown(f"the answer can't be read: {type(error).__name__}") from None

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        response = self._call("GET", f"/reports/{provider_message_ids[0]}")
        if response.status == 404:
            return []
        return [_report(self._read(response))]

    def check_connection(self) -> ConnectionStatus:
        try:
            self._read(self._call("GET", "/ping"))
        except ProviderRefused as error:
            return ConnectionStatus(ConnectionState.AUTH_ERROR, str(error))
        except Exception as error:  # noqa: BLE001 - the double does not tell errors apart
            return ConnectionStatus(ConnectionState.ERROR, str(error))
        return ConnectionStatus(ConnectionState.ACTIVE, "pong")

    def verify_callback(self, callback: RawCallback) -> bool:
        key, given = self._secrets.get("api-key"), callback.headers.get("signature", "")
        if not key:
            raise NotSent("secret api-key is missing", kind=ErrorKind.AUTHENTICATION)
        return hmac.compare_digest(_signature(str(key), callback).encode(), given.encode())

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        try:
            items = json.loads(callback.body)["reports"]
        except (ValueError, KeyError, TypeError):
            raise InvalidRequest(FieldProblem("", "is no report")) from None
        return [_report(item) for item in items if isinstance(item, dict) and {"id", "status"} <= item.keys()]

    def handshake(self, callback: RawCallback) -> CallbackAnswer | None:
        """As Azure's Event Grid does: it sends a code and wants to see it again."""
        try:
            code = json.loads(callback.body)["validationCode"]
        except (ValueError, KeyError, TypeError):
            return None
        return CallbackAnswer(json.dumps({"validationResponse": code}).encode(), "application/json")

    def _call(
        self,
        method: str,
        path: str,
        *,
        lane: Lane = Lane.POLL,
        document: dict[str, Any] | None = None,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        request = self._request(method, path, lane, document)
        response = self._transport.send(replace(request, before_attempt=before_attempt))
        if response.status == 401:
            before = self._secrets.get("api-key")
            self._secrets.refresh()
            if self._secrets.get("api-key") != before:
                request = self._request(method, path, lane, document)
                return self._transport.send(replace(request, before_attempt=before_attempt))
        return response

    def _request(self, method: str, path: str, lane: Lane, document: dict[str, Any] | None) -> HttpRequest:
        key = self._secrets.get("api-key")
        if not key:
            raise NotSent(self.problems()[0], kind=ErrorKind.AUTHENTICATION)
        body = json.dumps(document).encode() if document else None
        headers = {"content-type": "application/json"}
        return HttpRequest(method, BASE + path, headers, body, f"App {key}", lane, repeatable=True)

    def _read(self, response: HttpResponse) -> dict[str, Any]:
        if response.status != 200:
            reason = _refusal(response, safe=True)
            raise ProviderRefused(reason.message, kind=reason.kind, code=reason.code, status=response.status)
        document: dict[str, Any] = json.loads(response.body)
        return document


def _refusal(response: HttpResponse, *, safe: bool) -> FailureReason:
    try:
        error = json.loads(response.body)["error"]
    except (ValueError, KeyError, TypeError):
        if safe or (300 <= response.status < 408 and response.status != 303):
            raise NotSent(f"{response.status} from something in between") from None
        raise OutcomeUnknown(f"{response.status}") from None
    return FailureReason("provider", KINDS.get(error["code"], ErrorKind.OTHER), error["text"], error["code"])


def _outcome(item: dict[str, Any]) -> SendOutcome:
    if "error" in item:
        error = item["error"]
        return FailureReason("provider", KINDS.get(error["code"], ErrorKind.OTHER), error["text"], error["code"])
    return SendReceipt(item["id"], MessageStatus.QUEUED, "Queued")


def _report(item: dict[str, Any]) -> DeliveryReport:
    return DeliveryReport(item["id"], WORDS.get(item["status"], MessageStatus.ACCEPTED), item["status"])


def _signature(key: str, callback: RawCallback) -> str:
    return hmac.new(key.encode(), callback.url.encode() + callback.body, "sha256").hexdigest()


def _answer(status: int, document: object) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json"}, json.dumps(document).encode())


def _status_callback(url: str, provider_message_id: str, word: str) -> RawCallback:
    body = json.dumps({"reports": [{"id": provider_message_id, "status": word}]}).encode()
    unsigned = RawCallback("POST", url, {}, body, datetime.now(UTC))
    return RawCallback("POST", url, {"signature": _signature(KEY, unsigned)}, body, NOW)


def _forged(genuine: RawCallback) -> dict[str, RawCallback]:
    return {
        "another body": RawCallback("POST", genuine.url, genuine.headers, genuine.body + b" ", NOW),
        "no signature": RawCallback("POST", genuine.url, {}, genuine.body, NOW),
    }


CASE = ProviderCase(
    name="batching",
    build=BatchingProvider,
    secrets={"api-key": KEY},
    rotated={"api-key": "batch-key-9876543210"},
    message_id=lambda number: f"Outgoing_{number}",
    taken=lambda ids: _answer(202, {"value": [{"id": item} for item in ids]}),
    some_refused=lambda ids, place: _answer(
        202,
        {
            "value": [
                {"error": {"code": 4001, "text": "No."}} if n == place else {"id": id_} for n, id_ in enumerate(ids)
            ]
        },
    ),
    refusal=_answer(400, {"error": {"code": 4001, "text": "The sender is not yours."}}),
    refusal_words=(4001, "The sender is not yours.", None),
    opted_out=_answer(400, {"error": {"code": 4007, "text": "Opted out."}}),
    unauthorized=_answer(401, {"error": {"code": 401, "text": "Wrong key."}}),
    unreadable={"nothing": HttpResponse(202, {}, b""), "no value": _answer(202, {})},
    words=WORDS,
    connected=_answer(200, {"pong": True}),
    report=lambda provider_message_id, word: _answer(200, {"id": provider_message_id, "status": word}),
    not_known=_answer(404, {"error": {"code": 404, "text": "No such message."}}),
    status_callback=_status_callback,
    forged=_forged,
)
