"""The connection's rate, kept by all nodes together: each leases a share of it and starts no more than that.

Invariant, whichever node joins, dies or pauses: in no window are more calls started than the rate.

- A node starts no more than its share in the allocation document, and nothing once its lease has ended. The throttle
  knows the end, so a process that was asleep starts nothing late.
- To give something back a node lowers its throttle, waits a window, and then writes the smaller share.
- To get more it writes the larger share, out of what is free, and then raises its throttle.
- A dead node's share is free once its entry was seen unchanged for its lease and a window (`Watch`). That compares no
  clocks: the node counts its lease from before the entry was written.

A joining node waits until the others have given way, at their next renewals. One document holds all shares, so a
renewal is a read and a write; the more nodes, the rarer renewals and the longer leases.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf

import msgspec

from sms_connector.errors import Conflict
from sms_connector.model.message import BeforeAttempt
from sms_connector.model.typed import convert
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Ledger, Write
from sms_connector.rate_limit.start_schedule import WINDOW
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.transport.http import Lane, Written

COLLECTION, DOCUMENT = "connectionRate", "allocation"
# Seconds after its turn that a call may be written: a connection may have to be opened for it.
DEPARTURE = 0.15
SETTLING = WINDOW + DEPARTURE
# An entry that ended this long ago is over by any clock: a node that starts alone need not watch it first.
LONG_PAST = 60.0
# Additional margin of the throttles where a rate is counted over several nodes: a late call of any of them counts.
SPARE = 0.005
# A want falls only after this many renewals in a row have seen less.
REMEMBERED = 3


class NodeShare(msgspec.Struct, frozen=True, array_like=True):
    """One node's share of the rate. `want` is what it could use, `limit` what it may start at most; `lease` seconds;
    `beat` changes with every renewal; `until` is the end by the node's own clock (epoch seconds)."""

    share: int
    want: int
    limit: int
    lease: float
    beat: int
    until: float


Entries = Mapping[str, NodeShare]


class Watch(msgspec.Struct):
    """When one node has seen the others' entries change, by its own monotonic clock."""

    window: float
    seen: dict[str, tuple[int, float]] = msgspec.field(default_factory=dict)

    def living(self, entries: Entries, *, monotonic: float, time: float) -> dict[str, NodeShare]:
        """Return the others' entries that may still count. `monotonic` was read after them."""
        for node, entry in entries.items():
            beat, _ = self.seen.get(node, (None, 0.0))
            if beat != entry.beat:
                self.seen[node] = (entry.beat, monotonic)
        self.seen = {node: seen for node, seen in self.seen.items() if node in entries}
        return {node: entry for node, entry in entries.items() if not self._is_over(node, entry, monotonic, time)}

    def _is_over(self, node: str, entry: NodeShare, monotonic: float, time: float) -> bool:
        watched = monotonic - self.seen[node][1]
        return watched > entry.lease + self.window or time > entry.until + LONG_PAST


def fair_share(rate: int, entries: Entries, node: str) -> int:
    """Return the node's share: all wants evenly first, then the rest evenly."""
    wants = _share_out(rate, {name: min(entry.want, entry.limit) for name, entry in entries.items()})
    spare = {name: entry.limit - wants[name] for name, entry in entries.items()}
    more = _share_out(rate - sum(wants.values()), spare)
    return wants[node] + more[node]


def _share_out(rate: int, wants: Mapping[str, int]) -> dict[str, int]:
    """Share the rate evenly, and give none more than it wants. What can't be divided goes to the first by name."""
    shares = dict.fromkeys(sorted(wants), 0)
    unsatisfied = [name for name in shares if wants[name] > 0]
    left = rate
    while left > 0 and unsatisfied:
        each, over = divmod(left, len(unsatisfied))
        for position, name in enumerate(unsatisfied):
            part = min(each + (position < over), wants[name] - shares[name])
            shares[name] += part
            left -= part
        unsatisfied = [name for name in unsatisfied if wants[name] > shares[name]]
    return shares


class ShareTiming(msgspec.Struct, frozen=True):
    """Seconds. A share is renewed every `period`, or as rarely as the nodes together make `writes_per_second`; its
    lease lasts `grace` longer, which has to be more than a window and some tries. After `retry` a renewal that failed
    is tried again, and a node with less than its fair share checks whether others have given way."""

    period: float = 1.0
    grace: float = 2.0
    writes_per_second: float = 1.0
    retry: float = 0.5


# A Firestore document takes about one write a second for long (cloud.google.com/firestore/quotas); a file takes any.
FIRESTORE_TIMING = ShareTiming()
SQLITE_TIMING = ShareTiming(period=0.4, grace=1.2, writes_per_second=20.0, retry=0.1)


