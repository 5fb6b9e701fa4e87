"""News of a campaign's messages at the worst moment: while a round looks, a worker takes over, a page is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context

import pytest

from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.errors import ErrorKind, NotSent, RetrySafety
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.send_request import OnUnknown
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Document, Ledger, Query, Version, Write
from sms_connector.provider import Capabilities
from sms_connector.store.block_store import BlockStore
from sms_connector.store.campaign_record import CampaignState, MessageLocation
from sms_connector.store.status_events import report_of, write_status_event
from tests.fixtures.campaign_world import CampaignWorld, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import NO_LIST, NO_PULL
from tests.fixtures.memory_ledger import MemoryLedger


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
        world.run_maintenance(node, until=world.clock.time() + 12)
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
        ledger.before["find statusEvents"] = carry_on
        node.engine.maintenance.run_maintenance()
        world.run_maintenance(node, until=world.clock.time() + 30)
        assert node.engine.campaigns.get(campaign.id).counts == {"delivered": 20 - begun, "queued": begun}

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    "step", ["find statusEvents", "commit blocks"], ids=["before it looks for news", "before it writes what it found"]
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
        ledger.before[step] = lambda: BlockStore(world.ledger).record_event(
            record.id, report, at=world.clock.time(), source="callback"
        )
        node.engine.maintenance.run_maintenance()
        world.run_maintenance(node, until=world.clock.time() + 80 * 3600)
        assert node.engine.messages.get(record.id).status is MessageStatus.READ
        assert node.engine.campaigns.get(campaign.id).counts == {"read": 1}

    run_in(world.clock, scenario)


@pytest.mark.parametrize("capabilities", [NO_PULL, NO_LIST], ids=["nothing can be asked", "no list"])
def test_what_a_callback_has_told_of_is_not_sent_again(world: CampaignWorld, capabilities: Capabilities) -> None:
    """Twice is preferred to never, not to once: the callback names the message, while its worker still holds it."""

    def scenario() -> None:
        node = world.node(callbacks=True, capabilities=capabilities)
        campaign = node.take([accepted(0), accepted(1)], on_unknown=OnUnknown.RESEND)
        world.network.fate[number(1)].append("lost")
        [task] = world.chunk_tasks()

        def calling_back() -> Attempt:
            world.clock.sleep(world.policy.resend_after - 1.0)
            world.tell(world.network.stored[1].message.id, MessageStatus.DELIVERED)
            return Attempt.SENT

        world.clock.run(lambda: node.run(task), calling_back)
        assert len(world.network.stored) == 2
        assert node.engine.campaigns.get(campaign.id).counts == {"queued": 1, "delivered": 1}

    run_in(world.clock, scenario)


def test_a_message_is_sent_again_by_whoever_holds_it(world: CampaignWorld) -> None:
    """Its block was given away with an open outcome, as the list could not be read; the next attempt is to resend: with an intent,
    and with its outcome kept."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = node.take((accepted(index) for index in range(40)), on_unknown=OnUnknown.RESEND)
        world.network.fate[number(3)].append("lost before")
        world.network.fate[number(30)].append("not sent")
        node.provider.list_error = NotSent("the answer was 503")
        [task] = world.chunk_tasks()
        assert node.run(task) is Attempt.AGAIN
        node.provider.list_error = None
        world.network.fate[number(30)].append("not sent")
        assert node.run(task) is Attempt.AGAIN
        record = called(node.results(campaign.id))[3]
        [stored] = world.network.of(record.id)
        assert (record.status, record.provider_message_id, record.resends) == (MessageStatus.QUEUED, stored.id, 1)
        assert node.run(task) is Attempt.SENT
        assert node.engine.campaigns.get(campaign.id).counts == {"queued": 40}

    run_in(world.clock, scenario)


def test_a_campaign_paused_when_its_last_message_had_ended_is_done(world: CampaignWorld) -> None:
    """None is open, so that nothing is ever due of it."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = node.take([accepted(0)])
        world.network.fate[number(0)].append("refused")
        world.network.takes = 2.0
        [task] = world.chunk_tasks()

        def pausing() -> Attempt:
            world.clock.sleep(1.0)
            node.engine.campaigns.pause(campaign.id)
            return Attempt.SENT

        world.clock.run(lambda: node.run(task), pausing)
        world.run_maintenance(node, until=world.clock.time() + 100)
        assert node.engine.campaigns.read(campaign.id).state is CampaignState.DONE

    run_in(world.clock, scenario)


def test_a_record_refused_ahead_of_its_turn_is_over(world: CampaignWorld) -> None:
    """Its key belongs to another message. It is not to be looked after for days."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = node.take([accepted(0, key="a"), *(accepted(index) for index in range(1, 8)), accepted(8, key="a")])
        world.run_chunks(node)
        refused = called(node.results(campaign.id))[8]
        assert (refused.status, refused.next_check_at, refused.holder) == (MessageStatus.ERROR, None, None)

    run_in(world.clock, scenario)


def test_a_status_that_was_shown_is_not_taken_back(world: CampaignWorld) -> None:
    """A round folds news in and forgets it while a page has read the block, and not yet the news."""

    def scenario() -> None:
        ledger = Interrupted(world.ledger)
        node, other = world.node(callbacks=True, ledger=ledger), world.node(callbacks=True)
        campaign = node.take([accepted(0), accepted(1)])
        world.run_chunks(node)
        [record, _] = called(node.results(campaign.id))
        world.tell(record.id, MessageStatus.DELIVERED)
        assert called(node.results(campaign.id))[0].status is MessageStatus.DELIVERED
        world.clock.sleep(12.0)
        ledger.before["find statusEvents"] = other.engine.maintenance.run_maintenance
        assert called(node.results(campaign.id))[0].status is MessageStatus.DELIVERED

    run_in(world.clock, scenario)


def test_a_reported_failure_keeps_whether_it_is_safe_to_repeat() -> None:
    """A campaign's retry sends what failed safely, whatever told of the failure."""
    clock = ThreadedClock()
    ledger, now = MemoryLedger(clock=clock), clock.time()
    failure = FailureReason(
        "provider", ErrorKind.QUEUE_FULL, "Queue overflow", 30001, "https://example.com/30001", RetrySafety.SAFE
    )
    report = DeliveryReport("SM1", MessageStatus.FAILED, "failed", failure=failure)
    write_status_event(ledger, MessageLocation("cmp_c" + "0" * 20, 0, 3), report, at=now)
    documents = ledger.find(Query("statusEvents"))
    assert [report_of(each).failure for each in documents] == [failure]
