"""Records become chunks, all of them or none; and what a campaign would be is known before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.campaigns.chunk import AcceptedRecord, Record, RefusedRecord
from sms_connector.campaigns.forecast import Ahead, Forecaster, Pace
from sms_connector.campaigns.intake import MAX_RECORDS, CampaignOrder, Totals
from sms_connector.engine import Engine
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, PreconditionFailed
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.send_request import SendOptions
from sms_connector.ports import MAX_DOCUMENT_BYTES, Query
from sms_connector.provider import Capabilities
from sms_connector.store.campaign_record import CAMPAIGNS, CHUNKS, PROGRESS, CampaignState, SenderLoad
from tests.fixtures.campaign_world import SENDER, CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import ONE_BY_ONE
from tests.fixtures.memory_ledger import Fate, Killed

NOW = 1_800_000_000.0


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def wrong(index: int) -> RefusedRecord:
    return RefusedRecord(index, "0123", f"records[{index}].to", ErrorKind.INVALID_RECIPIENT, "is no number")


def parts(world: CampaignWorld) -> int:
    return sum(world.ledger.count(Query(name)) for name in (CAMPAIGNS, CHUNKS, PROGRESS))


def breaking(after: int) -> Iterator[Record]:
    yield from (accepted(index) for index in range(after))
    raise InvalidRequest(FieldProblem("", "the body is cut off"))


# --- taking -------------------------------------------------------------------------------------------------------------


def test_records_keep_their_order_and_their_flaws(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([wrong(0), *(accepted(index) for index in range(1, 300)), wrong(300), accepted(301)])
        assert (campaign.total, campaign.refused, campaign.segments, campaign.chunks) == (302, 2, 300, 2)
        assert campaign.encodings == {"GSM-7": 300}
        world.run_chunks(node)
        results = node.results(campaign.id)
        assert [result.index for result in results] == list(range(302))
        assert [result.index for result in results if isinstance(result, RefusedRecord)] == [0, 300]
        page, location = node.engine.results.page(campaign, limit=251)
        assert [result.index for result in page] == list(range(251))
        rest, end = node.engine.results.page(campaign, limit=1000, after=location)
        assert [result.index for result in rest] == list(range(251, 302))
        assert end is None

    run_in(world.clock, scenario)


def test_nothing_but_flaws_is_done_at_once(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([wrong(0), wrong(1)])
        assert campaign.state is CampaignState.DONE
        assert world.chunk_tasks() == []
        assert node.engine.campaigns.get(campaign.id).counts == {"error": 2}

    run_in(world.clock, scenario)


@pytest.mark.parametrize("after", [0, 1, 249, 250, 4000, 4250, 9000])
def test_a_body_that_breaks_leaves_nothing(world: CampaignWorld, after: int) -> None:
    def scenario() -> None:
        node = world.node()
        with pytest.raises(InvalidRequest, match="cut off"):
            node.take(breaking(after))
        assert parts(world) == 0
        assert world.chunk_tasks() == []

    run_in(world.clock, scenario)


def test_no_record_at_all_is_refused(world: CampaignWorld) -> None:
    def scenario() -> None:
        with pytest.raises(InvalidRequest, match="is empty"):
            world.node().take([])
        assert parts(world) == 0

    run_in(world.clock, scenario)


def test_a_million_is_the_most() -> None:
    totals = Totals(total=MAX_RECORDS - 1)
    totals.add(accepted(0))
    with pytest.raises(InvalidRequest, match="1,000,000"):
        totals.add(accepted(1))


def test_a_chunk_fits_into_a_document_whatever_is_in_it(world: CampaignWorld) -> None:
    """Control characters take six bytes of JSON each; texts have at most 1 600 characters, values may be longer."""
    value = "\x01" * 1600
    rows = [AcceptedRecord(index, number(index), (value,) * 5, 8, "UCS-2", "k" * 255) for index in range(300)]

    def scenario() -> None:
        world.node().take(rows)

    run_in(world.clock, scenario)
    documents = world.ledger.find(Query(CHUNKS, limit=1000))
    assert len(documents) > 10
    assert max(len(json.dumps(document.data)) for document in documents) < MAX_DOCUMENT_BYTES


# --- the same request again -----------------------------------------------------------------------------------------------


def test_the_same_nonce_is_the_same_campaign(world: CampaignWorld) -> None:
    """Its creation was complete, and its answer got lost."""

    def scenario() -> None:
        node = world.node()
        first = node.take([accepted(0)], nonce="n")
        world.run_chunks(node)
        again = node.take([accepted(0)], nonce="n")
        assert again.id == first.id
        assert world.chunk_tasks() == []
        assert len(called(node.results(first.id))) == 1

    run_in(world.clock, scenario)


def test_a_creation_that_died_is_taken_again_from_the_start() -> None:
    """At any step: the second attempt's campaign is whole, each record in it once."""
    steps = Fate()
    rehearsal = CampaignWorld(ThreadedClock())
    run_in(rehearsal.clock, lambda: rehearsal.node(fate=steps).take(accepted(index) for index in range(4500)))
    for step in range(1, steps.steps + 1):
        world = CampaignWorld(ThreadedClock())
        dying = world.node(fate=Fate(die_at=step))
        with suppress(Killed):
            run_in(world.clock, lambda dying=dying: dying.take(accepted(index) for index in range(4500)))

        def again(world: CampaignWorld = world) -> None:
            node = world.node()
            campaign = node.take(accepted(index) for index in range(4500))
            assert (campaign.state, campaign.total, campaign.chunks) == (CampaignState.RUNNING, 4500, 18)
            assert parts(world) == 37
            assert {task["chunk"] for task in world.chunk_tasks()} == set(range(18))
            assert [result.index for result in node.results(campaign.id)] == list(range(4500))

        run_in(world.clock, again)


