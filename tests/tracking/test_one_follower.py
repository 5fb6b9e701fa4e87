"""A request that waits is the one follower of its messages: so long, so many questions, and no maintenance run beside it."""

from __future__ import annotations

import pytest

from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions, SendRequest, Tracking
from sms_connector.model.status import MessageStatus
from tests.fixtures.campaign_world import SENDER, CampaignWorld, Node, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.memory_ledger import Fate, Killed


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def request(tracking: Tracking) -> SendRequest:
    return SendRequest(
        [Draft(0, number(0), SENDER, "Hello", measure("Hello"))], SendOptions(SENDER, tracking), "n", "req"
    )


def asked(node: Node) -> int:
    return sum(name in ("fetch", "list") for _, name in node.provider.calls)


@pytest.mark.parametrize("callbacks", [False, True])
@pytest.mark.parametrize(
    ("interval", "attempts"),
    [
        pytest.param(10.0, 6, id="the defaults: a minute"),
        pytest.param(1.0, 3, id="quickly"),
        pytest.param(60.0, 6, id="longer than a run leaves it alone unseen"),
        pytest.param(300.0, 5, id="for 25 minutes"),
    ],
)
def test_it_takes_its_time_and_its_questions(
    world: CampaignWorld, interval: float, attempts: int, callbacks: bool
) -> None:
    node, other = world.node(callbacks=callbacks), world.node(callbacks=callbacks)
    ended: list[float] = []

    def sending() -> tuple[float, int]:
        begun = world.clock.time()
        [record] = node.engine.sender.send(request(Tracking(interval, attempts, wait=True)))
        ended.append(world.clock.time() - begun)
        return ended[0], record.attempts

    def runs() -> None:
        """Every five seconds, far more often than is planned."""
        while not ended:
            other.engine.maintenance.run_maintenance()
            world.clock.sleep(5.0)

    took, counted = world.clock.run_beside(sending, runs)
    assert (round(took), counted, asked(node), asked(other)) == (interval * attempts, attempts, attempts, 0)


def test_an_update_on_the_way_starts_no_new_count(world: CampaignWorld) -> None:
    """It was noted by another node, which knows of no question."""
    node = world.node(callbacks=True)
    ended: list[bool] = []

    def sending() -> tuple[float, int]:
        begun = world.clock.time()
        [record] = node.engine.sender.send(request(Tracking(10.0, 6, wait=True)))
        ended.append(True)
        return round(world.clock.time() - begun), record.attempts

    def updating() -> None:
        world.clock.sleep(25.0)
        stored, store = world.network.stored[0], node.engine.sender.store
        stored.status = MessageStatus.SENT
        store.record_event(stored.message.id, stored.report(), at=world.clock.time(), source="callback")

    took, counted = world.clock.run_beside(sending, updating)
    assert counted <= 6
    assert asked(node) <= 6
    assert took <= 70


def test_what_is_unknown_is_waited_for_as_long_and_not_longer(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        world.network.fate[number(0)].append("lost before")
        begun = world.clock.time()
        [record] = node.engine.sender.send(request(Tracking(10.0, 6, wait=True)))
        assert (record.final, record.attempts, record.follower) == (False, 0, None)
        assert round(world.clock.time() - begun) == 60

    run_in(world.clock, scenario)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the dead node's lease
@pytest.mark.parametrize("after", [25.0, 100.0, 200.0])
def test_a_follower_that_dies_is_succeeded_by_maintenance_runs(world: CampaignWorld, after: float) -> None:
    fate = Fate()
    dying, other = world.node(fate=fate), world.node()
    world.network.delivered_after = 220.0

    def sending() -> None:
        with pytest.raises(Killed):
            dying.engine.sender.send(request(Tracking(10.0, 100, wait=True)))

    def killing() -> None:
        world.run_each_minute(other, until=begun + after)
        world.clock.sleep(begun + after - world.clock.time())
        fate.die_at = fate.steps

    begun = world.clock.time()
    world.clock.run(sending, killing)

    def later() -> None:
        world.run_each_minute(other, until=begun + 500)
        [record] = other.engine.sender.store.get([world.network.stored[0].message.id])
        assert record is not None
        assert record.status is MessageStatus.DELIVERED

    run_in(world.clock, later)
