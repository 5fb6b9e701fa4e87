"""Carries out a fault on one exchange: what the client sees instead of, or after, the real answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from aiohttp import web

from sandbox.faults import Fault, Kind
from sandbox.listener import Listener, reset
from sandbox.service import Service
from sandbox.wire import Reply

HOLD_SECONDS = 3_600.0
UNPROCESSED = Reply(200)
SHORT_BY = 7


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault and what it strikes. `reply`: the real answer, UNPROCESSED where there is none."""

    fault: Fault
    service: Service
    http: web.BaseRequest
    listener: Listener
    reply: Reply = UNPROCESSED


# What the client gets; None: nothing, the connection is cut.
Effect = Callable[[Strike], Awaitable[Reply | None]]


async def inject(strike: Strike) -> Reply | None:
    return await EFFECTS[strike.fault.kind](strike)


async def _hold(strike: Strike) -> Reply | None:
    # A client that gives up cancels this handler, so holding for an hour holds no longer than the client does.
    await asyncio.sleep(HOLD_SECONDS if strike.fault.seconds is None else strike.fault.seconds)
    return strike.reply


async def _cut(strike: Strike) -> Reply | None:
    if strike.http.transport is not None:
        reset(strike.http.transport)
    return None


async def _refuse(strike: Strike) -> Reply | None:
    strike.listener.close_for(strike.fault.seconds or 0.0)
    return None


async def _fail(strike: Strike) -> Reply | None:
    return strike.service.server_error(strike.fault.status)


async def _unavailable(strike: Strike) -> Reply | None:
    return strike.service.server_error(503, strike.fault.seconds or 0.0)


async def _too_many(strike: Strike) -> Reply | None:
    return strike.service.too_many_requests(strike.fault.seconds or 0.0)


async def _garble(strike: Strike) -> Reply | None:
    reply = strike.reply
    match strike.fault.variant:
        case "html":
            page = b"<html><body>upstream says hello</body></html>"
            return replace(reply, body=page, headers={"Content-Type": "text/html"})
        case "empty":
            return replace(reply, body=b"")
        case "short":
            return await _shorten(strike)
    return replace(reply, body=reply.body[: len(reply.body) // 2])


async def _shorten(strike: Strike) -> Reply | None:
    """Announce the whole body, send less of it, and hang up."""
    answer = web.StreamResponse(status=strike.reply.status, headers=dict(strike.reply.headers))
    answer.content_length = len(strike.reply.body)
    await answer.prepare(strike.http)
    await answer.write(strike.reply.body[:-SHORT_BY])
    if strike.http.transport is not None:
        strike.http.transport.close()
    return None


EFFECTS: Mapping[Kind, Effect] = {
    Kind.TIMEOUT_AFTER_ACCEPT: _hold,
    Kind.SLOW: _hold,
    Kind.RESET_AFTER_ACCEPT: _cut,
    Kind.RESET_BEFORE_ACCEPT: _cut,
    Kind.ERROR_AFTER_ACCEPT: _fail,
    Kind.ERROR_BEFORE_ACCEPT: _fail,
    Kind.UNREADABLE: _garble,
    Kind.REFUSE_CONNECTION: _refuse,
    Kind.UNAVAILABLE: _unavailable,
    Kind.TOO_MANY_REQUESTS: _too_many,
}