def test_without_a_queue_campaigns_are_refused_and_can_be_looked_at(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([accepted(0)])
        engine = Engine(provider=node.provider, ledger=world.ledger, throttle=node.throttle, clock=world.clock)
        with pytest.raises(PreconditionFailed, match="SMS_QUEUE"):
            engine.intake.accept(CampaignOrder("x", 0, SendOptions(SENDER), "n", "r"), [accepted(0)])
        assert engine.campaigns.get(campaign.id).waiting == 1

    run_in(world.clock, scenario)


# --- states -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        (["pause"], "paused"),
        (["pause", "pause"], "paused"),
        (["pause", "resume"], "running"),
        (["resume"], "running"),
        (["cancel"], "canceled"),
        (["pause", "cancel"], "canceled"),
        (["cancel", "cancel"], "canceled"),
        (["cancel", "pause"], None),
        (["cancel", "resume"], None),
    ],
    ids=str,
)
def test_moves(world: CampaignWorld, moves: list[str], state: str | None) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([accepted(0)])
        *before, last = moves
        for move in before:
            getattr(node.engine.campaigns, move)(campaign.id, "why")
        if state is None:
            with pytest.raises(PreconditionFailed, match="canceled"):
                getattr(node.engine.campaigns, last)(campaign.id)
        else:
            moved = getattr(node.engine.campaigns, last)(campaign.id, "because")
            assert (str(moved.campaign.state), moved.campaign.state_reason) in (
                (state, "because"),
                (state, "why"),
                (state, None),
            )

    run_in(world.clock, scenario)


