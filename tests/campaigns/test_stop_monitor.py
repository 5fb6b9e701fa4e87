"""Workers look whether to stop: one read while nobody stops anything, and no stop is missed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.campaigns.stop_monitor import LATEST
from tests.fixtures.campaign_world import CampaignWorld, Node, accepted, run_in
from tests.fixtures.counting_ledger import CountingLedger
from tests.fixtures.fake_clock import ThreadedClock


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


@pytest.mark.parametrize(
    ("rate", "chunks", "reads"),
    [
        pytest.param(25, 1, 0.09, id="every two seconds"),
        pytest.param(1, 1, 0.4, id="at the slowest rate every four"),
        pytest.param(10, 4, 0.25, id="four chunks at a time look together"),
    ],
)
def test_a_look_is_one_read(world: CampaignWorld, rate: int, chunks: int, reads: float) -> None:
    """Beside the opt-outs (one each) and what a chunk takes to begin."""
    counting = CountingLedger(world.ledger)
    node = world.node(rate=rate, ledger=counting)

    def scenario() -> None:
        node.take(accepted(index) for index in range(250 * chunks))
        before = counting.operations
        tasks = world.chunk_tasks()
        assert set(world.clock.run(*(lambda task=task: node.run(task) for task in tasks))) == {Attempt.SENT}
        spent = counting.operations - before
        assert (spent.reads - 6 * chunks) / (250 * chunks) <= 1 + reads

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(lambda node, campaign: node.engine.campaigns.pause(campaign), id="paused"),
        pytest.param(lambda node, campaign: node.engine.campaigns.cancel(campaign), id="canceled"),
        pytest.param(lambda node, campaign: node.engine.connection.suspend(), id="suspended"),
    ],
)
@pytest.mark.parametrize("after", [0.0, 0.3, 2.5, 7.9])
def test_no_stop_is_missed(world: CampaignWorld, stop: Callable[[Node, str], object], after: float) -> None:
    """Whatever a node remembers of another campaign, or of the moment before."""

    def scenario() -> None:
        node, other = world.node(rate=2), world.node()
        first = node.take((accepted(index) for index in range(200)), nonce="first")
        node.take((accepted(index) for index in range(200)), nonce="second")
        tasks = world.chunk_tasks()
        stopped: list[float] = []

        def stopping() -> Attempt:
            world.clock.sleep(after)
            node.engine.connection.suspended()  # remembered for a second
            stop(other, first.id)
            stopped.append(world.clock.time())
            world.clock.sleep(LATEST + 1.0)
            other.engine.connection.suspend()
            return Attempt.AGAIN

        world.clock.run(stopping, *(lambda task=task: node.run(task) for task in tasks))
        sent = [each.created_at for each in world.network.stored if first.id[4:] in each.message.id]
        assert all(at <= stopped[0] + LATEST + 0.5 for at in sent)

    run_in(world.clock, scenario)
