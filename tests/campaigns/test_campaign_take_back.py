"""Canceling a scheduled campaign takes back what the provider holds, durably and within the rate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.errors import ErrorKind, NotSent, ProviderRefused
from sms_connector.model.status import MessageStatus
from sms_connector.store.campaign_record import Campaign
from tests.fixtures.campaign_world import CampaignWorld, Node, accepted, called, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import ONE_BY_ONE

HOUR = 3600.0


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def scheduled(world: CampaignWorld, node: Node, count: int) -> Campaign:
    at = datetime.fromtimestamp(world.clock.time() + 10 * HOUR, UTC)
    return node.take((accepted(index) for index in range(count)), send_at=at)


def statuses(node: Node, campaign: str) -> set[MessageStatus]:
    return {record.status for record in called(node.results(campaign))}


@pytest.mark.parametrize("count", [3, 300])
def test_what_the_provider_holds_is_taken_back(world: CampaignWorld, count: int) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = scheduled(world, node, count)
        world.run_chunks(node)
        told = node.engine.campaigns.cancel(campaign.id)
        assert (told.taking_back, told.not_taken_back) == (count, 0)
        begun = world.clock.time()
        world.run_chunks(node)
        assert world.clock.time() - begun >= count / 25 - 1.5, "within the rate"
        assert {stored.status for stored in world.network.stored} == {MessageStatus.CANCELED}
        now = node.engine.campaigns.get(campaign.id)
        assert (now.counts, now.taking_back, now.not_taken_back) == ({"canceled": count}, 0, 0)

    run_in(world.clock, scenario)


def test_what_was_not_called_yet_is_canceled_beside(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = scheduled(world, node, 500)
        first, second = world.chunk_tasks()
        assert node.run(first) is Attempt.SENT
        node.engine.campaigns.cancel(campaign.id)
        assert node.run(second) is Attempt.STOPPED
        world.run_chunks(node)
        assert node.engine.campaigns.get(campaign.id).counts == {"canceled": 500}
        assert len(world.network.stored) == 250

    run_in(world.clock, scenario)


def test_without_the_capability_it_is_said(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node(capabilities=replace(ONE_BY_ONE, cancel=False))
        campaign = scheduled(world, node, 3)
        world.run_chunks(node)
        told = node.engine.campaigns.cancel(campaign.id)
        assert (told.taking_back, told.not_taken_back) == (0, 3)
        assert world.chunk_tasks() == []

    run_in(world.clock, scenario)


def test_what_the_provider_will_not_cancel_stays(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = scheduled(world, node, 3)
        world.run_chunks(node)
        cancel = node.provider.cancel
        kept = world.network.stored[1].id

        def refuse(id_: str) -> object:
            if id_ == kept:
                raise ProviderRefused("too late", kind=ErrorKind.OTHER, code=30409)
            return cancel(id_)

        node.provider.cancel = refuse  # type: ignore[assignment,method-assign]  # one that refuses
        node.engine.campaigns.cancel(campaign.id)
        world.run_chunks(node)
        now = node.engine.campaigns.get(campaign.id)
        assert (now.taking_back, now.not_taken_back) == (0, 1)
        assert now.counts == {"canceled": 2, "queued": 1}

    run_in(world.clock, scenario)


def test_a_provider_that_takes_no_calls_is_asked_again(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = scheduled(world, node, 3)
        world.run_chunks(node)
        cancel, left = node.provider.cancel, [2]

        def busy(id_: str) -> object:
            if left[0]:
                left[0] -= 1
                raise NotSent("the answer was 429")
            return cancel(id_)

        node.provider.cancel = busy  # type: ignore[assignment,method-assign]  # busy at first
        node.engine.campaigns.cancel(campaign.id)
        assert Attempt.AGAIN in world.run_chunks(node)
        assert statuses(node, campaign.id) == {MessageStatus.CANCELED}

    run_in(world.clock, scenario)


def test_a_cancellation_that_broke_off_is_completed(world: CampaignWorld) -> None:
    """Its node died between the state and the tasks: those for later were there before."""

    def scenario() -> None:
        node = world.node()
        campaign = scheduled(world, node, 3)
        world.run_chunks(node)
        node.engine.campaigns.cancel(campaign.id)
        tasks = world.queue.take("/tasks/chunk")
        later = [task.payload for task in tasks if task.not_before is not None]
        assert len(later) == 1
        assert [node.run(task) for task in later] == [Attempt.SENT]
        assert statuses(node, campaign.id) == {MessageStatus.CANCELED}

    run_in(world.clock, scenario)


def test_a_campaign_without_a_time_takes_nothing_back(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(30))
        world.run_chunks(node)
        told = node.engine.campaigns.cancel(campaign.id)
        assert (told.taking_back, told.not_taken_back) == (None, None)
        assert world.chunk_tasks() == []

    run_in(world.clock, scenario)
