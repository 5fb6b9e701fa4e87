from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox import Sandbox
from sandbox.infobip.account import API_KEY

FROM, TO = "+15551234567", "447700900123"


class InfobipApi:
    """Infobip's API as a plain client sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"App {API_KEY}"

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=10, **arguments)

    def send(self, *recipients: str, options: dict[str, Any] | None = None, **message: Any) -> requests.Response:
        """One message for each recipient; `ids` are theirs."""
        ids = message.pop("ids", [None] * len(recipients))
        base = {"sender": FROM, "content": {"text": "Hello"}} | message
        messages = [
            {**base, "destinations": [{"to": to} | ({"messageId": mine} if mine else {})]}
            for to, mine in zip(recipients, ids, strict=True)
        ]
        return self.call("POST", "/sms/3/messages", json={"messages": messages, "options": options or {}})

    def sent(self, *recipients: str, **message: Any) -> list[dict[str, Any]]:
        answer = self.send(*recipients, **message)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    def logs(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.call("GET", "/sms/3/logs", params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])


@pytest.fixture
def infobip(sandbox: Sandbox) -> InfobipApi:
    return InfobipApi(sandbox.url)
