"""The connection's rate, kept by all nodes together: each leases a share of it and starts no more than that.

What holds whatever joins, dies or pauses: in no window are more calls started than the rate.

- A node starts no more than its share in the allocation document says, and nothing once its lease has ended. The throttle
  itself knows the end, so a process that was asleep starts nothing late.
- To give something back a node first lowers its throttle, then waits a window, and only then writes the smaller share.
- To get more it first writes the larger share, out of what nobody holds, and only then raises its throttle.
- What a dead node held is free once its entry was seen unchanged for its lease and a window (`allocation.Watch`).

A joining node waits until the others have given way, at their next renewals. One document holds it all, so a renewal is a read
and a write; the more nodes, the rarer (a Firestore document takes about one write a second), and the longer the leases.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf

import msgspec

from sms_connector.errors import Conflict
from sms_connector.model.message import BeforeAttempt
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Ledger, Write
from sms_connector.rate_limit.allocation import Entries, NodeShare, Watch, fair_share, read_entries
from sms_connector.rate_limit.start_schedule import WINDOW
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.transport.http import Lane, Written

COLLECTION, DOCUMENT = "connectionRate", "allocation"
# A call that was let through may be written so much later: a connection may have to be opened for it.
DEPARTURE = 0.15
SETTLING = WINDOW + DEPARTURE
# Where a rate is counted over several nodes, one late call of any of them counts: their throttles keep this margin more.
SPARE = 0.005
# A want falls only when so many renewals in a row have seen less.
REMEMBERED = 3


class ShareTiming(msgspec.Struct, frozen=True):
    """Seconds. A share is renewed every `period`, or as rarely as the nodes together make `writes_per_second`; its lease lasts
    `grace` longer, which has to be more than a window and some tries. After `retry` a renewal that failed is tried again, and
    a node that has less than falls to it looks whether others have given way."""

    period: float = 1.0
    grace: float = 2.0
    writes_per_second: float = 1.0
    retry: float = 0.5


# A Firestore document takes about one write a second for long (cloud.google.com/firestore/quotas); a file takes any.
FIRESTORE_TIMING = ShareTiming()
SQLITE_TIMING = ShareTiming(period=0.4, grace=1.2, writes_per_second=20.0, retry=0.1)


class ConnectionRate:
    """`wait_turn` is the transport's gate in place of the throttle's own. `rate` is the connection's, `limit` what this node may start at
    most; calls a second. Thread-safe."""

    def __init__(
        self,
        node: str,
        ledger: Ledger,
        throttle: Throttle,
        *,
        rate: int,
        limit: int,
        clock: Clock,
        timing: ShareTiming = FIRESTORE_TIMING,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._node = node
        self._ledger = ledger
        self._throttle = throttle
        self._connection_rate = rate
        self._limit = limit
        self._timing = timing
        self._clock = clock
        self._uniform = uniform
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._in_flight = 0
        self._keeping = False
        self._never = threading.Event()
        self._watch = Watch(SETTLING)
        self._demands: deque[int] = deque(maxlen=REMEMBERED)
        self._beat = 0
        self._deadline = -inf  # monotonic: the lease's end
        self._due = -inf  # monotonic: when it has to be renewed
        self._rate = 0  # the throttle's
        self._high, self._settled_at = 0, -inf  # the highest of the last window, until then
        self._wait_for_share()

    def wait_turn(self, lane: Lane, before_attempt: BeforeAttempt | None = None) -> Written:
        """As the throttle's. Raises what that raises, and what the ledger does where there is no share."""
        with self.held():
            return self._throttle.wait_turn(lane, before_attempt)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The share is renewed in the background until the block ends; after that it lapses by itself."""
        self._enter()
        try:
            if self._clock.monotonic() >= self._deadline:
                self._renew_lapsed()
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def renew(self) -> float:
        """Read, decide, write. Seconds until the next renewal is due. Raises what the ledger raises."""
        with self._renewing:
            while (pause := self._try_renew()) is None:
                self._clock.sleep(self._uniform() * self._timing.retry)
            return pause

    # --- in the background --------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        with self._lock:
            self._in_flight += 1
            if self._keeping:
                return
            self._keeping = True
        threading.Thread(target=self._keep, name="share", daemon=True).start()

    def _keep(self) -> None:
        pause = self._timing.retry
        while True:
            self._clock.wait(self._never, pause)
            with self._lock:
                if not self._in_flight:
                    self._keeping = False
                    return
            pause = self._timing.retry
            # The entry of a thread, and stores raise errors of their own: the share stays until its lease ends.
            with suppress(Exception):
                pause = self.renew()

    def _renew_lapsed(self) -> None:
        """Whoever comes first renews for all."""
        with self._renewing:
            lapsed = self._clock.monotonic() >= self._deadline
        if lapsed:
            self.renew()

    # --- a renewal ----------------------------------------------------------------------------------------------------

    def _try_renew(self) -> float | None:
        """None where somebody else wrote in between."""
        [document] = self._ledger.get(COLLECTION, [DOCUMENT])
        entries = self._living(document)
        timing = self._timing
        period = max(timing.period, len(entries) / timing.writes_per_second)
        target, share = self._decide(entries)
        asked, lease = self._clock.monotonic(), period + timing.grace
        unchanged = share == entries[self._node].share and max(self._demands) <= entries[self._node].want
        if unchanged and asked < self._due:
            return self._pause(asked, hungry=share < target)  # nothing to write yet
        mine = self._own_share(share, lease=lease)
        if not self._write(document, {**entries, self._node: mine}):
            return None
        self._due = asked + period
        self._take(target, share, deadline=asked + lease)
        return self._pause(asked, hungry=share < target)

    def _pause(self, now: float, *, hungry: bool) -> float:
        """Until the next look: early where a smaller share can be written, or where others are to give way."""
        times = [self._due - now]
        if self._settled_at > now:
            times.append(self._settled_at - now)
        if hungry:
            times.append(self._timing.retry)
        return max(0.0, min(times))

    def _living(self, document: Document | None) -> dict[str, NodeShare]:
        entries = read_entries(document)
        mine = entries.pop(self._node, None)
        others = self._watch.living(entries, monotonic=self._clock.monotonic(), time=self._clock.time())
        if mine is None:
            self._forget()
            mine = NodeShare(0, 0, self._limit, 0.0, 0, 0.0)
        return {**others, self._node: mine}

    def _decide(self, entries: Entries) -> tuple[int, int]:
        """What the node should have, and what it may write now."""
        held = entries[self._node].share
        wanting = NodeShare(held, self._want(), self._limit, 0.0, 0, 0.0)
        target = fair_share(self._connection_rate, {**entries, self._node: wanting}, self._node)
        self._lower_to(target)
        free = self._connection_rate - sum(entry.share for entry in entries.values())
        return target, max(self._ceiling(), min(target, held + free), 0)

    def _want(self) -> int:
        """As many as it can start while calls wait; else what it starts, and one more. A node that begins wants all."""
        state = self._throttle.state()
        waits = state.queued > 0 or self._clock.monotonic() >= self._deadline
        self._demands.append(self._limit if waits else min(self._limit, state.started_last_second + 1))
        return max(self._demands)

    def _own_share(self, share: int, *, lease: float) -> NodeShare:
        self._beat += 1
        return NodeShare(share, max(self._demands), self._limit, lease, self._beat, self._clock.time() + lease)

    def _write(self, document: Document | None, entries: Entries) -> bool:
        data = {"nodes": {node: entry.to_json() for node, entry in entries.items()}}
        expect = document.version if document is not None else MUST_BE_ABSENT
        try:
            self._ledger.commit([Write(COLLECTION, DOCUMENT, data, expect)])
        except Conflict:
            return False
        return True

    # --- the throttle -------------------------------------------------------------------------------------------------

    def _take(self, target: int, share: int, *, deadline: float) -> None:
        """The share is written: the throttle may follow."""
        self._deadline = deadline
        self._rate = min(target, share)
        if not self._rate and target:
            # It waits for others to give way: requests may queue for what is to come, and nothing starts.
            self._throttle.change_rate(target, until=-inf)
        else:
            self._throttle.change_rate(self._rate, until=deadline)

    def _lower_to(self, target: int) -> None:
        if target < self._rate:
            high = max(self._ceiling(), self._rate)
            self._throttle.change_rate(target, until=self._deadline)
            self._high, self._settled_at = high, self._clock.monotonic() + SETTLING
            self._rate = target

    def _ceiling(self) -> int:
        """The most that may have been started in a window that is not over: the share must not be less."""
        return self._high if self._clock.monotonic() < self._settled_at else self._rate

    def _wait_for_share(self) -> None:
        """Nothing starts; requests may queue for what the node may get at most."""
        self._throttle.change_rate(min(self._limit, self._connection_rate), until=-inf)

    def _forget(self) -> None:
        """Nobody counts our share any more: so long ago has its lease ended. Nothing starts, but requests may queue."""
        self._wait_for_share()
        self._rate = self._high = 0
        self._settled_at = self._due = -inf
