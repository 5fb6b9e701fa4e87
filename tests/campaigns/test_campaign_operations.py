"""What a campaign costs on Firestore, counted: at most 2.5 writes and 2.5 reads a message, with two callbacks each."""

from __future__ import annotations

import pytest

from sms_connector.model.status import MessageStatus
from tests.fixtures.campaign_world import CampaignWorld, accepted, called, run_in
from tests.fixtures.counting_ledger import CountingLedger, Operations
from tests.fixtures.fake_clock import ThreadedClock

RECORDS = 1000


def carry_out(*, callbacks: int, rate: int = 25) -> tuple[Operations, float]:
    """What the ledger was asked for, and the provider's calls for each message."""
    world = CampaignWorld(ThreadedClock())
    counting = CountingLedger(world.ledger)
    node, onlooker = world.node(callbacks=callbacks > 0, ledger=counting, rate=rate), world.node()
    world.network.delivered_after = 5.0
    told = 0

    def scenario() -> None:
        nonlocal told
        campaign = node.take(accepted(index) for index in range(RECORDS))
        for task in world.chunk_tasks():
            node.run(task)
            for record in called(onlooker.results(campaign.id)):
                if callbacks and record.status is MessageStatus.QUEUED:
                    for status in (MessageStatus.SENT, MessageStatus.DELIVERED)[:callbacks]:
                        world.tell(record.id, status)
                        told += 1
            world.run_maintenance(node, until=world.clock.time())
        world.run_maintenance(node, until=world.clock.time() + 120)
        assert onlooker.engine.campaigns.get(campaign.id).counts == {"delivered": RECORDS}

    run_in(world.clock, scenario)
    spent = counting.operations
    return Operations(spent.reads, spent.writes + told, spent.deletes), len(node.provider.calls) / RECORDS


@pytest.mark.parametrize(
    ("callbacks", "rate", "writes", "reads", "calls"),
    [
        pytest.param(2, 25, 2.5, 2.5, 1.05, id="two callbacks each"),
        pytest.param(2, 2, 2.5, 2.5, 1.05, id="two callbacks each, at a slow rate: more looks, more leases"),
        pytest.param(2, 1, 2.5, 2.5, 1.05, id="two callbacks each, at the slowest rate"),
        pytest.param(0, 25, 0.5, 1.5, 1.1, id="without callbacks: asked for in batches"),
    ],
)
def test_operations_of_a_message(callbacks: int, rate: int, writes: float, reads: float, calls: float) -> None:
    spent, calls_each = carry_out(callbacks=callbacks, rate=rate)
    print(
        f"{spent.reads / RECORDS:.3f} reads, {spent.writes / RECORDS:.3f} writes, ${spent.dollars / RECORDS:.7f} a message"
    )
    assert spent.writes / RECORDS <= writes
    assert spent.reads / RECORDS <= reads
    assert calls_each <= calls
