"""The one door: takes each request from the socket, journals it, lets faults strike, and hands it to its service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiohttp import web

from sandbox.admin import Admin
from sandbox.faults import FaultError, FaultPlan
from sandbox.injection import Strike, inject
from sandbox.journal import Entry, Journal
from sandbox.limits import Gate
from sandbox.listener import Listener
from sandbox.options import Context
from sandbox.service import Service
from sandbox.wire import Reply, Request

ADMIN_PREFIX = "/_sandbox"


class Server:
    """The request handler of a running sandbox."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        context: Context,
        journal: Journal,
        faults: FaultPlan,
        gate: Gate,
        listener: Listener,
        admin: Admin,
    ) -> None:
        self._services = services
        self._context = context
        self._journal = journal
        self._faults = faults
        self._gate = gate
        self._listener = listener
        self._admin = admin

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        path = http.rel_url.raw_path
        if path.startswith(ADMIN_PREFIX):
            return await self._admin.handle(http)
        service = next((service for service in self._services if service.owns(path)), None)
        if service is None:
            return web.Response(status=404, text=f"no simulated provider serves {path}\n")
        return await self._exchange(service, http)

    async def _exchange(self, service: Service, http: web.BaseRequest) -> web.StreamResponse:
        url = http.rel_url
        arrived = time.monotonic()
        request = Request(http.method, url.raw_path, url.raw_query_string, await http.read(), http.headers)
        entry = self._journal.record(request, http.raw_headers, arrived=arrived)
        self._gate.enter()
        try:
            return await self._answer(service, http, request=request, entry=entry)
        except FaultError as error:
            return web.Response(status=400, text=f"X-Sandbox-Fault: {error}\n")
        finally:
            self._gate.leave()

    async def _answer(
        self, service: Service, http: web.BaseRequest, *, request: Request, entry: Entry
    ) -> web.StreamResponse:
        fault = self._faults.pick(request)
        entry.fault = None if fault is None else fault.kind.value
        if fault is not None and not fault.kind.lets_through:
            return self._finish(service, await inject(Strike(fault, service, http, self._listener)), entry=entry)
        wait = self._gate.retry_after(self._context.settings, entry.monotonic)
        reply = service.handle(request) if wait is None else service.too_many_requests(wait)
        reply = await reply.whole()
        if reply.until is not None:
            # Shielded: a client that hangs up does not unsend what is on its way.
            await asyncio.shield(reply.until)
        if self._context.settings.latency_seconds:
            await asyncio.sleep(self._context.settings.latency_seconds)
        if fault is not None:
            return self._finish(service, await inject(Strike(fault, service, http, self._listener, reply)), entry=entry)
        return self._finish(service, reply, entry=entry)

    def _finish(self, service: Service, reply: Reply | None, *, entry: Entry) -> web.StreamResponse:
        if reply is None:
            # The connection is gone; the web server drops whatever it is handed now.
            return web.Response()
        seconds = time.monotonic() - entry.monotonic
        headers = service.response_headers(reply, under_way=self._gate.under_way, seconds=seconds)
        entry.status = reply.status
        return web.Response(body=reply.body, status=reply.status, headers=headers)
