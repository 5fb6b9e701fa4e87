"""A node's lease: one document, renewed while requests are in flight.

Every intent names the lease it was written under. If the lease ends without an outcome, the call may have been made:
the message is *unknown*, never *retry* (sending.md section 2). One lease for each node costs one write in five seconds,
whatever the number of messages.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from sms_connector.errors import RequestError
from sms_connector.model.policy import Policy
from sms_connector.ports import Clock, Ledger, Query, Write
from sms_connector.ports.ledger_access import scan

COLLECTION = "state"
FORGET_AFTER = 24 * 3600.0
# Parts of a lease: how often it is checked, and what has to be left of it then. So it always lasts for a call of a node
# whose ledger answers, and the ledger may be unavailable for some seconds.
CHECK_EVERY = 1 / 6
RENEW_BELOW = 0.85


class _Lease(msgspec.Struct, frozen=True):
    """`until` is monotonic time, counted from before the renewal was written; `ends` is the time that others go by
    (epoch). A node that was frozen may find that the one has stood still, and one whose clock was set back that the
    other has: the earlier end counts."""

    name: str
    until: float
    ends: float

    def lasts(self, seconds: float, clock: Clock) -> bool:
        return clock.monotonic() + seconds <= self.until and clock.time() + seconds <= self.ends


class NodeLease:
    """`held()` around everything that may call a provider. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Clock,
        policy: Policy,
        secrets_in_use: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`secrets_in_use` are the digests of the secrets that this node reads: a rotation waits until every node has
        the new ones."""
        self._ledger = ledger
        self._secrets_in_use = secrets_in_use
        self._clock = clock
        self._policy = policy
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._in_flight = 0
        self._lease: _Lease | None = None
        self._idle = threading.Event()

    @contextmanager
    def held(self) -> Iterator[str]:
        """Yield the lease's name; renew it in the background until the block ends.

        A block that breaks off may leave intents without an outcome. Their lease must end although the node lives on,
        so it is retired; a request that was refused (RequestError) leaves none.
        """
        self.enter()
        try:
            yield self.name()
        except BaseException as error:
            self.leave(broken=not isinstance(error, RequestError))
            raise
        self.leave()

    def name(self) -> str:
        """Return the name that intents are written under now, after a renewal if it is old. Raises what the ledger
        raises."""
        if (lease := self._young()) is not None:
            return lease.name
        with self._renewing:
            return (self._young() or self._renew()).name

    def covers(self, holder: str | None, seconds: float) -> bool:
        """Return whether that is the present lease and it lasts that long from now: only then may a call start under
        it."""
        lease = self._lease
        return lease is not None and lease.name == holder and lease.lasts(seconds, self._clock)

    def retire(self) -> None:
        """Let the present lease end without renewal; later intents get another one. Requests in flight write their
        intents again under that one before they call."""
        self._lease = None

    def living(self, names: Iterable[str]) -> set[str]:
        """Return which of these leases still hold."""
        wanted = sorted(set(names))
        now = self._clock.time()
        documents = self._ledger.get(COLLECTION, [f"node:{name}" for name in wanted]) if wanted else []
        return {
            name
            for name, document in zip(wanted, documents, strict=True)
            if document is not None and document.data["leaseUntil"] + self._policy.clock_skew > now
        }

    def nodes_without(self, digests: Mapping[str, str]) -> int:
        """Return how many living nodes say that they use other secrets than these."""
        query = Query(COLLECTION, (("leaseUntil", ">", self._clock.time()),), order_by="leaseUntil", limit=500)
        leases = (document.data for document in scan(self._ledger, query))
        return sum(
            any(lease["secrets"].get(name, digest) != digest for name, digest in digests.items()) for lease in leases
        )

    def enter(self) -> None:
        with self._lock:
            self._in_flight += 1
            if self._in_flight == 1:
                self._idle = threading.Event()
                threading.Thread(target=self._keep, args=(self._idle,), name="node-lease", daemon=True).start()

    def leave(self, *, broken: bool = False) -> None:
        if broken:
            self.retire()
        with self._lock:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _keep(self, idle: threading.Event) -> None:
        while not self._clock.wait(idle, self._policy.lease_seconds * CHECK_EVERY):
            if self._renewing.locked():
                continue
            # The entry of a thread, and stores raise errors of their own: the lease stays as it is, and the caller of
            # `name` gets the store's error.
            with suppress(Exception):
                self.name()

    def _young(self) -> _Lease | None:
        lease = self._lease
        enough = self._policy.lease_seconds * RENEW_BELOW
        return lease if lease is not None and lease.lasts(enough, self._clock) else None

    def _renew(self) -> _Lease:
        """Renew the lease. One that has lapsed, or lapses during its renewal, may count as dead elsewhere: its name is
        not used again."""
        old = self._lease
        if old is not None:
            renewed = self._write(old.name)
            if old.lasts(0.0, self._clock) and self._lease is old:
                self._lease = renewed
                return renewed
        self._lease = fresh = self._write(uuid.uuid4().hex)
        return fresh

    def _write(self, name: str) -> _Lease:
        asked = self._clock.monotonic()
        until = self._clock.time() + self._policy.lease_seconds
        data = {"leaseUntil": until, "secrets": dict(self._secrets_in_use()), "expiresAt": until + FORGET_AFTER}
        self._ledger.commit([Write(COLLECTION, f"node:{name}", data)])
        return _Lease(name, asked + self._policy.lease_seconds, until)
