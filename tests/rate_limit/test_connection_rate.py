"""The connection's rate over any number of nodes: in no second more starts than the rate, whatever joins, dies or pauses.

Everything here is one thread and a clock of our own: nodes renew and start when the simulation says so, writes may be lost,
refused by the ledger, or crossed by another node's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sms_connector.errors import Conflict
from sms_connector.ports import MUST_BE_ABSENT, Document, Ledger, Write
from sms_connector.rate_limit.connection_rate import SQLITE_TIMING, ConnectionRate, NodeShare, ShareTiming, fair_share
from sms_connector.rate_limit.start_schedule import Schedule
from sms_connector.rate_limit.throttle import Throttle, ThrottleState

STEP = 0.02
LIMIT = 25


class LedgerOut(Exception):
    """As a store's own error would be."""


@dataclass
class OneDocument:
    """A ledger of one document. `crossing` is run between somebody's read and write, once."""

    data: Any = None
    version: int = 0
    out: bool = False
    lose_answers: bool = False
    crossing: list[Any] = field(default_factory=list)
    writes: int = 0

    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        if self.out:
            raise LedgerOut
        return [Document(ids[0], self.data, self.version) if self.data is not None else None]

    def commit(self, writes: Sequence[Write]) -> list[int]:
        if self.crossing:
            self.crossing.pop()()
        [write] = writes
        expected = 0 if write.expect is MUST_BE_ABSENT else write.expect
        if self.out:
            raise LedgerOut
        if expected != self.version:
            raise Conflict(write.collection, write.id)
        self.data, self.version, self.writes = write.data, self.version + 1, self.writes + 1
        if self.lose_answers:
            self.lose_answers = False
            raise LedgerOut
        return [self.version]


@dataclass
class World:
    now: float = 0.0


@dataclass
class NodeClock:
    """A node's own clocks: both wrong by its own amounts, both running at the right pace."""

    world: World
    time_offset: float
    monotonic_offset: float

    def time(self) -> float:
        return 1_800_000_000.0 + self.world.now + self.time_offset

    def monotonic(self) -> float:
        return self.world.now + self.monotonic_offset

    def sleep(self, seconds: float) -> None:
        pass


class SteppedThrottle:
    """A throttle's face, whose calls are started by the simulation."""

    def __init__(self, limit: int, clock: NodeClock) -> None:
        self.schedule = Schedule(limit)
        self.clock = clock
        self.until = inf
        self.queued = 0

    def change_rate(self, rate: int, *, until: float = inf) -> None:
        self.schedule.change_rate(rate)
        self.until = until

    def state(self) -> ThrottleState:
        started = self.schedule.started_since(self.clock.monotonic() - 1.0)
        return ThrottleState(self.schedule.rate, started, 0, self.queued, 30.0, 0.0)

    def start(self) -> bool:
        now = self.clock.monotonic()
        if not self.queued or now >= self.until or self.schedule.next_start(now) > now:
            return False
        self.schedule.start(now)
        self.queued -= 1
        return True


class Node:
    def __init__(
        self, name: str, ledger: OneDocument, world: World, *, rate: int, timing: ShareTiming, offset: float
    ) -> None:
        self.world = world
        clock = NodeClock(world, offset, 1000.0 * (1.0 + offset))
        self.throttle = SteppedThrottle(LIMIT, clock)
        self.throttle.change_rate(LIMIT, until=-inf)
        self.keeper = ConnectionRate(
            name,
            cast(Ledger, ledger),
            cast(Throttle, self.throttle),
            rate=rate,
            limit=LIMIT,
            timing=timing,
            clock=cast(Any, clock),
            uniform=lambda: 0.5,
        )
        self.renew_at = world.now
        self.paused_until = 0.0
        self.demand = 1000
        self.starts: list[float] = []
        self.renewing = False

    def step(self) -> None:
        if self.world.now < self.paused_until:
            return
        self.throttle.queued = max(self.throttle.queued, self.demand)
        # A process that wakes may start calls before its keeper looks: the throttle has to know by itself.
        self._start()
        if self.world.now >= self.renew_at:
            self.renew()
        self._start()

    def renew(self) -> None:
        if self.renewing:  # a node never crosses itself
            return
        self.renewing = True
        try:
            self.renew_at = self.world.now + self.keeper.renew()
        except LedgerOut:
            self.renew_at = self.world.now + 0.2
        finally:
            self.renewing = False

    def _start(self) -> None:
        while self.throttle.start():
            self.starts.append(self.world.now)


