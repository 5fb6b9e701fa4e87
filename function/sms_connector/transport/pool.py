"""Connections at rest, per destination: the one used last first, so that the others grow old and are let go."""

from __future__ import annotations

from collections import deque

from sms_connector.ports import Clock

from .dial import Dialer
from .route import Route
from .wire import Wire


class Pool:
    """The idle connections along one route, for any number of threads. A thread that finds none opens one."""

    def __init__(self, route: Route, dialer: Dialer, *, clock: Clock, size: int, max_idle: float) -> None:
        self.route = route
        self._dialer = dialer
        self._clock = clock
        self._size = size
        self._max_idle = max_idle
        # deque's append and pop are atomic: no lock on the way of a send.
        self._idle: deque[Wire] = deque()

    def take(self) -> Wire:
        """A connection that looks alive, or a new one. Raises WireError when none can be opened."""
        oldest = self._clock.monotonic() - self._max_idle
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                return self._dialer.open(self.route)
            if wire.idle_since >= oldest and not wire.is_dead():
                return wire
            wire.close()

    def give_back(self, wire: Wire) -> None:
        """For the next exchange; closed where enough are waiting already."""
        if len(self._idle) >= self._size:
            wire.close()
            return
        wire.idle_since = self._clock.monotonic()
        self._idle.append(wire)

    def clear(self) -> None:
        """Close what is at rest: one connection found dead speaks for its contemporaries."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return
