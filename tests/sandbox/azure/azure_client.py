"""Clients of the simulated resource: the official SDK, and plain calls signed by the SDK's own policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from azure.communication.sms import SmsClient
from azure.communication.sms._shared.policy import HMACCredentialsPolicy
from azure.core import PipelineClient
from azure.core.credentials import AzureKeyCredential
from azure.core.rest import HttpRequest, HttpResponse
from jsonschema import Draft4Validator

from sandbox.azure.service import ACCESS_KEY

VERSION = "2026-01-23"
TO, FROM = "+15558675310", "+15551234567"
DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi" / "acs_sms_2026-01-23.json").read_bytes())


def sdk(url: str, key: str = ACCESS_KEY) -> SmsClient:
    """The official client; its retries are off, so that one call is one request."""
    return SmsClient(url, AzureKeyCredential(key), retry_total=0)


class Api:
    """Calls that the SDK has no method for. Every 2xx is held against the vendor's own description."""

    def __init__(self, url: str, key: str = ACCESS_KEY) -> None:
        self._url = url
        self._client = PipelineClient(url, policies=[HMACCredentialsPolicy(url, key)])

    def call(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> HttpResponse:
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        named = {"Content-Type": "application/json", **(headers or {})}
        answer = self._client.send_request(HttpRequest(method, self._url + path, content=content, headers=named))
        answer.read()
        if answer.status_code in (200, 202):
            assert problems(method, path, answer) == []
        return answer

    def send(self, *recipients: object, **fields: Any) -> HttpResponse:
        """A send with everything needed; a field given as None is left out."""
        rows = [row if isinstance(row, dict) else {"to": row} for row in recipients or (TO,)]
        body = {
            "from": FROM,
            "message": "Hello",
            "smsRecipients": rows,
            "smsSendOptions": {"enableDeliveryReport": True},
        }
        kept = {name: value for name, value in {**body, **fields}.items() if value is not None}
        return self.call("POST", f"/sms?api-version={VERSION}", kept)

    def items(self, *recipients: object, **fields: Any) -> list[dict[str, Any]]:
        answer = self.send(*recipients, **fields)
        assert answer.status_code == 202, answer.text()
        return list(answer.json()["value"])

    def report(self, message_id: str) -> HttpResponse:
        return self.call("GET", f"/deliveryReports/{message_id}?api-version={VERSION}")


def problems(method: str, path: str, answer: HttpResponse) -> list[str]:
    template = path.partition("?")[0]
    if template.startswith("/deliveryReports/"):
        template = "/deliveryReports/{outgoingMessageId}"
    described = DOCUMENT["paths"][template][method.lower()]["responses"][str(answer.status_code)]["schema"]
    validator = Draft4Validator({**described, "definitions": DOCUMENT["definitions"]})
    return [error.message for error in validator.iter_errors(answer.json())]
