"""News of a campaign's messages at the worst moment: while a round looks, a worker takes over, a page is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context

import pytest

from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.runner import Attempt
from sms_connector.messaging.requests import OnUnknown
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Document, Ledger, Query, Version, Write
from tests.fixtures.campaign_world import CampaignWorld, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import NO_PULL


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


class Interrupted:
    """A node's way to the ledger. Before the first step of that name, the node stands still while something happens."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.before: dict[str, Callable[[], object]] = {}

    def get(self, collection: str, ids: Sequence[str]) -> list[Document | None]:
        self._stand_still(f"get {collection}")
        return self._ledger.get(collection, ids)

    def commit(self, writes: Sequence[Write]) -> list[Version | None]:
        self._stand_still(f"commit {writes[0].collection}")
        return self._ledger.commit(writes)

    def find(self, query: Query) -> list[Document]:
        self._stand_still(f"find {query.collection}")
        return self._ledger.find(query)

    def count(self, query: Query) -> int:
        return self._ledger.count(query)

    def _stand_still(self, name: str) -> None:
        Context().run(self.before.pop(name, lambda: None))


def test_each_of_two_messages_that_one_became_is_told_of(world: CampaignWorld) -> None:
    """It was sent again, and the provider had it twice: the fate of the first says nothing of the second."""

    def scenario() -> None:
        node = world.node(callbacks=True, capabilities=NO_PULL)
        campaign = node.take([accepted(0)], on_unknown=OnUnknown.RESEND)
        world.network.fate[number(0)].append("lost")
        world.run_chunks(node)
        [record] = called(node.results(campaign.id))
        first, second = world.network.of(record.id)
        assert record.provider_message_id == second.id
        world.tell(record.id, MessageStatus.FAILED, sid=first.id)
        world.tell(record.id, MessageStatus.DELIVERED, sid=first.id)
        world.tell(record.id, MessageStatus.DELIVERED, sid=second.id)
        world.tick(node, until=world.clock.time() + 12)
        assert node.engine.campaigns.get(campaign.id).counts == {"delivered": 1}

    run_in(world.clock, scenario)


def test_a_round_forgets_no_news_of_messages_it_has_not_seen(world: CampaignWorld) -> None:
    """Between its look at a block and its look at the news, a worker fills the block up, and callbacks are quick."""

    def scenario() -> None:
        ledger = Interrupted(world.ledger)
        node, other = world.node(callbacks=True, ledger=ledger), world.node(callbacks=True)
        campaign = node.take(accepted(index) for index in range(20))
        world.network.fate[number(12)].append("not sent")
        [task] = world.chunk_tasks()
        assert other.run(task) is Attempt.AGAIN
        begun = len(world.network.stored)
        assert 0 < begun < 20

        def carry_on() -> None:
            assert other.run(task) is Attempt.SENT
            for stored in world.network.stored[begun:]:
                world.tell(stored.message.id, MessageStatus.DELIVERED)

        world.clock.sleep(12.0)
        ledger.before["find news"] = carry_on
        node.engine.ticker.tick()
        world.tick(node, until=world.clock.time() + 30)
        assert node.engine.campaigns.get(campaign.id).counts == {"delivered": 20 - begun, "queued": begun}

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    "step", ["find news", "commit blocks"], ids=["before it looks for news", "before it writes what it found"]
)
@pytest.mark.parametrize("source", ["callback", "poll"])
def test_read_is_not_lost_while_a_round_notes_delivered(world: CampaignWorld, step: str, source: str) -> None:
    def scenario() -> None:
        ledger = Interrupted(world.ledger)
        node = world.node(callbacks=True, ledger=ledger)
        campaign = node.take([accepted(0)])
        world.run_chunks(node)
        [record] = called(node.results(campaign.id))
        if source == "callback":
            world.tell(record.id, MessageStatus.DELIVERED)
        else:
            world.network.delivered_after = 1.0
        world.clock.sleep(12.0)
        report = DeliveryReport(record.provider_message_id or "", MessageStatus.READ, "read")
        ledger.before[step] = lambda: BlockStore(world.ledger).tell(record.id, report, at=world.clock.time())
        node.engine.ticker.tick()
        world.tick(node, until=world.clock.time() + 80 * 3600)
        assert node.engine.messages.get(record.id).status is MessageStatus.READ
        assert node.engine.campaigns.get(campaign.id).counts == {"read": 1}

    run_in(world.clock, scenario)