class ConnectionRate(msgspec.Struct, eq=False):
    """`wait_turn` is the transport's gate in place of the throttle's own. `rate` is the connection's, `limit` what this
    node may start at most; calls a second. Thread-safe."""

    node: str
    ledger: Ledger
    throttle: Throttle
    rate: int
    limit: int
    clock: Clock
    timing: ShareTiming = FIRESTORE_TIMING
    uniform: Callable[[], float] = random.random
    _lock: threading.Lock = msgspec.field(default_factory=threading.Lock)
    _renewing: threading.Lock = msgspec.field(default_factory=threading.Lock)
    _in_flight: int = 0
    _keeping: bool = False
    _watch: Watch = msgspec.field(default_factory=lambda: Watch(SETTLING))
    _demands: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _beat: int = 0
    _deadline: float = -inf  # monotonic: the lease's end
    _due: float = -inf  # monotonic: when it has to be renewed
    _rate: int = 0  # the throttle's
    _high: int = 0  # the highest of the last window
    _settled_at: float = -inf  # until then

    def __post_init__(self) -> None:
        self._wait_for_share()

    def wait_turn(self, lane: Lane, before_attempt: BeforeAttempt | None = None) -> Written:
        """Wait as `Throttle.wait_turn`. The share is renewed in the background meanwhile; after that it lapses.

        Raises what that raises, and without a share what the ledger raises.
        """
        self._enter()
        try:
            if self.clock.monotonic() >= self._deadline:
                self._renew_lapsed()
            return self.throttle.wait_turn(lane, before_attempt)
        finally:
            with self._lock:
                self._in_flight -= 1

    def renew(self) -> float:
        """Read, decide, write. Return seconds until the next renewal is due. Raises what the ledger raises."""
        with self._renewing:
            while (pause := self._try_renew()) is None:
                self.clock.sleep(self.uniform() * self.timing.retry)
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
        pause = self.timing.retry
        while True:
            self.clock.sleep(pause)
            with self._lock:
                if not self._in_flight:
                    self._keeping = False
                    return
            pause = self.timing.retry
            # Runs in a thread of its own, and stores raise errors of their own: the share stays until its lease ends.
            with suppress(Exception):
                pause = self.renew()

    def _renew_lapsed(self) -> None:
        """Renew once for all waiting threads."""
        with self._renewing:
            lapsed = self.clock.monotonic() >= self._deadline
        if lapsed:
            self.renew()

    # --- a renewal ----------------------------------------------------------------------------------------------------

    def _try_renew(self) -> float | None:
        """Return None if another node wrote in between."""
        [document] = self.ledger.get(COLLECTION, [DOCUMENT])
        entries = self._living(document)
        timing = self.timing
        period = max(timing.period, len(entries) / timing.writes_per_second)
        target, share = self._decide(entries)
        now, lease = self.clock.monotonic(), period + timing.grace
        held, want = entries[self.node], max(self._demands)
        if share == held.share and want <= held.want and now < self._due:
            return self._pause(now, lacking=share < target)  # nothing to write yet
        self._beat += 1
        mine = NodeShare(share, want, self.limit, lease, self._beat, self.clock.time() + lease)
        data = {"nodes": msgspec.to_builtins({**entries, self.node: mine})}
        expect = document.version if document is not None else MUST_BE_ABSENT
        try:
            self.ledger.commit([Write(COLLECTION, DOCUMENT, data, expect)])
        except Conflict:
            return None
        self._due = now + period
        self._adopt(target, share, deadline=now + lease)
        return self._pause(now, lacking=share < target)

    def _pause(self, now: float, *, lacking: bool) -> float:
        """Return seconds until the next check: early if a smaller share can be written, or while others have to give
        way."""
        times = [self._due - now]
        if self._settled_at > now:
            times.append(self._settled_at - now)
        if lacking:
            times.append(self.timing.retry)
        return max(0.0, min(times))

    def _living(self, document: Document | None) -> dict[str, NodeShare]:
        entries = convert(document.data["nodes"], dict[str, NodeShare]) if document is not None else {}
        mine = entries.pop(self.node, None)
        others = self._watch.living(entries, monotonic=self.clock.monotonic(), time=self.clock.time())
        if mine is None:
            self._forget()
            mine = NodeShare(0, 0, self.limit, 0.0, 0, 0.0)
        return {**others, self.node: mine}

    def _decide(self, entries: Entries) -> tuple[int, int]:
        """Return the share that the node should have, and the one that it may write now."""
        held = entries[self.node].share
        wanting = NodeShare(held, self._want(), self.limit, 0.0, 0, 0.0)
        target = fair_share(self.rate, {**entries, self.node: wanting}, self.node)
        self._lower_to(target)
        free = self.rate - sum(entry.share for entry in entries.values())
        return target, max(self._ceiling(), min(target, held + free), 0)

    def _want(self) -> int:
        """Return the limit while calls wait or the node begins; else what it starts, and one more."""
        state = self.throttle.state()
        waits = state.queued > 0 or self.clock.monotonic() >= self._deadline
        self._demands.append(self.limit if waits else min(self.limit, state.started_last_second + 1))
        return max(self._demands)

    # --- the throttle -------------------------------------------------------------------------------------------------

    def _adopt(self, target: int, share: int, *, deadline: float) -> None:
        """Adapt the throttle to the share that was written."""
        self._deadline = deadline
        self._rate = min(target, share)
        if not self._rate and target:
            # Others have to give way first: requests may queue for what is to come, and nothing starts.
            self.throttle.change_rate(target, until=-inf)
        else:
            self.throttle.change_rate(self._rate, until=deadline)

    def _lower_to(self, target: int) -> None:
        if target < self._rate:
            high = max(self._ceiling(), self._rate)
            self.throttle.change_rate(target, until=self._deadline)
            self._high, self._settled_at = high, self.clock.monotonic() + SETTLING
            self._rate = target

    def _ceiling(self) -> int:
        """Return the most that may have been started in a window that is not over: the share must not be less."""
        return self._high if self.clock.monotonic() < self._settled_at else self._rate

    def _wait_for_share(self) -> None:
        """Start nothing; requests may queue for what the node may get at most."""
        self.throttle.change_rate(min(self.limit, self.rate), until=-inf)

    def _forget(self) -> None:
        """Give up our share: its lease ended so long ago that others don't count it."""
        self._wait_for_share()
        self._rate = self._high = 0
        self._settled_at = self._due = -inf
