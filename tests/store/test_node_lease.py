"""A node's word that it is alive, and that no call is started once it has lapsed (sending.md section 2, rule 2)."""

from __future__ import annotations

from typing import Any

import pytest

from sms_connector.errors import Conflict, LedgerUnavailable, RequestError
from sms_connector.model.policy import Policy
from sms_connector.model.status import MessageStatus
from sms_connector.sending.idempotency import message_id
from sms_connector.store.message_record import Phase
from tests.fixtures.memory_ledger import Killed
from tests.fixtures.nodes import Node, World, draft

POLICY = Policy()
LEASE = POLICY.lease_seconds


def test_it_is_one_write_for_many_names(world: World) -> None:
    node = world.node()
    names = {node.lease.name() for _ in range(50)}
    assert len(names) == 1
    assert node.fate.names.count("ledger.commit state before") == 1


def test_it_is_renewed_while_a_request_is_in_flight(world: World) -> None:
    def story() -> None:
        node = world.node()
        with node.lease.held() as name:
            for _ in range(100):
                world.clock.sleep(2.0)
                assert node.lease.covers(name, POLICY.call_seconds)
                assert world.node().lease.living([name]) == {name}
        writes = node.fate.names.count("ledger.commit state before")
        assert writes <= 200 / 5 + 2

    world.clock.run(story)


def test_it_ends_when_nothing_is_in_flight(world: World) -> None:
    node = world.node()
    with node.lease.held() as name:
        pass
    world.clock.now += LEASE + POLICY.clock_skew + 0.1
    assert world.node().lease.living([name]) == set()
    assert node.lease.name() != name, "a lease that has lapsed may have been called dead: its name is not used again"


@pytest.mark.parametrize(("skew", "living"), [(0.0, True), (POLICY.clock_skew, True), (POLICY.clock_skew + 0.1, False)])
def test_clocks_may_be_a_little_apart(world: World, skew: float, living: bool) -> None:
    name = world.node().lease.name()
    world.clock.now += LEASE - 0.05 + skew
    assert bool(world.node().lease.living([name])) is living


def test_a_renewal_that_came_too_late_is_no_renewal(world: World) -> None:
    """The ledger took its time: meanwhile anybody could have read that the lease had ended."""
    node = world.node()
    name = node.lease.name()
    world.clock.now += LEASE - 1.0
    node.ledger.slow = 2.0
    assert node.lease.name() != name


def test_a_ledger_that_is_away_for_some_seconds_does_no_harm(world: World) -> None:
    def story() -> None:
        node = world.node()
        with node.lease.held() as name:
            world.clock.sleep(11.0)
            node.fate.fail_at = node.fate.steps + 1  # one renewal in the background fails
            world.clock.sleep(6.0)
            world.clock.sleep(20.0)
            assert node.lease.name() == name

    world.clock.run(story)


def test_whoever_needs_it_renewed_hears_of_the_ledgers_failure(world: World) -> None:
    node = world.node()
    node.fate.fail_at = 1
    with pytest.raises(LedgerUnavailable), node.lease.held():
        raise AssertionError("not reached")
    assert node.lease._in_flight == 0


@pytest.mark.parametrize(
    ("error", "retired"),
    [
        pytest.param(None, False, id="ended well"),
        pytest.param(RequestError("refused"), False, id="was refused before anything was written"),
        pytest.param(OSError("a defect"), True, id="broke off"),
        pytest.param(LedgerUnavailable(), True, id="lost the ledger"),
        pytest.param(Conflict("messages", "msg_1"), True, id="met another node"),
        pytest.param(Killed(), True, id="was interrupted"),
    ],
)
def test_a_request_that_breaks_off_retires_the_lease(world: World, error: BaseException | None, retired: bool) -> None:
    """Its open intents must become unknown although the node lives on, and renews its lease for others."""
    node = world.node()
    name = node.lease.name()

    def request() -> None:
        with node.lease.held():
            if error is not None:
                raise error

    if error is None:
        request()
    else:
        with pytest.raises(type(error)):
            request()
    assert (node.lease.name() != name) is retired


# --- no call under a lapsed lease -------------------------------------------------------------------------------------


def held_up(node: Node, seconds: float) -> None:
    """After the intents are written, the node stands still; its lease's thread, too."""
    inner = node.throttle.wait_turn
    once: list[Any] = []

    def gate(lane: Any, before_attempt: Any = None) -> None:
        if not once:
            once.append(lane)
            node.lease.retire = lambda: None  # type: ignore[method-assign]
            node.world.clock.now += seconds
        inner(lane, before_attempt)

    node.provider._gate = gate


def test_a_node_that_was_held_up_writes_its_intents_anew(world: World) -> None:
    node = world.node()
    before = node.lease.name()
    held_up(node, LEASE * 2)
    [record] = node.send([draft(0)])
    assert record.status is MessageStatus.QUEUED
    assert node.lease.name() != before
    assert node.fate.names.count("ledger.commit messages before") == 3  # intent, intent anew, outcome


def test_where_another_node_has_called_it_dead_it_does_not_call(world: World) -> None:
    node, other = world.node(), world.node()
    inner = node.throttle.wait_turn

    def gate(lane: Any, before_attempt: Any = None) -> None:
        world.clock.now += LEASE * 2
        [record] = other.store.get([message_id("nonce", 0)])
        assert record is not None
        other.poller.mark_abandoned([record])
        assert record.phase == Phase.UNKNOWN
        inner(lane, before_attempt)

    node.provider._gate = gate
    [record] = node.send([draft(0)])
    assert world.network.stored == []
    assert record.status is MessageStatus.ERROR
    assert record.failure is not None
    assert "nothing was sent" in record.failure.message


def test_a_ledger_too_slow_to_keep_a_lease_keeps_calls_from_being_made(world: World) -> None:
    node = world.node()
    held_up(node, LEASE * 2)
    inner = node.provider._gate

    def gate(lane: Any, before_attempt: Any = None) -> None:
        node.ledger.slow = LEASE - POLICY.call_seconds + 1
        inner(lane, before_attempt)
        node.ledger.slow = 0.0

    node.provider._gate = gate
    [record] = node.send([draft(0)])
    assert world.network.stored == []
    assert record.failure is not None
    assert "too slow" in record.failure.message


def test_a_retry_is_checked_too(world: World) -> None:
    """Between two attempts the provider's Retry-After may have been waited for."""
    node = world.node()
    passed: list[float] = []
    inner = node.throttle.wait_turn

    def gate(lane: Any, before_attempt: Any = None) -> None:
        if passed:
            world.clock.now += LEASE * 2
            world.store.apply(world.record(message_id("nonce", 0)), lambda r: r.mark_unknown("dead", at=0, window=900))
        passed.append(world.clock.now)
        inner(lane, before_attempt)

    node.provider._gate = gate
    world.network.fate[draft(0).to].append("retried")
    [record] = node.send([draft(0)])
    assert len(passed) == 2
    assert world.network.stored == []
    assert record.status is MessageStatus.ERROR
