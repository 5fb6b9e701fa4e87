"""A server between us and the provider refuses calls: a record that is always refused ends by itself and holds up no other; a way
that refuses everything ends no record."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sms_connector.campaigns.chunk_send import ON_THE_WAY
from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.errors import ErrorKind, NotSent, RetrySafety
from tests.fixtures.campaign_world import CampaignWorld, accepted, number, run_in
from tests.fixtures.fake_clock import ThreadedClock

RECORDS = 200


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def refuse_always(world: CampaignWorld, indexes: Iterable[int]) -> None:
    for index in indexes:
        world.network.fate[number(index)].extend(["firewall"] * 50)


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param([0], id="the first"),
        pytest.param([77], id="one in the middle"),
        pytest.param([RECORDS - 1], id="the last: no call after it shows that the provider can be reached"),
        pytest.param([3, 50, 51, 120, 199], id="some"),
        pytest.param(range(40, 40 + ON_THE_WAY - 2), id="many in a row"),
    ],
)
def test_it_ends_by_itself_and_the_others_are_as_fast(world: CampaignWorld, refused: list[int]) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(RECORDS))
        refuse_always(world, refused)
        began = world.clock.monotonic()
        assert {node.run(task) for task in world.chunk_tasks()} == {Attempt.SENT}
        assert world.clock.monotonic() - began <= RECORDS / 25 + 1.0, "a campaign without such a record takes as long"
        counts = node.engine.campaigns.get(campaign.id).counts
        assert counts == {"queued": RECORDS - len(refused), "error": len(refused)}
        for record in node.results(campaign.id):
            failure = getattr(record, "failure", None)
            if failure is not None:
                assert (failure.source, failure.kind, failure.retry) == (
                    "transport",
                    ErrorKind.UNAVAILABLE,
                    RetrySafety.SAFE,
                )
                assert "not the provider" in failure.message

    run_in(world.clock, scenario)


def test_a_way_that_refuses_everything_ends_no_record(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(RECORDS))
        refuse_always(world, range(RECORDS))
        tasks = world.chunk_tasks()
        assert {node.run(task) for task in tasks} == {Attempt.AGAIN}
        assert len(node.provider.starts("send")) < len(tasks) * (ON_THE_WAY + 26), "it stops soon"
        assert node.engine.campaigns.get(campaign.id).counts == {}
        world.network.fate.clear()
        assert {node.run(task) for task in tasks} == {Attempt.SENT}
        assert node.engine.campaigns.get(campaign.id).counts == {"queued": RECORDS}

    run_in(world.clock, scenario)


def test_a_way_that_is_closed_for_questions_too_ends_no_record(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([accepted(0)])
        refuse_always(world, [0])
        node.provider.list_error = NotSent("a server on the way answered 403")
        [task] = world.chunk_tasks()
        assert node.run(task) is Attempt.AGAIN
        assert node.engine.campaigns.get(campaign.id).counts == {}

    run_in(world.clock, scenario)