class Simulation:
    def __init__(self, rate: int, *, timing: ShareTiming = SQLITE_TIMING) -> None:
        self.world = World()
        self.ledger = OneDocument()
        self.rate, self.timing = rate, timing
        self.nodes: list[Node] = []
        self.dead: list[Node] = []

    def join(self, offset: float = 0.0) -> Node:
        number = len(self.nodes) + len(self.dead)
        node = Node(f"node{number}", self.ledger, self.world, rate=self.rate, timing=self.timing, offset=offset)
        self.nodes.append(node)
        return node

    def kill(self, node: Node) -> None:
        self.nodes.remove(node)
        self.dead.append(node)

    def run(self, seconds: float) -> None:
        end = self.world.now + seconds
        while self.world.now < end:
            self.world.now += STEP
            for node in self.nodes:
                node.step()

    def starts(self) -> list[float]:
        return sorted(start for node in (*self.nodes, *self.dead) for start in node.starts)

    def rate_since(self, begin: float) -> float:
        return sum(start > begin for start in self.starts()) / (self.world.now - begin)


def most_in_a_window(starts: Sequence[float]) -> int:
    return max((index - bisect_left(starts, end - 1.0) + 1 for index, end in enumerate(starts)), default=0)


# --- never more than the rate -----------------------------------------------------------------------------------------

KINDS = ("join", "die", "pause", "outage", "lost answer", "cross", "idle", "busy")
events = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.floats(0.02, 8.0)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 60), st.lists(st.floats(-20.0, 20.0), min_size=1, max_size=5), events)
@example(40, [0.0, 15.0, -15.0], [("pause", 0, 8.0), ("busy", 0, 3.0), ("die", 1, 8.0), ("join", 0, 8.0)])
def test_no_second_holds_more_starts_than_the_rate(
    rate: int, offsets: list[float], happenings: list[tuple[str, int, float]]
) -> None:
    simulation = Simulation(rate)
    for offset in offsets:
        simulation.join(offset)
        simulation.run(0.3)
    for kind, number, seconds in happenings:
        happen(simulation, kind, number, seconds)
        simulation.run(min(seconds, 2.5))
        simulation.ledger.out = False
    simulation.run(3.0)
    assert most_in_a_window(simulation.starts()) <= rate


def happen(simulation: Simulation, kind: str, number: int, seconds: float) -> None:
    nodes, ledger = simulation.nodes, simulation.ledger
    node = nodes[number % len(nodes)] if nodes else None
    if kind == "join" and len(nodes) < 8:
        simulation.join(offset=seconds - 4.0)
    elif kind == "outage":
        ledger.out = True
    elif kind == "lost answer":
        ledger.lose_answers = True
    elif kind == "cross" and node is not None:
        ledger.crossing.append(node.renew)
    elif kind == "die" and node is not None:
        simulation.kill(node)
    elif kind == "pause" and node is not None:
        node.paused_until = simulation.world.now + seconds
    elif kind in ("idle", "busy") and node is not None:
        node.demand = node.throttle.queued = 1000 if kind == "busy" else 0


# --- and not much less ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "nodes", "expected"),
    [
        pytest.param(40, 2, 40, id="each less than its own limit"),
        pytest.param(40, 4, 40, id="a share for each"),
        pytest.param(41, 4, 41, id="what can't be divided goes to somebody"),
        pytest.param(40, 1, LIMIT, id="one node has its own limit"),
        pytest.param(3, 5, 3, id="fewer calls than nodes"),
    ],
)
def test_busy_nodes_use_all_of_it(rate: int, nodes: int, expected: int) -> None:
    simulation = Simulation(rate)
    for _ in range(nodes):
        simulation.join()
    simulation.run(6.0)
    begin = simulation.world.now
    simulation.run(20.0)
    assert most_in_a_window(simulation.starts()) <= rate
    assert simulation.rate_since(begin) == pytest.approx(expected, rel=0.03, abs=0.15)