def test_lists_are_newest_first_and_by_state(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        ids = []
        for index in range(5):
            ids.append(node.take([accepted(0)], nonce=f"n{index}").id)
            world.clock.sleep(1.0)
        node.engine.campaigns.pause(ids[1])
        first, more = node.engine.campaigns.page(limit=3)
        rest, end = node.engine.campaigns.page(limit=3, after=more)
        assert [each.id for each in (*first, *rest)] == ids[::-1]
        assert end is None
        paused, _ = node.engine.campaigns.page(limit=3, state=CampaignState.PAUSED)
        assert [each.id for each in paused] == [ids[1]]

    run_in(world.clock, scenario)


def test_progress_tells_rate_and_end(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(1000))
        for task in world.chunk_tasks()[:2]:
            node.run(task)
        progress = node.engine.campaigns.get(campaign.id)
        assert (progress.counts, progress.waiting) == ({"queued": 500}, 500)
        assert progress.rate == pytest.approx(25, rel=0.1)
        assert progress.estimated_end == pytest.approx(world.clock.time() + 20, abs=2)

    run_in(world.clock, scenario)


# --- forecasts ------------------------------------------------------------------------------------------------------------

RATES = {SenderKind.LONG_CODE: 1.0, SenderKind.TOLL_FREE: 3.0, SenderKind.SHORT_CODE: 100.0}
LIMITED = replace(
    ONE_BY_ONE,
    sender_rates=RATES,
    sender_queue_seconds=36_000,
    schedule_window=(900, 3_024_000),
    max_validity_seconds=36_000,
)


@dataclass(frozen=True)
class Row:
    """`messages` of `segments` in all, by `sender`; what comes out, worked out by hand."""

    reason: str
    messages: int
    segments: int
    rate: float = 25.0
    hand_over: float = 0.0
    wait: float = 0.0
    ends_in: float = 0.0
    refused: str | None = None
    sender: str = SENDER
    pace: Pace = field(default_factory=Pace)
    capabilities: Capabilities = LIMITED
    one_text: bool = True
    options: dict[str, Any] | None = None
    ahead: Ahead = field(default_factory=Ahead)


FORECASTS = [
    Row("a node, a short code that keeps up", 1000, 1000, hand_over=40, ends_in=40, sender="12345"),
    Row("a long code sends one segment a second", 1000, 1000, hand_over=40, wait=960, ends_in=1000),
    Row("two segments each take twice as long", 1000, 2000, hand_over=40, wait=1960, ends_in=2000),
    Row("50 workers", 10_000, 10_000, 1250, 8, wait=9_992, ends_in=10_000, pace=Pace(25, 50)),
    Row("the connection's rate is less", 10_000, 10_000, 40, 250, 9_750, 10_000, pace=Pace(25, 50, 40)),
    Row("the connection's rate is more", 100, 100, 25, 4, 96, 100, pace=Pace(25, 1, 400)),
    Row("the queue holds ten hours: just", 36_037, 36_037, hand_over=1441.48, wait=34_595.52, ends_in=36_037),
    Row(
        "and not a second more",
        37_501,
        37_501,
        hand_over=1500.04,
        wait=36_000.96,
        ends_in=37_501,
        refused="would wait 10 h 1 min at the provider, which queues at most 10 h 0 min",
    ),
    Row(
        "toll-free is faster",
        37_501,
        37_501,
        hand_over=1500.04,
        wait=11_000.2933,
        ends_in=12_500.3333,
        sender="+18005550100",
    ),
    Row(
        "a messaging service has no rate of its own",
        10**6,
        10**6,
        hand_over=40_000,
        ends_in=40_000,
        sender="MG" + "0" * 32,
    ),
    Row(
        "they would outlive their validity",
        1000,
        1000,
        hand_over=40,
        wait=960,
        ends_in=1000,
        refused="validitySeconds",
        options={"validity_seconds": 900},
    ),
    Row("they would not", 1000, 1000, hand_over=40, wait=960, ends_in=1000, options={"validity_seconds": 961}),
    Row(
        "a hundred recipients a call",
        1000,
        1000,
        2500,
        0.4,
        999.6,
        1000,
        capabilities=replace(LIMITED, recipients_per_call=100, same_text_per_call=True),
    ),
    Row(
        "but each has its own text",
        1000,
        1000,
        25,
        40,
        960,
        1000,
        capabilities=replace(LIMITED, recipients_per_call=100, same_text_per_call=True),
        one_text=False,
    ),
    Row(
        "all at once, later",
        1000,
        1000,
        hand_over=40,
        wait=1000,
        ends_in=8200,
        options={"send_at": datetime.fromtimestamp(NOW + 7200, UTC)},
    ),
    Row(
        "handed over too late for that",
        200_000,
        200_000,
        hand_over=8000,
        wait=0,
        ends_in=8000,
        sender="MG" + "0" * 32,
        refused="sendAt",
        options={"send_at": datetime.fromtimestamp(NOW + 7200, UTC)},
    ),
    Row("a provider that publishes nothing", 10**6, 10**6, hand_over=40_000, ends_in=40_000, capabilities=ONE_BY_ONE),
    Row("nothing to send", 0, 0),
    Row(
        "after others of the same sender",
        1000,
        1000,
        hand_over=60,
        wait=1440,
        ends_in=1500,
        ahead=Ahead(500, {SENDER: SenderLoad(500, 500)}),
    ),
    Row("after others of another sender", 1000, 1000, hand_over=60, wait=960, ends_in=1020, ahead=Ahead(500)),
    Row(
        "after what the provider's queue holds already",
        1000,
        1000,
        hand_over=40,
        wait=36_460,
        ends_in=36_500,
        ahead=Ahead(0, {SENDER: SenderLoad(0, 35_500)}),
        refused="1 segment a second and has 35,500 of other campaigns to send first, so the last messages would wait 10 h 8 min",
    ),
]


@pytest.mark.parametrize("row", FORECASTS, ids=lambda row: row.reason)
def test_forecasts(row: Row) -> None:
    forecast = Forecaster(row.pace, row.capabilities).forecast(
        {row.sender: SenderLoad(row.messages, row.segments)},
        one_text=row.one_text,
        options=SendOptions(row.sender, **(row.options or {})),
        now=NOW,
        ahead=row.ahead,
    )
    assert forecast.rate == row.rate
    assert forecast.hand_over_seconds == pytest.approx(row.hand_over)
    assert forecast.longest_wait_seconds == pytest.approx(row.wait)
    assert forecast.ends_at - NOW == pytest.approx(row.ends_in)
    assert (forecast.refusal is None) is (row.refused is None), forecast.refusal
    assert row.refused is None or row.refused in str(forecast.refusal)


def test_a_forecast_by_sender_is_that_of_the_slowest() -> None:
    forecaster = Forecaster(Pace(), LIMITED)
    loads = {"+18005550100": SenderLoad(600, 600), SENDER: SenderLoad(300, 400), "12345": SenderLoad(100, 100)}
    ahead = Ahead(500, {SENDER: SenderLoad(50, 100), "+15550001111": SenderLoad(450, 450)})
    forecast = forecaster.forecast(loads, one_text=True, options=SendOptions(), now=NOW, ahead=ahead)
    assert forecast.hand_over_seconds == pytest.approx(1500 / 25)
    assert [(part.sender, part.rate) for part in forecast.senders] == [("+18005550100", 3), (SENDER, 1), ("12345", 100)]
    waits = [600 / 3 - 600 / 25, 500 - 350 / 25, 0]
    assert [part.longest_wait_seconds for part in forecast.senders] == pytest.approx(waits)
    assert (forecast.sender_rate, forecast.longest_wait_seconds) == (1, pytest.approx(waits[1]))
    assert forecast.ends_at - NOW == pytest.approx(60 + waits[1])
    short = SendOptions(validity_seconds=300)
    refusal = forecaster.forecast(loads, one_text=True, options=short, now=NOW, ahead=ahead).refusal
    assert refusal is not None
    assert "one of the senders sends 1 segment a second and has 100 of other campaigns to send first" in refusal


def test_a_campaign_without_a_valid_record_has_no_sender_to_forecast() -> None:
    forecast = Forecaster(Pace(), LIMITED).forecast({}, one_text=True, options=SendOptions(), now=NOW)
    assert (forecast.sender_rate, forecast.longest_wait_seconds, forecast.ends_at) == (None, 0.0, NOW)


def test_what_campaigns_of_several_senders_have_left_counts_for_each(world: CampaignWorld) -> None:
    other = "+15550001111"

    def scenario() -> None:
        node: Node = world.node(capabilities=LIMITED)
        mixed = [replace(accepted(index), sender=SENDER if index % 4 == 0 else other) for index in range(400)]
        order = CampaignOrder("Hello <first name>", 1, SendOptions(), "mixed", "r")
        first = node.engine.intake.accept(order, mixed)
        assert first.loads == {SENDER: SenderLoad(100, 100), other: SenderLoad(300, 300)}
        for sender, ahead in ((SENDER, 100), (other, 300)):
            order = CampaignOrder("x", 0, SendOptions(sender), "", "r")
            _, forecast = node.engine.intake.forecast(order, [accepted(0)])
            assert (forecast.ahead, [part.ahead for part in forecast.senders]) == (400, [ahead])
        world.run_chunks(node)
        assert Counter(stored.message.sender for stored in world.network.stored) == {SENDER: 100, other: 300}
        records = called(node.results(first.id))
        assert [record.sender for record in records] == [record.sender for record in mixed]

    run_in(world.clock, scenario)


def test_what_the_forecast_refuses_is_not_kept(world: CampaignWorld) -> None:
    def scenario() -> None:
        node: Node = world.node(capabilities=LIMITED)
        with pytest.raises(PreconditionFailed, match="nothing was kept: the sender sends 1 segment a second"):
            node.take((accepted(index) for index in range(300)), validity_seconds=60)
        assert parts(world) == 0
        order = CampaignOrder("x", 0, SendOptions(SENDER, validity_seconds=60), "", "r")
        totals, forecast = node.engine.intake.forecast(order, (accepted(index) for index in range(300)))
        assert totals.total == 300
        assert forecast.refusal is not None

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    ("options", "capabilities", "read"),
    [
        pytest.param({"validity_seconds": 3600}, LIMITED, 8000, id="they would outlive their validity"),
        pytest.param({}, replace(LIMITED, sender_queue_seconds=3600), 8000, id="the provider's queue overflows"),
    ],
)
def test_what_is_too_large_is_refused_before_all_of_it_is_written(
    world: CampaignWorld, options: dict[str, Any], capabilities: Capabilities, read: int
) -> None:
    taken: list[int] = []

    def records() -> Iterator[Record]:
        for index in range(100_000):
            taken.append(index)
            yield accepted(index)

    def scenario() -> None:
        node: Node = world.node(capabilities=capabilities)
        with pytest.raises(PreconditionFailed, match="nothing was kept"):
            node.take(records(), **options)
        assert len(taken) <= read
        assert parts(world) == 0

    run_in(world.clock, scenario)


