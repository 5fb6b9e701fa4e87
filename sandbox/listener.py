"""The listening socket, which can be closed for a while: how a refused connection is made."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web


class Listener:
    """Listens on 127.0.0.1. While closed the port stays bound, so that no other process can take it meanwhile."""

    def __init__(self) -> None:
        self._protocols: web.Server | None = None
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.Task[None] | None = None
        self.port = 0

    async def open(self, port: int, protocols: web.Server) -> None:
        self._protocols = protocols
        held = _bound(port)
        self.port = held.getsockname()[1]
        await self._listen(held)

    def close_for(self, seconds: float) -> None:
        """Refuse new connections and cut the open ones for `seconds`; a second call while closed changes nothing."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        held = _bound(self.port)
        self.cut_connections()
        self._reopening = asyncio.get_running_loop().create_task(self._reopen(held, seconds))

    def cut_connections(self) -> None:
        for connection in self._protocols.connections if self._protocols else ():
            if connection.transport is not None:
                reset(connection.transport)

    async def close(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
        if self._server is not None:
            self._server.close()
        self.cut_connections()
        if self._protocols is not None:
            await self._protocols.shutdown(1.0)

    async def _reopen(self, held: socket.socket, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            held.close()
            raise
        await self._listen(held)

    async def _listen(self, held: socket.socket) -> None:
        if self._protocols is None:
            raise RuntimeError("open() comes first")
        self._server = await asyncio.get_running_loop().create_server(self._protocols, sock=held, backlog=512)


def reset(transport: asyncio.BaseTransport) -> None:
    """Cut a connection with a TCP reset. Without the zero linger the other side would see a normal end."""
    held = transport.get_extra_info("socket")
    if held is not None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def _bound(port: int) -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    held.setblocking(False)
    return held