def test_what_a_dead_node_held_comes_back() -> None:
    simulation = Simulation(40)
    first, *_ = [simulation.join() for _ in range(4)]
    simulation.run(5.0)
    simulation.kill(first)
    begin = simulation.world.now
    simulation.run(20.0)
    recovered = simulation.world.now
    simulation.run(10.0)
    lost = 40 * 20 - sum(begin < start <= recovered for start in simulation.starts())
    assert lost < 50
    assert simulation.rate_since(recovered) == pytest.approx(40, rel=0.03)


def test_an_idle_node_leaves_its_share_to_the_busy_ones() -> None:
    simulation = Simulation(40)
    idle, busy, other = (simulation.join() for _ in range(3))
    idle.demand = idle.throttle.queued = 0
    simulation.run(8.0)
    begin = simulation.world.now
    simulation.run(10.0)
    assert simulation.rate_since(begin) == pytest.approx(40, rel=0.06)
    assert len(idle.starts) <= 25
    idle.demand = 1000
    simulation.run(6.0)
    begin = simulation.world.now
    simulation.run(10.0)
    shares = [sum(start > begin for start in node.starts) / 10 for node in (idle, busy, other)]
    assert max(shares) - min(shares) < 2.5, "and has it back once it is busy"


def test_a_node_whose_ledger_is_away_stops_at_the_end_of_its_lease() -> None:
    simulation = Simulation(40)
    node = simulation.join()
    simulation.run(3.0)
    simulation.ledger.out = True
    away = simulation.world.now
    simulation.run(10.0)
    lease = SQLITE_TIMING.period + SQLITE_TIMING.grace
    assert max(node.starts) <= away + lease
    simulation.ledger.out = False
    simulation.run(1.0)
    assert max(node.starts) > away + 10.0


def test_a_node_that_comes_alone_long_after_the_others_waits_for_nobody() -> None:
    simulation = Simulation(40)
    simulation.kill(simulation.join())
    simulation.run(0.1)
    simulation.dead[0].renew()
    simulation.world.now += 120.0
    node = simulation.join()
    simulation.run(0.1)
    assert len(node.starts) == LIMIT


@pytest.mark.parametrize("nodes", [1, 4, 20])
def test_the_document_is_written_about_once_a_second(nodes: int) -> None:
    simulation = Simulation(200, timing=ShareTiming())
    for _ in range(nodes):
        simulation.join()
        simulation.run(0.5)
    simulation.run(90.0)
    before = simulation.ledger.writes
    simulation.run(60.0)
    assert simulation.ledger.writes - before <= 66


# --- arithmetic -------------------------------------------------------------------------------------------------------


def entry(want: int, limit: int = LIMIT) -> NodeShare:
    return NodeShare(0, want, limit, 2.0, 1, 0.0)


@pytest.mark.parametrize(
    ("rate", "wants", "shares"),
    [
        pytest.param(40, [25, 25, 25, 25], [10, 10, 10, 10], id="alike"),
        pytest.param(10, [25, 25, 25], [4, 3, 3], id="the remainder to the first by name"),
        pytest.param(40, [1, 25, 25], [1, 20, 19], id="who wants little leaves the rest"),
        pytest.param(40, [1, 1], [20, 20], id="what nobody wants is shared for what may come"),
        pytest.param(100, [25, 25], [25, 25], id="never more than a node may start"),
        pytest.param(2, [25, 25, 25], [1, 1, 0], id="more nodes than calls"),
    ],
)
def test_a_fair_share(rate: int, wants: list[int], shares: list[int]) -> None:
    entries = {f"node{number}": entry(want) for number, want in enumerate(wants)}
    assert [fair_share(rate, entries, node) for node in entries] == shares


@given(st.integers(0, 300), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 25)), min_size=1, max_size=12))
def test_shares_never_add_up_to_more(rate: int, nodes: Iterable[tuple[int, int]]) -> None:
    entries = {f"node{number}": entry(want, limit) for number, (want, limit) in enumerate(nodes)}
    shares = {node: fair_share(rate, entries, node) for node in entries}
    assert sum(shares.values()) == min(rate, sum(each.limit for each in entries.values()))
    assert all(0 <= shares[node] <= each.limit for node, each in entries.items())
