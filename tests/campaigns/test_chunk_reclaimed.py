"""A worker died over messages that callbacks have told of since: who takes its chunk over believes them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest

from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.model.status import MessageStatus
from tests.fixtures.campaign_world import CampaignWorld, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import NO_LIST
from tests.fixtures.memory_ledger import Fate, Killed

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.mark.parametrize("step", range(14, 60, 5))
def test_news_settles_what_a_dead_worker_left_even_after_its_window(step: int) -> None:
    """Found by the soak of campaigns: delivered, told, and reported as unknown."""
    world = CampaignWorld(ThreadedClock())
    campaign = run_in(world.clock, lambda: world.node().take(accepted(index) for index in range(20))).id
    world.network.fate[number(2)].append("lost")
    [task] = world.chunk_tasks()
    with suppress(Killed):
        run_in(world.clock, lambda: world.node(fate=Fate(die_at=step), capabilities=NO_LIST).run(task))
    told = {stored.message.id for stored in world.network.stored}
    for message_id in told:
        world.tell(message_id, MessageStatus.DELIVERED)
    node = world.node(capabilities=NO_LIST, callbacks=True)

    def carry_on() -> int:
        world.clock.sleep(world.policy.unknown_window + 60.0)
        while node.run(task) is not Attempt.SENT:
            world.clock.sleep(10.0)
        world.run_maintenance(node, until=world.clock.time() + 60.0)
        counts = node.engine.campaigns.get(campaign).counts
        assert counts == Counter(record.status for record in called(node.results(campaign)))
        return counts.get("delivered", 0)

    assert run_in(world.clock, carry_on) == len(told)
