"""A worker carries a chunk out: every record once, at the node's rate, for as long as it may go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.campaigns.chunk import AcceptedRecord
from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.errors import ErrorKind
from sms_connector.local.ledger import SqliteLedger
from sms_connector.model.send_request import MessageFilter, OnUnknown
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Capabilities
from sms_connector.store.campaign_record import PROGRESS, CampaignState, Progress, chunk_id
from sms_connector.store.node_lease import NodeLease
from tests.fixtures.campaign_world import CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import MANY_TEXTS, NO_LIST, NO_PULL, ONE_BY_ONE, SAME_TEXT


@pytest.fixture
def clock() -> ThreadedClock:
    return ThreadedClock()


@pytest.fixture(params=["memory", "sqlite"])
def world(clock: ThreadedClock, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CampaignWorld]:
    made = CampaignWorld(clock)
    if request.param == "memory":
        yield made
        return
    ledger = SqliteLedger(tmp_path / "ledger.db", clock=clock)
    made.ledger = ledger
    yield made
    ledger.close()


def statuses(node: Node, campaign: str) -> Counter[str]:
    return Counter(str(record.status) for record in called(node.results(campaign)))


def sent_once(world: CampaignWorld) -> bool:
    return max(Counter(stored.message.id for stored in world.network.stored).values(), default=0) <= 1


@pytest.mark.parametrize(
    ("capabilities", "records", "calls"),
    [
        pytest.param(ONE_BY_ONE, 600, 600, id="a call a message, three chunks"),
        pytest.param(ONE_BY_ONE, 1, 1, id="a single record"),
        pytest.param(MANY_TEXTS, 260, 26, id="ten messages a call"),
        pytest.param(SAME_TEXT, 30, 30, id="a call a text, and all texts differ"),
        pytest.param(NO_LIST, 25, 25, id="a provider without a list, exactly one block"),
    ],
)
def test_every_record_is_sent_once(world: CampaignWorld, capabilities: Capabilities, records: int, calls: int) -> None:
    def scenario() -> None:
        node = world.node(capabilities=capabilities)
        campaign = node.take(accepted(index) for index in range(records))
        assert set(world.run_chunks(node)) == {Attempt.SENT}
        results = called(node.results(campaign.id))
        assert [record.index for record in results] == list(range(records))
        assert [record.to for record in results] == [number(index) for index in range(records)]
        assert {str(record.status) for record in results} == {"queued"}
        assert [stored.message.text for stored in world.network.of(results[0].id)] == ["Hello name 0"]
        assert len(node.provider.starts("send")) == calls
        assert len(world.network.stored) == records
        assert sent_once(world)

    run_in(world.clock, scenario)


def test_the_nodes_rate_holds(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node(rate=10)
        node.take(accepted(index) for index in range(100))
        world.run_chunks(node)
        starts = node.provider.starts("send")
        assert all(later - earlier >= 1.0 for earlier, later in zip(starts, starts[10:], strict=False))
        assert starts[-1] - starts[0] < 10.0

    run_in(world.clock, scenario)


# --- stopping -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stop:
    reason: str
    act: Callable[[Node, str], Any]
    undo: Callable[[Node, str], Any] | None
    ended: Attempt = Attempt.STOPPED


STOPS = [
    Stop("paused", lambda n, c: n.engine.campaigns.pause(c, "why"), lambda n, c: n.engine.campaigns.resume(c)),
    Stop("canceled", lambda n, c: n.engine.campaigns.cancel(c), None),
    Stop("suspended", lambda n, c: n.engine.connection.suspend(), lambda n, c: resume_connection(n), Attempt.AGAIN),
]


def resume_connection(node: Node) -> None:
    """As the API does."""
    node.engine.connection.resume()
    node.engine.campaigns.release()


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.reason)
@pytest.mark.parametrize("rate", [25, 2])
def test_it_stops_within_seconds_and_loses_nothing(world: CampaignWorld, stop: Stop, rate: int) -> None:
    def scenario() -> None:
        node, other = world.node(rate=rate), world.node()
        campaign = node.take(accepted(index) for index in range(100))
        [task] = world.chunk_tasks()
        stopped_at: list[float] = []

        def stopping() -> Attempt:
            world.clock.sleep(2.0)
            stop.act(other, campaign.id)
            stopped_at.append(world.clock.time())
            return Attempt.SENT

        ended = world.clock.run(lambda: node.run(task), stopping)[0]
        assert ended is stop.ended
        assert node.provider.starts("send")[-1] <= stopped_at[0] + (2.0 if rate == 25 else 4.0)
        before = len(world.network.stored)
        assert 0 < before < 100
        assert statuses(node, campaign.id) == {"queued": before}
        progress = node.engine.campaigns.get(campaign.id)
        assert sum(progress.counts.values()) + progress.waiting == 100
        if stop.undo is None:
            assert progress.counts == {"queued": before, "canceled": 100 - before}
            assert node.run(task) is Attempt.STOPPED
            assert len(world.network.stored) == before
        else:
            stop.undo(other, campaign.id)
            world.clock.sleep(2.0)
            assert set(world.run_chunks(other)) == {Attempt.SENT}
            assert len(world.network.stored) == 100
        assert sent_once(world)

    run_in(world.clock, scenario)


def test_a_chunk_of_a_halted_campaign_is_not_begun(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([accepted(0)])
        node.engine.campaigns.pause(campaign.id)
        assert world.run_chunks(node) == [Attempt.STOPPED]
        assert node.provider.calls == []

    run_in(world.clock, scenario)


# --- the provider -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["not sent", "queue full", "too fast"])
def test_a_provider_that_takes_nothing_ends_the_attempt_and_no_message(world: CampaignWorld, fate: str) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(60))
        world.network.fate[number(20)].extend([fate, fate])
        [task] = world.chunk_tasks()
        assert node.run(task) is Attempt.AGAIN
        begun = len(world.network.stored)
        assert 15 <= begun < 60
        assert node.engine.campaigns.get(campaign.id).waiting == 60 - begun
        assert node.run(task) is Attempt.AGAIN
        assert node.run(task) is Attempt.SENT
        assert statuses(node, campaign.id) == {"queued": 60}
        assert len(world.network.stored) == 60
        assert sent_once(world)

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        pytest.param("unknown account", "our credentials were refused: Authenticate (20003)", id="wrong secret"),
        pytest.param("no secret", "our credentials were refused: secret 'auth-token' is missing", id="no secret"),
        pytest.param("closed account", "the provider refused the account: Account not active (20005)", id="account"),
    ],
)
def test_what_somebody_has_to_mend_pauses_the_campaign(world: CampaignWorld, fate: str, said: str) -> None:
    """Trying again would bring the same answer for ever: the reason is there to read, and resuming goes on where it stopped."""

    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(300))
        world.network.fate[number(20)].append(fate)
        tasks = world.chunk_tasks()
        assert [node.run(task) for task in tasks] == [Attempt.STOPPED, Attempt.STOPPED]
        begun = len(world.network.stored)
        paused = node.engine.campaigns.get(campaign.id)
        assert paused.campaign.state is CampaignState.PAUSED
        assert (paused.campaign.state_reason or "").startswith(said)
        assert (paused.counts, paused.waiting) == ({"queued": begun}, 300 - begun)
        assert world.chunk_tasks() == [], "nothing is tried until somebody resumes"
        node.engine.campaigns.resume(campaign.id, "a new secret")
        assert set(world.run_chunks(node)) == {Attempt.SENT}
        assert statuses(node, campaign.id) == {"queued": 300}
        assert len(world.network.stored) == 300
        assert sent_once(world)

    run_in(world.clock, scenario)


def test_a_refusal_from_before_it_was_resumed_pauses_nothing(world: CampaignWorld) -> None:
    def scenario() -> None:
        node, other = world.node(), world.node()
        campaign = node.take(accepted(index) for index in range(60))
        world.network.fate[number(1)].append("unknown account")
        world.network.takes = 1.0
        [task] = world.chunk_tasks()

        def mending() -> Attempt:
            world.clock.sleep(0.5)
            other.engine.campaigns.pause(campaign.id)
            other.engine.campaigns.resume(campaign.id)
            return Attempt.SENT

        assert world.clock.run(lambda: node.run(task), mending)[0] is Attempt.AGAIN
        assert node.engine.campaigns.read(campaign.id).state is CampaignState.RUNNING
        assert set(world.run_chunks(node)) <= {Attempt.SENT, Attempt.AGAIN}
        assert statuses(node, campaign.id) == {"queued": 60}
        assert sent_once(world)

    run_in(world.clock, scenario)


def test_refusals_and_opt_outs_are_their_own_results(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(30))
        world.network.fate[number(1)].append("refused")
        world.network.fate[number(2)].append("opted out")
        node.engine.opt_outs.put(number(3), "api")
        node.engine.opt_outs.put(number(29), "api")
        assert world.run_chunks(node) == [Attempt.SENT]
        results = called(node.results(campaign.id))
        kinds = {record.index: record.failure.kind for record in results if record.failure is not None}
        assert kinds == {
            1: ErrorKind.INVALID_RECIPIENT,
            2: ErrorKind.OPTED_OUT,
            3: ErrorKind.OPTED_OUT,
            29: ErrorKind.OPTED_OUT,
        }
        assert number(3) not in {stored.message.to for stored in world.network.stored}
        assert node.engine.opt_outs.get(number(2)) is not None
        assert node.engine.campaigns.get(campaign.id).counts == {"queued": 26, "error": 4}

    run_in(world.clock, scenario)


@pytest.mark.parametrize("capabilities", [ONE_BY_ONE, NO_PULL])
def test_a_message_is_found_by_the_providers_id(world: CampaignWorld, capabilities: Capabilities) -> None:
    """By the ledger alone: nothing is asked of the provider."""

    def scenario() -> None:
        node = world.node(capabilities=capabilities)
        campaign = node.take(accepted(index) for index in range(300))
        world.run_chunks(node)
        wanted = called(node.results(campaign.id))[123]
        calls = len(node.provider.calls)
        listed, more = node.engine.messages.list(
            MessageFilter(provider_message_id=wanted.provider_message_id), limit=25
        )
        assert ([record.id for record in listed], more) == ([wanted.id], None)
        assert len(node.provider.calls) == calls
        unknown, _ = node.engine.messages.list(MessageFilter(provider_message_id="SM999999"), limit=25)
        assert unknown == []

    run_in(world.clock, scenario)


def test_consent_is_looked_at_immediately_before_the_call(world: CampaignWorld) -> None:
    """Intents are written for half a second of calls at once; whoever opts out in between is not called."""

    def scenario() -> None:
        node, other = world.node(rate=5), world.node()
        campaign = node.take(accepted(index) for index in range(40))
        [task] = world.chunk_tasks()

        def opting_out() -> Attempt:
            world.clock.sleep(3.0)
            other.engine.opt_outs.put(number(30), "inbound")
            return Attempt.SENT

        world.clock.run(lambda: node.run(task), opting_out)
        [refused] = [record for record in called(node.results(campaign.id)) if record.failure is not None]
        assert refused.index == 30
        assert len(world.network.stored) == 39

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    ("fate", "status"),
    [
        pytest.param("lost", MessageStatus.QUEUED, id="the provider has it: its list says so"),
        pytest.param("lost before", MessageStatus.UNKNOWN, id="it does not: never sent again"),
    ],
)
def test_an_unknown_outcome_is_looked_up(world: CampaignWorld, fate: str, status: MessageStatus) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(30))
        world.network.fate[number(7)].append(fate)
        assert world.run_chunks(node) == [Attempt.SENT]
        assert called(node.results(campaign.id))[7].status is status
        assert sent_once(world)

    run_in(world.clock, scenario)


def test_whoever_prefers_twice_to_never_gets_it(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([accepted(index) for index in range(30)], on_unknown=OnUnknown.RESEND)
        world.network.fate[number(7)].append("lost before")
        assert world.run_chunks(node) == [Attempt.SENT]
        record = called(node.results(campaign.id))[7]
        assert (record.status, record.resends) == (MessageStatus.QUEUED, 1)
        assert len(world.network.of(record.id)) == 1

    run_in(world.clock, scenario)


# --- keys ---------------------------------------------------------------------------------------------------------------


def test_a_records_key_holds_across_campaigns(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        first = node.take([accepted(0, key="a"), accepted(1)], nonce="first")
        world.run_chunks(node)
        second = node.take([accepted(0, key="a"), accepted(1, key="b")], nonce="second")
        assert world.run_chunks(node) == [Attempt.SENT]
        told, own = called(node.results(second.id))
        [sent, _] = called(node.results(first.id))
        assert told.provider_message_id == sent.provider_message_id
        assert told.status is MessageStatus.QUEUED
        assert any(sent.id in entry[3] for entry in told.history)
        assert own.provider_message_id != sent.provider_message_id
        assert len(world.network.stored) == 3

    run_in(world.clock, scenario)


def test_a_key_twice_in_a_campaign_sends_one_message(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        first = accepted(0, key="a")
        again = AcceptedRecord(2, first.to, first.values, 1, "GSM-7", "a")
        campaign = node.take([first, accepted(1, key="a"), again, accepted(3)])
        assert world.run_chunks(node) == [Attempt.SENT]
        results = called(node.results(campaign.id))
        failures = [record.failure.kind if record.failure else None for record in results]
        assert failures == [None, ErrorKind.KEY_REUSED, ErrorKind.IN_PROGRESS, None], (
            "another message, and the same one"
        )
        assert len(world.network.stored) == 2
        assert node.engine.campaigns.get(campaign.id).waiting == 0

    run_in(world.clock, scenario)


# --- several workers ----------------------------------------------------------------------------------------------------


def test_two_workers_on_one_chunk(world: CampaignWorld) -> None:
    def scenario() -> None:
        nodes = [world.node(), world.node()]
        campaign = nodes[0].take(accepted(index) for index in range(80))
        [task] = world.chunk_tasks()
        ended = world.clock.run(*[lambda node=node: node.run(task) for node in nodes])
        assert sorted(attempt.value for attempt in ended) == ["busy", "sent"]
        assert len(world.network.stored) == 80
        assert statuses(nodes[0], campaign.id) == {"queued": 80}

    run_in(world.clock, scenario)


def test_a_task_delivered_twice_to_one_node(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        node.take(accepted(index) for index in range(80))
        [task] = world.chunk_tasks()
        ended = world.clock.run(lambda: node.run(task), lambda: node.run(task))
        assert sorted(attempt.value for attempt in ended) == ["busy", "sent"]
        assert node.run(task) is Attempt.SENT
        assert len(world.network.stored) == 80

    run_in(world.clock, scenario)


def test_four_workers_on_a_campaign(world: CampaignWorld) -> None:
    def scenario() -> None:
        nodes = [world.node() for _ in range(4)]
        campaign = nodes[0].take(accepted(index) for index in range(1000))
        tasks = world.chunk_tasks()
        begun = world.clock.time()
        world.clock.run(*[lambda pair=pair: pair[0].run(pair[1]) for pair in zip(nodes, tasks, strict=True)])
        assert world.clock.time() - begun < 10.1, "four nodes, 25 a second each"
        assert statuses(nodes[0], campaign.id) == {"queued": 1000}
        assert sent_once(world)

    run_in(world.clock, scenario)


def test_a_worker_that_is_gone_is_taken_over_from_when_its_lease_has_ended(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take(accepted(index) for index in range(3))
        [task] = world.chunk_tasks()
        lease = NodeLease(world.ledger, clock=world.clock, policy=world.policy)
        with lease.held() as holder:
            leave_running(world, campaign.id, holder)
            assert node.run(task) is Attempt.BUSY
        world.clock.sleep(world.policy.lease_seconds + world.policy.clock_skew + 1)
        assert node.run(task) is Attempt.SENT

    run_in(world.clock, scenario)


def leave_running(world: CampaignWorld, campaign: str, holder: str) -> None:
    [document] = world.ledger.get(PROGRESS, [chunk_id(campaign, 0)])
    assert document is not None
    progress = replace(Progress.of(document), state="running", holder=holder)
    world.ledger.commit([progress.to_write(expires_at=world.clock.time() + 86_400)])