def test_campaigns_that_run_already_go_first(world: CampaignWorld) -> None:
    """What they have not handed over, and what their sender can't have sent yet."""

    def scenario() -> None:
        node: Node = world.node(capabilities=LIMITED)
        order = CampaignOrder("x", 0, SendOptions(SENDER), "", "r")
        first = node.take((accepted(index) for index in range(500)), nonce="first")
        _, forecast = node.engine.intake.forecast(order, (accepted(index) for index in range(100)))
        assert (forecast.ahead, forecast.hand_over_seconds) == (500, 24.0)
        assert forecast.longest_wait_seconds == pytest.approx(600 - 24)
        world.run_chunks(node)
        _, forecast = node.engine.intake.forecast(order, (accepted(index) for index in range(100)))
        assert (forecast.ahead, forecast.hand_over_seconds) == (0, 4.0)
        assert forecast.longest_wait_seconds == pytest.approx(600 - 4 - 20, abs=2), "the provider's queue holds them"
        other = CampaignOrder("x", 0, SendOptions("+15550001111"), "", "r")
        assert node.engine.intake.forecast(other, [accepted(0)])[1].longest_wait_seconds == pytest.approx(1 - 1 / 25)
        node.engine.campaigns.settle(first.id)
        world.clock.sleep(500.0)
        _, forecast = node.engine.intake.forecast(order, (accepted(index) for index in range(100)))
        assert forecast.longest_wait_seconds == pytest.approx(96)
        node.take((accepted(index) for index in range(3000)), nonce="second")
        with pytest.raises(PreconditionFailed, match="of other campaigns"):
            node.take((accepted(index) for index in range(1000)), nonce="third", validity_seconds=3600)

    run_in(world.clock, scenario)
