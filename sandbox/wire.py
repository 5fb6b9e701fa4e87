"""Requests and replies without an HTTP library, so that a service is a pure function of its state."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
# About a quarter of a millisecond of work.
ITEMS_AT_ONCE = 10
NOTHING_MORE: Iterator[bytes] = iter(())


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived.

    `path` and `query` are raw (still percent-encoded), so that a service can echo them as the provider does.
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
        """Return the body as form fields; another content type has none, as for a server that knows only forms."""
        if not self.headers.get("Content-Type", FORM_TYPE).startswith(FORM_TYPE):
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `until` is awaited before it leaves: how a callback comes to arrive before the answer. `rest` is what of
    the body is still to be written, after `body`: between its pieces others are served, so that a long list doesn't hold up
    (and journal too late) what arrives meanwhile."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    until: asyncio.Future[Any] | None = None
    rest: Iterator[bytes] = NOTHING_MORE

    async def whole(self) -> Reply:
        """With all of its body."""
        pieces = [self.body]
        for piece in self.rest:
            pieces.append(piece)
            await asyncio.sleep(0)
        return replace(self, body=b"".join(pieces), rest=NOTHING_MORE)


def retry_after_header(seconds: float | None) -> dict[str, str]:
    """Return the header, where there is something to wait for: whole seconds as in HTTP, rounded up so that waiting them is
    enough."""
    return {} if seconds is None else {"Retry-After": str(math.ceil(seconds))}


def json_reply(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": JSON_TYPE, **(headers or {})})


def list_reply(frame: Mapping[str, Any], key: str, items: Iterable[Mapping[str, Any]]) -> Reply:
    """200 with `frame` and, as its last member `key`, the items, which are written a few at a time."""
    return Reply(
        200,
        f"{json.dumps(frame)[:-1]}, {json.dumps(key)}: [".encode(),
        {"Content-Type": JSON_TYPE},
        rest=_listing(iter(items)),
    )


def _listing(items: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    before = ""
    while few := list(islice(items, ITEMS_AT_ONCE)):
        yield (before + ", ".join(json.dumps(item) for item in few)).encode()
        before = ", "
    yield b"]}"
