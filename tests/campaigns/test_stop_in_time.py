"""A pause, a cancellation and a suspension stop what is being sent within about a second, and say what may still leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions, SendRequest
from sms_connector.rate_limit.connection_rate import ConnectionRate
from sms_connector.rate_limit.throttle import Throttle
from tests.fixtures.campaign_world import SENDER, CampaignWorld, Node, accepted, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.memory_ledger import MemoryLedger

RATE = 25


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(lambda node, campaign: node.engine.campaigns.pause(campaign).may_still_leave, id="paused"),
        pytest.param(lambda node, campaign: node.engine.campaigns.cancel(campaign).may_still_leave, id="canceled"),
        pytest.param(lambda node, campaign: node.engine.connection.suspend() and None, id="suspended"),
    ],
)
@pytest.mark.parametrize("after", [2.0, 3.37, 4.9])
def test_less_than_a_seconds_worth_leaves_each_node(
    world: CampaignWorld, stop: Callable[[Node, str], int | None], after: float
) -> None:
    def scenario() -> None:
        nodes = [world.node(), world.node()]
        campaign = nodes[0].take(accepted(index) for index in range(500))
        tasks = world.chunk_tasks()

        def stopping() -> tuple[float, int | None]:
            world.clock.sleep(after)
            told = stop(nodes[0], campaign.id)
            return world.clock.time(), told

        (at, told), *_ = world.clock.run(
            stopping, *(lambda pair=pair: pair[0].run(pair[1]) for pair in zip(nodes, tasks, strict=True))
        )
        left = [sum(stored.created_at > at for stored in world.network.stored)]
        assert sum(left) < len(nodes) * RATE
        if told is not None:
            assert sum(left) <= told < len(nodes) * RATE

    run_in(world.clock, scenario)


def test_nothing_may_leave_where_nothing_is_sent(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(500))
        assert node.engine.campaigns.pause(campaign.id).may_still_leave == 0
        assert node.engine.campaigns.get(campaign.id).may_still_leave is None

    run_in(world.clock, scenario)


def test_a_plain_send_of_a_thousand_is_stopped_by_a_suspension(world: CampaignWorld) -> None:
    def scenario() -> None:
        node, other = world.node(), world.node()
        drafts = [Draft(index, number(index), SENDER, "x", measure("x"), f"key {index}") for index in range(1000)]

        def stopping() -> float:
            world.clock.sleep(5.0)
            other.engine.connection.suspend("an audit")
            return world.clock.time()

        at, records = world.clock.run(
            stopping, lambda: node.engine.sender.send(SendRequest(drafts, SendOptions(SENDER), "nonce", "req_1"))
        )
        assert sum(stored.created_at > at for stored in world.network.stored) <= 1.5 * RATE
        assert world.clock.time() < at + 2.0, "and the others are not refused one by one, at the rate"
        refused = [record.failure for record in records if record.failure is not None]
        assert len(refused) == 1000 - len(world.network.stored)
        assert {(each.source, each.kind, each.retry) for each in refused} == {
            ("connector", ErrorKind.SUSPENDED, RetrySafety.SAFE)
        }
        assert "an audit" in refused[0].message
        other.engine.connection.resume()
        world.clock.sleep(1.0)
        node.engine.sender.send(SendRequest(drafts, SendOptions(SENDER), "again", "req_2"))
        assert len(world.network.stored) == 1000, "the same again sends the rest, by their keys"

    run_in(world.clock, scenario)


def test_limits_are_true_before_the_first_share() -> None:
    clock = ThreadedClock()
    throttle = Throttle(RATE, clock=clock)
    ConnectionRate("a", MemoryLedger(clock), throttle, rate=10, limit=RATE, clock=clock)
    state = throttle.state()
    assert (state.rate, state.available_now, state.leased) == (10, 10, False)
