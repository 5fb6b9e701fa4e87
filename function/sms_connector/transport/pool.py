"""Connections at rest, per destination: the one used last first, so that the others grow old and are let go."""

from __future__ import annotations

from collections import deque

from sms_connector.ports import Clock

from .dial import Dialer
from .route import Route
from .settings import TransportSettings
from .wire import Wire


class Pool:
    """The idle connections along one route, for any number of threads. A thread that finds none opens one."""

    def __init__(self, route: Route, dialer: Dialer, *, clock: Clock, settings: TransportSettings) -> None:
        self.route = route
        self._dialer = dialer
        self._clock = clock
        self._settings = settings
        # deque's append and pop are atomic: no lock on the way of a send.
        self._idle: deque[Wire] = deque()

    def take(self) -> Wire:
        """A connection that looks alive, or a new one. Raises WireError when none can be opened."""
        now = self._clock.monotonic()
        while (wire := self._find(now - self._settings.rest)) is not None:
            if now - wire.idle_since <= self._settings.max_idle and not wire.is_dead():
                return wire
            wire.close()
        return self._dialer.open(self.route)

    def give_back(self, wire: Wire) -> None:
        """For the next exchange; closed where enough are waiting already."""
        if len(self._idle) >= self._settings.pool_size:
            wire.close()
            return
        wire.idle_since = self._clock.monotonic()
        self._idle.append(wire)

    def close_stale(self) -> None:
        """Close the connections that are too old to be used again."""
        oldest = self._clock.monotonic() - self._settings.max_idle
        while self._idle:
            try:
                wire = self._idle.popleft()
            except IndexError:  # another thread was faster
                return
            if wire.idle_since >= oldest:
                self._idle.appendleft(wire)
                return
            wire.close()

    def clear(self) -> None:
        """Close what is at rest: one connection found dead speaks for its contemporaries."""
        while (wire := self._find(rested=float("inf"))) is not None:
            wire.close()

    def _find(self, rested: float) -> Wire | None:
        """The newest that is idle since `rested` or longer, else the oldest, if that is. A full pool isn't choosy."""
        try:
            wire = self._idle.pop()
            if wire.idle_since <= rested or len(self._idle) + 1 >= self._settings.pool_size:
                return wire
            self._idle.append(wire)
            wire = self._idle.popleft()
            if wire.idle_since <= rested:
                return wire
            self._idle.appendleft(wire)
        except IndexError:  # another thread was faster
            pass
        return None
