"""One ticker under everything that waits: it folds news in, asks, ends what nobody hears of, and finishes what a dead node left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime
from functools import partial

import pytest
from msgspec.structs import replace

from sms_connector.campaigns.chunk import Record
from sms_connector.errors import ErrorKind, LedgerUnavailable, NotSent, RetrySafety
from sms_connector.maintenance import DOCUMENT, STATE
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions, SendRequest, Tracking
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Query, Write
from sms_connector.provider import SendReceipt
from sms_connector.store.campaign_record import CAMPAIGNS, CHUNKS, PROGRESS, CampaignState
from sms_connector.store.status_events import STATUS_EVENTS
from tests.fixtures.campaign_world import SENDER, CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.counting_ledger import CountingLedger
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import NO_LIST, NO_PULL, FakeProvider
from tests.fixtures.memory_ledger import Fate, Killed

HOUR = 3600.0
UNREACHABLE = FailureReason("provider", ErrorKind.UNREACHABLE, "the handset is off", 30003, None, RetrySafety.NEVER)


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def send(world: CampaignWorld, node: Node, records: int, **options: object) -> str:
    campaign = node.take((accepted(index) for index in range(records)), **options)
    world.run_chunks(node)
    return campaign.id


def counts(node: Node, campaign: str) -> dict[str, int]:
    return node.engine.campaigns.get(campaign).counts


def state(node: Node, campaign: str) -> CampaignState:
    return node.engine.campaigns.read(campaign).state


# --- with callbacks -----------------------------------------------------------------------------------------------------


def test_an_id_that_only_a_report_told_is_known_when_the_last_attempt_asks(
    world: CampaignWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is not final, the next one is lost, and the provider is asked once."""

    def take(self: FakeProvider, message: OutboundMessage) -> SendReceipt:
        self.network.accept(message)
        return SendReceipt("", MessageStatus.ACCEPTED, "accepted")

    monkeypatch.setattr(FakeProvider, "_take", take)

    def scenario() -> None:
        node = world.node(callbacks=True, capabilities=replace(NO_LIST, reports_sparingly=True))
        campaign = send(world, node, 3, tracking=Tracking(10.0, 3))
        for record in called(node.results(campaign)):
            world.tell(record.id, MessageStatus.SENT)
        for stored in world.network.stored:
            stored.status = MessageStatus.DELIVERED
        world.run_maintenance(node, until=world.clock.time() + 60)
        assert counts(node, campaign) == {"delivered": 3}
        assert len(node.provider.starts("fetch")) == 3

    run_in(world.clock, scenario)


