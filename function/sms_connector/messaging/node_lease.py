"""A node's word that it is alive: one document, renewed while requests are in flight.

Every intent names the lease it was written under. When the lease has ended without an outcome, nobody knows whether the call was
made: the message is *unknown*, never *retry* (sending.md section 2). One lease a node instead of one a message costs one write in
ten seconds, whatever the number of messages.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sms_connector.messaging.policy import Policy
from sms_connector.ports import Clock, Ledger, Write

COLLECTION = "state"
FORGET_AFTER = 24 * 3600.0


class NodeLease:
    """`held()` around everything that may call a provider. Thread-safe."""

    def __init__(self, ledger: Ledger, *, clock: Clock, policy: Policy) -> None:
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._in_flight = 0
        self._id = ""
        self._until = 0.0  # monotonic
        self._idle = threading.Event()

    @contextmanager
    def held(self) -> Iterator[str]:
        """The lease's name; it is renewed in the background until the block ends."""
        self.enter()
        try:
            yield self.name()
        finally:
            self.leave()

    def name(self) -> str:
        """The name intents are written under now; renewed first where it is old."""
        return self._renew_if_due()

    def fresh_for(self, seconds: float) -> bool:
        """Does the lease last that long from now? Only then may a call be started under it."""
        return self._clock.monotonic() + seconds <= self._until

    def living(self, names: Iterable[str]) -> set[str]:
        """Which of these leases still hold, as far as anybody can tell."""
        wanted = sorted(set(names))
        now = self._clock.time()
        documents = self._ledger.get(COLLECTION, [f"node:{name}" for name in wanted]) if wanted else []
        return {
            name
            for name, document in zip(wanted, documents, strict=True)
            if document is not None and document.data["leaseUntil"] + self._policy.clock_skew > now
        }

    def enter(self) -> None:
        with self._lock:
            self._in_flight += 1
            if self._in_flight == 1:
                self._idle = threading.Event()
                threading.Thread(target=self._keep, args=(self._idle,), name="node-lease", daemon=True).start()

    def leave(self) -> None:
        with self._lock:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _keep(self, idle: threading.Event) -> None:
        while not self._clock.wait(idle, self._policy.lease_seconds / 3):
            self._renew_if_due()

    def _renew_if_due(self) -> str:
        with self._renewing:
            if not self.fresh_for(self._policy.lease_seconds * 0.7):
                self._renew()
            return self._id

    def _renew(self) -> None:
        # A lease that has lapsed may have been called dead already: its name is not used again.
        name = self._id if self.fresh_for(0) and self._id else uuid.uuid4().hex
        asked = self._clock.monotonic()
        until = self._clock.time() + self._policy.lease_seconds
        data = {"leaseUntil": until, "expiresAt": until + FORGET_AFTER}
        self._ledger.commit([Write(COLLECTION, f"node:{name}", data)])
        self._id, self._until = name, asked + self._policy.lease_seconds
