"""One place where a report changes a message: whatever brings it, it counts, ends consent and is announced alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import NotSent
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions, SendRequest, Tracking
from sms_connector.model.status import MessageStatus
from sms_connector.store.message_record import MessageRecord
from tests.fixtures.campaign_world import SENDER, CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import OPTED_OUT, Capabilities

HOUR = 3600.0
S = MessageStatus


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


FOLLOW = Tracking(10.0, 6)


def send(node: Node, *, nonce: str = "n1", tracking: Tracking = FOLLOW) -> MessageRecord:
    draft = Draft(0, number(0), SENDER, "Hello", measure("Hello"))
    [record] = node.engine.sender.send(SendRequest([draft], SendOptions(SENDER, tracking), nonce, "req"))
    return record


def questions(*nodes: Node) -> list[str]:
    return [name for node in nodes for _, name in node.provider.calls if name in ("fetch", "list")]


# --- consent ----------------------------------------------------------------------------------------------------------


def opted_out_later(world: CampaignWorld) -> None:
    world.network.stored[-1].status, world.network.stored[-1].failure = S.UNDELIVERED, OPTED_OUT


def poll(world: CampaignWorld, node: Node, _id: str) -> None:
    world.run_maintenance(node, until=world.clock.time() + 30)


def look_up(world: CampaignWorld, node: Node, id_: str) -> None:
    world.clock.sleep(11.0)
    node.engine.messages.get(id_)


def cancel(_world: CampaignWorld, node: Node, id_: str) -> None:
    node.engine.messages.cancel(id_)


Way = Callable[[CampaignWorld, Node, str], None]
WAYS = [
    pytest.param(poll, {}, "", id="a maintenance run's poll"),
    pytest.param(poll, {}, "lost", id="the list that settles an unknown outcome"),
    pytest.param(look_up, {}, "", id="a look-up"),
    pytest.param(cancel, {}, "", id="the answer to a cancel"),
]


@pytest.mark.parametrize("in_campaign", [False, True], ids=["alone", "in a campaign"])
@pytest.mark.parametrize(("way", "options", "fate"), WAYS)
def test_an_opt_out_counts_whatever_reports_it(
    world: CampaignWorld, way: Way, options: dict[str, Capabilities], fate: str, in_campaign: bool
) -> None:
    def scenario() -> None:
        node = world.node(**options)
        if fate:
            world.network.fate[number(0)].append(fate)
            node.provider.list_error = NotSent("the provider's list is out of reach")
        if in_campaign:
            campaign = node.take([accepted(0)])
            world.run_chunks(node)
            [record] = called(node.results(campaign.id))
        else:
            record = send(node)
        node.provider.list_error = None
        opted_out_later(world)
        way(world, node, record.id)
        opt_out = node.engine.opt_outs.get(number(0))
        assert opt_out is not None
        assert (opt_out.opted_out, opt_out.last.source, opt_out.last.reason) == (
            True,
            "provider",
            "reported with 21610",
        )
        calls = len(node.provider.starts("send"))
        again = send(node, nonce="n2")
        assert again.failure is not None
        assert (again.failure.kind, len(node.provider.starts("send"))) == (OPTED_OUT.kind, calls), "no call is made"

    run_in(world.clock, scenario)


def test_a_report_that_was_applied_undoes_no_later_consent(world: CampaignWorld) -> None:
    """The same poll again, and the event that is merged after the consent was given back by hand."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = node.take([accepted(0), accepted(1)])
        world.run_chunks(node)
        record, _ = called(node.results(campaign.id))
        report = world.network.stored[0].report()
        node.engine.sender.store.record_event(
            record.id,
            replace(report, status=S.UNDELIVERED, raw_status="undelivered", failure=OPTED_OUT),
            at=world.clock.time(),
            source="callback",
        )
        assert node.engine.opt_outs.delete(number(0))
        opted_out_later(world)
        world.run_maintenance(node, until=world.clock.time() + 70)
        assert node.engine.campaigns.get(campaign.id).counts["undelivered"] >= 1
        opt_out = node.engine.opt_outs.get(number(0))
        assert opt_out is not None
        assert not opt_out.opted_out

    run_in(world.clock, scenario)


# --- attempts ---------------------------------------------------------------------------------------------------------