def test_news_is_folded_in_without_asking_the_provider(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = send(world, node, 60)
        for record in called(node.results(campaign)):
            world.tell(record.id, MessageStatus.SENT)
            world.tell(record.id, MessageStatus.DELIVERED)
        world.run_maintenance(node, until=world.clock.time() + 70)
        assert counts(node, campaign) == {"delivered": 60}
        assert state(node, campaign) is CampaignState.DONE
        assert {name for _, name in node.provider.calls} == {"send"}
        assert world.queue.tasks == [], "nothing is due any more"

    run_in(world.clock, scenario)


def test_news_told_twice_or_late_counts_once(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = send(world, node, 3)
        ids = [record.id for record in called(node.results(campaign))]
        for status in (MessageStatus.DELIVERED, MessageStatus.SENT, MessageStatus.DELIVERED):
            world.tell(ids[0], status)
        world.tell(ids[1], MessageStatus.UNDELIVERED)
        world.run_maintenance(node, until=world.clock.time() + 12)
        assert counts(node, campaign) == {"delivered": 1, "undelivered": 1, "queued": 1}
        world.tell(ids[1], MessageStatus.DELIVERED)
        world.run_maintenance(node, until=world.clock.time() + 12)
        assert counts(node, campaign) == {"delivered": 1, "undelivered": 1, "queued": 1}, "a final status stays"

    run_in(world.clock, scenario)


def test_the_history_has_what_was_told_on_the_way(world: CampaignWorld) -> None:
    """`sent` is not worth a write of its own; who asks after one message is told of it all the same, in order and once."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = send(world, node, 30)
        first, *_ = [record.id for record in called(node.results(campaign))]

        def heard() -> list[tuple[str, str]]:
            return [
                (status, word)
                for _, status, source, word in node.engine.messages.get(first).history
                if source == "callback"
            ]

        for status in (MessageStatus.SENT, MessageStatus.SENT, MessageStatus.DELIVERED):
            world.clock.sleep(1.0)
            world.tell(first, status)
            told_before_folding = heard()
        world.run_maintenance(node, until=world.clock.time() + 70)
        assert heard() == told_before_folding == [("sent", "sent"), ("delivered", "delivered")]

    run_in(world.clock, scenario)


def test_news_that_was_folded_in_is_forgotten(world: CampaignWorld) -> None:
    """What is told again is known all the same: the message has it."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = send(world, node, 300)
        delivered, refused, waiting, *others = [record.id for record in called(node.results(campaign))]
        world.tell(delivered, MessageStatus.DELIVERED)
        world.tell(refused, MessageStatus.FAILED, failure=UNREACHABLE)
        world.tell(waiting, MessageStatus.SENT)
        world.run_maintenance(node, until=world.clock.time() + 70)
        kept = [news.id.rpartition(":")[0] for news in world.ledger.find(Query(STATUS_EVENTS))]
        assert kept == [f"{waiting}:sent"]
        for id_ in (delivered, waiting, *others):
            world.tell(id_, MessageStatus.DELIVERED)
        world.tell(refused, MessageStatus.FAILED, failure=UNREACHABLE)
        world.run_maintenance(node, until=world.clock.time() + HOUR)
        assert counts(node, campaign) == {"delivered": 299, "failed": 1}
        assert state(node, campaign) is CampaignState.DONE

    run_in(world.clock, scenario)


def test_a_round_asks_for_the_news_of_a_chunk_at_once(world: CampaignWorld) -> None:
    """A query for each of its ten blocks would be ten times as many; a store that sorts for each gives way under that."""

    def scenario() -> None:
        counting = CountingLedger(world.ledger)
        node = world.node(callbacks=True, ledger=counting)
        campaign = send(world, node, 500)
        world.clock.sleep(60.0)
        for record in called(node.results(campaign)):
            world.tell(record.id, MessageStatus.DELIVERED)
        counting.queries.clear()
        node.engine.maintenance.run_maintenance()
        assert counting.queries[STATUS_EVENTS] == 3, "one a chunk, and one for late news"
        assert counts(node, campaign) == {"delivered": 500}

    run_in(world.clock, scenario)


def test_a_single_message_is_current_before_its_news_is_folded_in(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = send(world, node, 2)
        [first, _] = called(node.results(campaign))
        world.tell(first.id, MessageStatus.DELIVERED)
        assert node.engine.messages.get(first.id).status is MessageStatus.DELIVERED
        assert called(node.results(campaign))[0].status is MessageStatus.DELIVERED
        assert counts(node, campaign) == {"queued": 1, "delivered": 1}, "the same truth on every page"

    run_in(world.clock, scenario)


def test_a_callback_settles_an_unknown_outcome(world: CampaignWorld) -> None:
    """It names the message, so that not even an intermediate status leaves it open."""

    def scenario() -> None:
        node = world.node(callbacks=True, capabilities=NO_PULL)
        node.take(accepted(index) for index in range(3))
        world.network.fate[number(1)].append("lost")
        campaign = world.chunk_tasks()[0]["campaign"]
        node.run({"campaign": campaign, "chunk": 0})
        unknown = called(node.results(campaign))[1]
        assert unknown.status is MessageStatus.UNKNOWN
        world.tell(unknown.id, MessageStatus.SENT)
        world.run_maintenance(node, until=world.clock.time() + 12)
        assert counts(node, campaign) == {"queued": 2, "sent": 1}

    run_in(world.clock, scenario)


REPORTS = {
    "the final word": ([MessageStatus.DELIVERED], MessageStatus.DELIVERED),
    "two final words: the first one stays": (
        [MessageStatus.SENT, MessageStatus.UNDELIVERED, MessageStatus.DELIVERED],
        MessageStatus.UNDELIVERED,
    ),
    "no final word: it is open again": ([MessageStatus.SENT], MessageStatus.SENT),
}


@pytest.mark.parametrize("records", [pytest.param(1, id="the chunk is in the sums"), pytest.param(3, id="it is not")])
@pytest.mark.parametrize("late", [60.0, 30 * 60.0, 40 * HOUR])
@pytest.mark.parametrize("reports", REPORTS)
def test_news_of_what_ended_as_unknown_counts_exactly_once(
    world: CampaignWorld, records: int, late: float, reports: str
) -> None:
    count_reports_of_an_unknown_message(world, records, late, *REPORTS[reports])


def count_reports_of_an_unknown_message(
    world: CampaignWorld, records: int, late: float, told: list[MessageStatus], expected: MessageStatus
) -> None:
    def scenario() -> None:
        node = world.node(callbacks=True, capabilities=NO_PULL)
        world.network.fate[number(0)].append("lost")
        campaign = send(world, node, records)
        world.run_maintenance(node, until=world.clock.time() + 1000)
        unknown = called(node.results(campaign))[0]
        assert (unknown.status, unknown.final) == (MessageStatus.UNKNOWN, True)
        assert counts(node, campaign)["unknown"] == 1
        world.run_maintenance(node, until=unknown.created_at + 960 + late)
        for status in told:
            world.tell(unknown.id, status)
            world.clock.sleep(1.0)
        assert node.engine.messages.get(unknown.id).status is expected, "to whoever asks, at once"
        world.run_maintenance(node, until=world.clock.time() + 120 + (world.clock.time() - unknown.created_at) / 3)
        assert counts(node, campaign)[str(expected)] == 1
        assert "unknown" not in counts(node, campaign)
        assert sum(counts(node, campaign).values()) == records
        [settled, *_] = called(node.results(campaign))
        assert settled.status is expected
        words = [word for _, _, source, word in settled.history if source == "callback"]
        assert words == [str(status) for status in told], "late news is kept, too"
        world.run_maintenance(node, until=world.clock.time() + 80 * HOUR)
        assert world.queue.tasks == [], "everything ends"

    run_in(world.clock, scenario)


def test_what_ended_as_unknown_and_stays_so_is_looked_after_for_three_days(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node(callbacks=True, capabilities=NO_PULL)
        world.network.fate[number(0)].append("lost")
        campaign = send(world, node, 1)
        assert world.run_maintenance(node, until=world.clock.time() + 80 * HOUR) < 60, "ever more seldom"
        assert counts(node, campaign) == {"unknown": 1}
        assert state(node, campaign) is CampaignState.DONE
        assert world.queue.tasks == []

    run_in(world.clock, scenario)


def test_an_outcome_nobody_can_look_into_ends_after_three_days(world: CampaignWorld) -> None:
    """The list can't be read: that closes nothing, and it is asked for ever more seldom."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        world.network.fate[number(0)].append("lost before")
        node.provider.list_error = NotSent("the answer was 503")
        campaign = send(world, node, 1)
        world.run_maintenance(node, until=world.clock.time() + 24 * HOUR)
        [record] = called(node.results(campaign))
        assert (record.status, record.final) == (MessageStatus.UNKNOWN, False)
        world.run_maintenance(node, until=world.clock.time() + 80 * HOUR)
        assert counts(node, campaign) == {"expired": 1}
        assert len(node.provider.calls) < 120
        assert world.queue.tasks == []

    run_in(world.clock, scenario)


# --- without --------------------------------------------------------------------------------------------------------------


def test_whatever_is_open_is_asked_for_in_batches(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        world.network.delivered_after = 15.0
        campaign = send(world, node, 500)
        world.run_maintenance(node, until=world.clock.time() + 60)
        assert counts(node, campaign) == {"delivered": 500}
        assert state(node, campaign) is CampaignState.DONE
        questions = Counter(name for _, name in node.provider.calls if name != "send")
        assert questions.total() <= 50, "one answers for up to a thousand"

    run_in(world.clock, scenario)


def test_attempts_are_used_up_and_the_campaign_is_done(world: CampaignWorld) -> None:
    """With the current status, not final; a later callback still counts."""

    def scenario() -> None:
        node = world.node(callbacks=True)
        campaign = send(world, node, 30, tracking=Tracking(10.0, 3))
        world.run_maintenance(node, until=world.clock.time() + 60)
        assert state(node, campaign) is CampaignState.DONE
        records = called(node.results(campaign))
        assert {(record.status, record.attempts, record.final) for record in records} == {
            (MessageStatus.QUEUED, 3, False)
        }
        asked = len(node.provider.calls)
        world.tell(records[4].id, MessageStatus.DELIVERED)
        world.run_maintenance(node, until=world.clock.time() + 2 * HOUR)
        assert counts(node, campaign) == {"queued": 29, "delivered": 1}
        assert state(node, campaign) is CampaignState.DONE
        assert len(node.provider.calls) == asked, "late news is waited for, not asked for"

    run_in(world.clock, scenario)


def test_everything_ends(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = send(world, node, 30, tracking=Tracking(600.0, 2))
        world.run_maintenance(node, until=world.clock.time() + 73 * HOUR)
        assert counts(node, campaign) == {"expired": 30}
        records = called(node.results(campaign))
        assert all("no update since queued" in record.history[-1][3] for record in records)
        assert world.queue.tasks == []

    run_in(world.clock, scenario)


def test_what_is_sent_later_is_kept_and_ends_three_days_after_that(world: CampaignWorld) -> None:
    def scenario() -> None:
        node, later = world.node(callbacks=True), world.clock.time() + 35 * 24 * HOUR
        campaign = send(world, node, 30, send_at=datetime.fromtimestamp(later, UTC))
        rounds = world.run_maintenance(node, until=later + HOUR)
        assert counts(node, campaign) == {"queued": 30}
        assert rounds < 20, "nothing is looked for before it is sent"
        world.tell(called(node.results(campaign))[4].id, MessageStatus.DELIVERED)
        world.run_maintenance(node, until=later + 73 * HOUR)
        assert counts(node, campaign) == {"expired": 29, "delivered": 1}
        assert world.queue.tasks == []

    run_in(world.clock, scenario)


@pytest.mark.parametrize("callbacks", [False, True])
def test_a_campaign_for_later_runs_until_its_messages_were_sent_and_asked_for(
    world: CampaignWorld, callbacks: bool
) -> None:
    def scenario() -> None:
        node, later = world.node(callbacks=callbacks), world.clock.time() + HOUR
        campaign = send(world, node, 30, send_at=datetime.fromtimestamp(later, UTC), tracking=Tracking(10.0, 6))
        world.run_maintenance(node, until=later + 9)
        assert {name for _, name in node.provider.calls} == {"send"}
        assert state(node, campaign) is CampaignState.RUNNING
        world.network.stored[3].status = MessageStatus.DELIVERED
        world.run_maintenance(node, until=later + 90)
        assert counts(node, campaign) == {"delivered": 1, "queued": 29}
        assert {record.attempts for record in called(node.results(campaign)) if not record.final} == {6}
        assert state(node, campaign) is CampaignState.DONE

    run_in(world.clock, scenario)


def test_a_campaign_for_later_can_be_canceled_while_it_waits(world: CampaignWorld) -> None:
    def scenario() -> None:
        node, later = world.node(), world.clock.time() + HOUR
        campaign = send(world, node, 30, send_at=datetime.fromtimestamp(later, UTC))
        world.run_maintenance(node, until=later - 60)
        node.engine.campaigns.cancel(campaign)
        world.network.stored[3].status = MessageStatus.DELIVERED
        world.run_maintenance(node, until=later + 90)
        assert counts(node, campaign) == {"delivered": 1, "queued": 29}, "what the provider has is its own business"
        assert state(node, campaign) is CampaignState.CANCELED

    run_in(world.clock, scenario)


def test_no_attempts_means_no_question(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = send(world, node, 30, tracking=Tracking(10.0, 0))
        world.run_maintenance(node, until=world.clock.time() + 30)
        assert state(node, campaign) is CampaignState.DONE
        assert {name for _, name in node.provider.calls} == {"send"}

    run_in(world.clock, scenario)


def test_messages_outside_of_campaigns_are_followed_too(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        world.network.delivered_after = 5.0
        drafts = [Draft(index, number(index), SENDER, "Hello", measure("Hello")) for index in range(5)]
        records = node.engine.sender.send(SendRequest(drafts, SendOptions(SENDER), "n", "req_1"))
        assert {record.status for record in records} == {MessageStatus.QUEUED}
        world.run_maintenance(node, until=world.clock.time() + 40)
        assert {node.engine.messages.get(r.id).status for r in records} == {MessageStatus.DELIVERED}
        assert [name for _, name in node.provider.calls].count("list") == 1
        assert world.queue.tasks == []

    run_in(world.clock, scenario)


def test_a_message_whose_node_died_is_looked_into(world: CampaignWorld) -> None:
    """Nobody asks with its key again: the round that was planned before the call finds it."""
    fate = Fate()
    drafts = [Draft(0, number(0), SENDER, "Hello", measure("Hello"))]

    def dying() -> None:
        node = world.node(fate=fate)
        fate.die_at = 40
        fate.names.clear()
        with suppress(Killed):
            for _ in range(50):
                node.engine.sender.send(SendRequest(drafts, SendOptions(SENDER), f"n{fate.steps}", "req_1"))

    run_in(world.clock, dying)

    def later() -> None:
        node = world.node()
        world.network.delivered_after = 1.0
        world.run_maintenance(node, until=world.clock.time() + 2 * HOUR)
        for stored in world.network.stored:
            assert node.engine.messages.get(stored.message.id).status is MessageStatus.DELIVERED

    run_in(world.clock, later)


# --- rounds -------------------------------------------------------------------------------------------------------------


def test_one_round_at_a_time(world: CampaignWorld) -> None:
    def scenario() -> None:
        other = world.node()
        met: list[bool] = []
        fate = Fate(meanwhile=partial(Context().run, lambda: met.append(other.engine.maintenance.run_maintenance())))
        node = world.node(fate=fate)
        send(world, node, 30)
        world.clock.sleep(20.0)
        fate.pause_at = fate.steps + 10
        assert node.engine.maintenance.run_maintenance()
        assert met == [False]

    run_in(world.clock, scenario)


def test_a_round_whose_node_died_is_done_by_the_next(world: CampaignWorld) -> None:
    """Its claim holds as long as its lease; its task comes again."""

    def prepare() -> str:
        node = world.node()
        world.network.delivered_after = 0.0
        campaign = send(world, node, 30)
        world.clock.sleep(20.0)
        return campaign

    campaign: str = run_in(world.clock, prepare)
    fate = Fate(die_at=12)
    dying = world.node(fate=fate)
    with suppress(Killed):
        run_in(world.clock, dying.engine.maintenance.run_maintenance)

    def scenario() -> None:
        node = world.node()
        assert not node.engine.maintenance.run_maintenance()
        world.clock.sleep(world.policy.lease_seconds + world.policy.clock_skew + 1)
        assert node.engine.maintenance.run_maintenance()
        assert counts(node, campaign) == {"delivered": 30}

    run_in(world.clock, scenario)


def test_a_round_that_fails_leaves_the_next_one_free(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        send(world, node, 3)
        world.clock.sleep(20.0)
        node.fate.fail_at = node.fate.steps + 6
        with suppress(LedgerUnavailable):
            node.engine.maintenance.run_maintenance()
        [document] = world.ledger.get(STATE, [DOCUMENT])
        assert document is None or document.data["holder"] == ""

    run_in(world.clock, scenario)


# --- creations ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("callbacks", [False, True])
def test_a_creation_that_died_leaves_nothing_or_everything(world: CampaignWorld, callbacks: bool) -> None:
    """At every step: after a while the campaign is gone with all its parts, or it runs and every chunk has its task."""
    steps = Fate()
    run_in(world.clock, lambda: world.node(fate=steps).take(accepted(index) for index in range(5000)))
    for step in range(1, steps.steps + 1):
        each = CampaignWorld(ThreadedClock())
        dying = each.node(fate=Fate(die_at=step))
        with suppress(Killed):
            run_in(each.clock, lambda dying=dying: dying.take(accepted(index) for index in range(5000)))

        def look(each: CampaignWorld = each) -> None:
            node = each.node(callbacks=callbacks)
            each.run_each_minute(node, until=each.clock.time() + 300)
            campaigns = each.ledger.find(Query(CAMPAIGNS))
            parts = each.ledger.count(Query(CHUNKS)) + each.ledger.count(Query(PROGRESS))
            if not campaigns:
                assert parts == 0
                return
            assert (campaigns[0].data["state"], campaigns[0].data["holder"], parts) == ("running", "", 40)
            chunks = {task["chunk"] for task in each.chunk_tasks()}
            assert chunks == set(range(20))

        run_in(each.clock, look)


def test_an_intake_that_is_only_slow_is_left_alone(world: CampaignWorld) -> None:
    def scenario() -> None:
        node, other = world.node(), world.node()

        def slowly() -> Iterator[Record]:
            for index in range(600):
                if index == 500:
                    world.clock.sleep(200.0)
                yield accepted(index)

        def ticking() -> str:
            world.clock.sleep(90.0)
            return str(world.run_maintenance(other, until=world.clock.time() + 60))

        campaign, _ = world.clock.run(lambda: node.take(slowly()).id, ticking)
        assert state(node, campaign) is CampaignState.RUNNING
        assert world.ledger.count(Query(CHUNKS)) == 3

    run_in(world.clock, scenario)


def test_an_empty_round_plans_nothing(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        world.ledger.commit([Write(STATE, "node:gone", {"leaseUntil": 0.0})])
        assert node.engine.maintenance.run_maintenance()
        assert world.queue.tasks == []

    run_in(world.clock, scenario)
