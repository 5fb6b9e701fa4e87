"""What a room is handed and hands back: no HTTP library in sight, so a room is a pure function of its state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived.

    `path` and `query` are raw (still percent-encoded), so that a room can echo them as the provider does.
    `headers` looks names up in any case.
    """

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]

    def query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    def form_pairs(self) -> list[tuple[str, str]]:
        """The body as form fields; another content type has none, as for a server that knows only forms."""
        if not self.headers.get("Content-Type", FORM_TYPE).startswith(FORM_TYPE):
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `until` is awaited before it leaves: how a callback comes to arrive before the answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    until: asyncio.Future[Any] | None = None


def json_reply(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": JSON_TYPE, **(headers or {})})
