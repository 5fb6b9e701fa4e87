"""Reports about a campaign's messages outside of the usual order: late, while the block is held, and before they are merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from sms_connector.model.status import MessageStatus
from sms_connector.ports import Query, Write
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.status_events import STATUS_EVENTS
from tests.fixtures.campaign_world import CampaignWorld, Node, accepted, called, run_in
from tests.fixtures.fake_clock import ThreadedClock

HOUR = 3600.0
S = MessageStatus


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def send(world: CampaignWorld, node: Node, records: int, **options: Any) -> str:
    campaign = node.take((accepted(index) for index in range(records)), **options)
    world.run_chunks(node)
    return campaign.id


def shown(node: Node, campaign: str) -> Counter[str]:
    return Counter(str(record.status) for record in called(node.results(campaign)))


# --- late -------------------------------------------------------------------------------------------------------------


class Announced:
    """`message_store.Outbox` that notes the final ones it saw."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def writes(self, records: Any) -> list[Write]:
        self.ids |= {record.id for record in records if record.final}
        return []

    def enqueue(self, ids: Any) -> None:
        """There is nothing to deliver."""


@pytest.mark.parametrize("late", [300.0, 5 * HOUR, 20 * HOUR, 71 * HOUR])
@pytest.mark.parametrize("status", [S.DELIVERED, S.UNDELIVERED, S.FAILED])
def test_a_late_final_status_counts_with_one_of_the_next_runs(
    world: CampaignWorld, late: float, status: MessageStatus
) -> None:
    """Nobody looks for it by then: no attempt is left, and its block is due in an hour or later."""

    def scenario() -> None:
        announced = Announced()
        node = world.node(callbacks=True, outbox=announced)
        campaign = send(world, node, 3)
        first, *_ = called(node.results(campaign))
        world.run_maintenance(node, until=first.created_at + late)
        world.clock.sleep(max(0.0, first.created_at + late - world.clock.time()))
        world.tell(first.id, status)
        world.run_each_minute(node, until=world.clock.time() + 120)
        assert node.engine.campaigns.get(campaign).counts == {str(status): 1, "queued": 2}
        assert announced.ids == {first.id}
        assert world.ledger.count(Query(STATUS_EVENTS)) == 0, "it is not read again"

    run_in(world.clock, scenario)


# --- held -------------------------------------------------------------------------------------------------------------


def meddle(world: CampaignWorld, node: Node, change: Callable[[str], MessageRecord]) -> tuple[str, MessageRecord]:
    """Change the first message while the worker that sends the others holds its block; its id, and what was answered."""
    real, sent, answers = node.provider.send, list[str](), list[MessageRecord]()

    def send_and_change(messages: Any, before_attempt: Any) -> Any:
        sent.append(messages[0].id)
        if len(sent) == 20:
            answers.append(change(sent[0]))
        return real(messages, before_attempt)

    node.provider.send = send_and_change  # type: ignore[method-assign]
    send(world, node, 25)
    [answer] = answers
    return sent[0], answer


@pytest.mark.parametrize("callbacks", [False, True])
def test_a_redaction_holds_while_the_block_is_held(world: CampaignWorld, callbacks: bool) -> None:
    def scenario() -> None:
        node, other = world.node(callbacks=callbacks), world.node(callbacks=callbacks)
        world.network.delivered_after = 0.5
        id_, answer = meddle(world, node, other.engine.messages.redact)
        assert answer.redacted
        world.run_each_minute(node, until=world.clock.time() + 180)
        found = other.engine.messages.get(id_)
        assert (found.redacted, found.status) == (True, S.DELIVERED)
        [stored] = node.engine.sender.store.get([id_])
        assert stored is not None
        assert stored.redacted
        assert world.ledger.count(Query(STATUS_EVENTS)) == 0

    run_in(world.clock, scenario)


@pytest.mark.parametrize("callbacks", [False, True])
def test_a_cancel_holds_while_the_block_is_held(world: CampaignWorld, callbacks: bool) -> None:
    def scenario() -> None:
        node, other = world.node(callbacks=callbacks), world.node(callbacks=callbacks)
        id_, answer = meddle(world, node, other.engine.messages.cancel)
        assert answer.status is S.CANCELED
        world.run_each_minute(node, until=world.clock.time() + 120)
        assert other.engine.messages.get(id_).status is S.CANCELED
        campaign = other.engine.campaigns.page(limit=1)[0][0].id
        assert other.engine.campaigns.get(campaign).counts["canceled"] == 1
        assert world.ledger.count(Query(STATUS_EVENTS)) == 0

    run_in(world.clock, scenario)


def test_a_redaction_of_what_was_reported_already_is_kept_beside_it(world: CampaignWorld) -> None:
    """The status event with the same status and id is there before."""

    def scenario() -> None:
        node, other = world.node(callbacks=True), world.node(callbacks=True)

        def change(id_: str) -> MessageRecord:
            world.network.of(id_)[0].status = S.DELIVERED
            world.tell(id_, S.DELIVERED)
            return other.engine.messages.redact(id_)

        id_, _ = meddle(world, node, change)
        world.run_each_minute(node, until=world.clock.time() + 120)
        found = other.engine.messages.get(id_)
        assert (found.redacted, found.status) == (True, S.DELIVERED)

    run_in(world.clock, scenario)


# --- not merged yet ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [3, 60, 300], ids=["one block", "some", "two chunks"])
def test_counts_tell_the_truth_of_the_results(world: CampaignWorld, records: int) -> None:
    def scenario() -> None:
        node, other = world.node(callbacks=True), world.node(callbacks=True)
        campaign = send(world, node, records)
        ids = [record.id for record in called(node.results(campaign))]
        for index, id_ in enumerate(ids):
            world.tell(id_, S.SENT)
            if index % 3:
                world.tell(id_, S.DELIVERED if index % 2 else S.UNDELIVERED)
            progress = other.engine.campaigns.get(campaign) if index % 20 == 0 else None
            if progress is not None:
                final = {status: n for status, n in shown(other, campaign).items() if S(status).final}
                assert {status: n for status, n in progress.counts.items() if S(status).final} == final
                assert progress.open_messages == records - sum(final.values())
        before = other.engine.campaigns.get(campaign)
        world.run_each_minute(node, until=world.clock.time() + 60)
        after = other.engine.campaigns.get(campaign)
        final = {status: n for status, n in after.counts.items() if S(status).final}
        assert final == {status: n for status, n in before.counts.items() if S(status).final}
        assert sum(before.counts.values()) == records

    run_in(world.clock, scenario)
