"""A sandbox put together and running: in this event loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.admin import Admin
from sandbox.callbacks import Callbacks
from sandbox.client import AdminClient
from sandbox.clock import Clock
from sandbox.faults import FaultPlan
from sandbox.journal import Journal
from sandbox.limits import Gate
from sandbox.listener import Listener
from sandbox.options import Context, Options
from sandbox.providers import services as simulated
from sandbox.server import Server

START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """An open sandbox in the current event loop."""

    listener: Listener
    callbacks: Callbacks

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.port}"

    async def close(self) -> None:
        await self.listener.close()
        await self.callbacks.close()


async def start(options: Options) -> Running:
    """Put a sandbox together and open its port."""
    # Repeatable chances and ids, not secrets.
    context = Context(options.settings, random.Random(options.seed))
    clock, journal, gate, faults = Clock(), Journal(options.journal_size), Gate(), FaultPlan(options.seed)
    callbacks = Callbacks(
        context=context, clock=clock, external=options.external_callbacks, journal_size=options.journal_size
    )
    services = [make(context, clock, callbacks) for make in simulated()]
    admin = Admin(
        services, context=context, clock=clock, journal=journal, faults=faults, callbacks=callbacks, gate=gate
    )
    listener = Listener()
    server = Server(
        services,
        context=context,
        journal=journal,
        faults=faults,
        gate=gate,
        listener=listener,
        admin=admin,
    )
    await listener.open(options.port, web.Server(server.handle, handler_cancellation=True, access_log=None))
    return Running(listener, callbacks)


class Sandbox:
    """A sandbox in a thread of its own, open inside a `with` block.

    Usage: `with Sandbox(Options(seed=7)) as sandbox: post_to(sandbox.url); sandbox.admin.messages()`.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._running: Running | None = None

    @property
    def url(self) -> str:
        if self._running is None:
            raise RuntimeError("the sandbox is not open; use it in a with block")
        return self._running.url

    @property
    def admin(self) -> AdminClient:
        return AdminClient(self.url)

    def __enter__(self) -> Self:
        self._thread.start()
        self._running = asyncio.run_coroutine_threadsafe(start(self._options), self._loop).result(START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            asyncio.run_coroutine_threadsafe(self._running.close(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