def test_a_call_that_is_held_up_spends_no_attempts(world: CampaignWorld) -> None:
    """Two answers 429 with Retry-After: maintenance runs meet the message while it is being called."""
    node, other = world.node(), world.node()
    real, ended = node.provider.send, []

    def held_up(*given: Any) -> object:
        world.clock.sleep(40.0)
        return real(*given)

    node.provider.send = held_up  # type: ignore[method-assign,assignment]

    def sending() -> MessageRecord:
        record = send(node, tracking=Tracking(1.0, 6))
        ended.append(record)
        return record

    def runs() -> None:
        while not ended:
            other.engine.maintenance.run_maintenance()
            world.clock.sleep(0.5)

    record = world.clock.run_beside(sending, runs)
    assert record.attempts == 0
    assert not questions(node, other)

    def after() -> None:
        world.run_maintenance(other, until=world.clock.time() + 60)
        assert len(questions(other)) == 6
        assert other.engine.messages.get(record.id).attempts == 6

    run_in(world.clock, after)


def test_looking_into_an_unknown_outcome_spends_no_attempts(world: CampaignWorld) -> None:
    """The provider's list is away for a minute and a half; then the message is found, and followed from there."""

    def scenario() -> None:
        node = world.node()
        world.network.fate[number(0)].append("lost")
        node.provider.list_error = NotSent("away")
        record, begun = send(node), world.clock.time()
        world.run_each_minute(node, until=begun + 90)
        node.provider.list_error = None
        world.run_each_minute(node, until=begun + 200)
        found = node.engine.sender.store.get([record.id])[0]
        assert found is not None
        assert (found.status, found.attempts <= 2) == (S.QUEUED, True)
        world.network.stored[0].status = S.DELIVERED
        world.run_each_minute(node, until=begun + 320)
        [found] = node.engine.sender.store.get([record.id])
        assert found is not None
        assert found.status is S.DELIVERED

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    ("status", "answers", "ends"),
    [
        pytest.param(S.DELIVERED, True, S.DELIVERED, id="the last question brings its end"),
        pytest.param(S.QUEUED, True, S.EXPIRED, id="the last question brings nothing new"),
        pytest.param(S.DELIVERED, False, S.EXPIRED, id="the provider is away for an hour more"),
    ],
)
def test_a_message_is_asked_for_once_more_before_it_expires(
    world: CampaignWorld, status: MessageStatus, answers: bool, ends: MessageStatus
) -> None:
    def scenario() -> None:
        node = world.node()
        record = send(node, tracking=Tracking(10.0, 2))
        begun = world.clock.time()
        world.run_maintenance(node, until=begun + 71 * HOUR)
        asked = len(questions(node))
        assert asked == 2
        world.network.stored[0].status = status
        node.provider.list_error = None if answers else NotSent("away")
        world.run_maintenance(node, until=begun + 75 * HOUR)
        [found] = node.engine.sender.store.get([record.id])
        assert found is not None
        assert (found.status, found.final) == (ends, True)
        assert len(questions(node)) > asked
        assert found.updated_at <= begun + 74 * HOUR, "and then it ends"

    run_in(world.clock, scenario)


# --- look-ups ---------------------------------------------------------------------------------------------------------


def test_a_look_up_asks_when_the_last_question_is_an_interval_old(world: CampaignWorld) -> None:
    """Also when the attempts are used up; it takes none, and two in a row ask once."""

    def scenario() -> None:
        node = world.node()
        record, begun = send(node), world.clock.time()
        world.run_maintenance(node, until=begun + 75)
        assert len(questions(node)) == 6
        world.clock.sleep(begun + 80 - world.clock.time())
        for moment, asked in ((80, 7), (85, 7), (91, 8), (600, 9), (605, 9)):
            world.clock.sleep(max(0.0, begun + moment - world.clock.time()))
            found = node.engine.messages.get(record.id)
            assert (found.status, found.attempts, len(questions(node))) == (S.QUEUED, 6, asked), moment
        world.network.stored[0].status = S.DELIVERED
        world.clock.sleep(10.0)
        assert node.engine.messages.get(record.id).status is S.DELIVERED

    run_in(world.clock, scenario)


def test_a_look_up_of_what_is_final_asks_nobody(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        record = send(node)
        world.network.stored[0].status = S.DELIVERED
        world.run_maintenance(node, until=world.clock.time() + 30)
        asked = len(questions(node))
        world.clock.sleep(HOUR)
        assert node.engine.messages.get(record.id).status is S.DELIVERED
        assert len(questions(node)) == asked

    run_in(world.clock, scenario)
