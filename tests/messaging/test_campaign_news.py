"""News of a campaign's messages at the worst moment: while a round looks, a worker takes over, a page is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context

import pytest

from sms_connector.messaging.requests import OnUnknown
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
