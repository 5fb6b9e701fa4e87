"""One address for several workers, one connection each at a time: what Cloud Run does for a function with `concurrency` 1.

A request that finds no instance free waits for one, for 10 s at most (cloud.google.com/run/docs/about-instance-autoscaling).
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Sequence

PATIENCE, PAUSE = 10.0, 0.05


class Instances:
    """Who is free. An instance that can't be reached is passed over: it is being killed or started."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._free = list(ports)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket | None]:
        """A connection to a free instance, None where there is none for too long."""
        port, connection, deadline = None, None, time.monotonic() + PATIENCE
        while connection is None and time.monotonic() < deadline:
            port = self._take()
            if port is not None:
                with contextlib.suppress(OSError):
                    connection = socket.create_connection(("127.0.0.1", port), 5)
            if connection is None:
                self._put(port)
                time.sleep(PAUSE)
        try:
            yield connection
        finally:
            if connection is not None:
                connection.close()
                self._put(port)

    def _take(self) -> int | None:
        with self._lock:
            return self._free.pop(0) if self._free else None

    def _put(self, port: int | None) -> None:
        with self._lock:
            self._free += [port] if port is not None else []


@contextlib.contextmanager
def balancing(ports: Sequence[int]) -> Iterator[str]:
    """The address that stands for all of these ports."""
    instances = Instances(ports)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with instances.connected() as upstream:
                if upstream is not None:
                    _relay(self.request, upstream)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="balancer")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    upstream.settimeout(None)
    back = threading.Thread(target=_copy, args=(upstream, client), daemon=True)
    back.start()
    _copy(client, upstream)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until either side ends; then both have ended."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
