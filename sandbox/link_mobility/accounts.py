"""The account: its credentials, its tokens, its gates; who a request comes from."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox.credentials import is_one_of, read_basic
from sandbox.wire import JSON_TYPE, Reply, Request, json_reply

USERNAME, PASSWORD = "demoUser", "demoPass"
CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-client-secret"
PLATFORM_ID, PARTNER_ID = "COMMON_API", "10001"
REPORT_GATE, INBOUND_GATE = "BVldZyQt", "mO4kEyWd"
NUMBERS = ("+15551234567", "2333", "LINK")
# The PDFs don't say how long a token lives; RFC 6749 leaves it to `expires_in`.
TOKEN_SECONDS = 3600


@dataclass(slots=True)
class Destination:
    url: str
    username: str = ""
    password: str = ""

    def document(self) -> dict[str, Any]:
        credentials = {"username": self.username, "password": self.password}
        return {"url": self.url, "contentType": JSON_TYPE, **credentials, "customParameters": {}}


@dataclass(slots=True)
class Gate:
    """`acknowledge`: an answer of 2xx counts with a body only."""

    id: str
    destinations: list[Destination] = field(default_factory=list)
    acknowledge: bool = False


@dataclass(slots=True)
class Account:
    """`gate_api`: whether it may use the Gate API. `tokens`: access token to the time of its end."""

    username: str = USERNAME
    password: str = PASSWORD
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    gate_api: bool = True
    gates: dict[str, Gate] = field(default_factory=lambda: {name: Gate(name) for name in (REPORT_GATE, INBOUND_GATE)})
    tokens: dict[str, float] = field(default_factory=dict)

    def admits(self, request: Request, now: float) -> bool:
        header = request.headers.get("Authorization", "")
        if header.startswith("Bearer "):
            return self.tokens.get(header.removeprefix("Bearer "), 0.0) > now
        user, password = read_basic(header)
        return is_one_of(user, [self.username]) and is_one_of(password, [self.password])

    def issue_token(self, request: Request, *, now: float, dice: random.Random) -> Reply:
        """Answer `POST /auth/token` (client credentials, RFC 6749 section 4.4)."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return json_reply(400, {"error": "unsupported_grant_type"})
        known = is_one_of(form.get("client_id", ""), [self.client_id])
        if not (known and is_one_of(form.get("client_secret", ""), [self.client_secret])):
            return json_reply(401, {"error": "invalid_client"})
        token = f"{dice.getrandbits(256):064x}"
        self.tokens[token] = now + TOKEN_SECONDS
        return json_reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})
