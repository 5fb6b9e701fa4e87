"""Carrying out a request's calls: every record its own outcome, as many threads as it takes, no turn lost to the ledger."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from sms_connector.errors import Conflict, ErrorKind, LedgerUnavailable, Throttled
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.send_request import OnUnknown
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Capabilities, SendOutcome
from sms_connector.rate_limit.start_schedule import BURST_MARGIN, PACE_MARGIN, WINDOW
from sms_connector.sending.idempotency import message_id
from sms_connector.store.message_record import Phase
from sms_connector.transport.http import Lane, Written
from tests.fixtures.fake_provider import MANY_TEXTS, NO_LIST, NO_PULL, ONE_BY_ONE, SAME_TEXT
from tests.fixtures.nodes import NoHelpers, World, draft, number

S = MessageStatus
SPACING = (WINDOW + PACE_MARGIN) / 25


# --- outcomes ---------------------------------------------------------------------------------------------------------

FATES = ["refused", "not sent", "lost before", "lost", "opted out", "no secret", "retried", "short answer"]
EXPECTED = {
    "refused": (S.ERROR, ErrorKind.INVALID_RECIPIENT, 0),
    "not sent": (S.ERROR, ErrorKind.RATE_LIMITED, 0),
    "no secret": (S.ERROR, ErrorKind.AUTHENTICATION, 0),
    "opted out": (S.ERROR, ErrorKind.OPTED_OUT, 0),
    "lost before": (S.UNKNOWN, ErrorKind.UNKNOWN_OUTCOME, 0),
    "lost": (S.QUEUED, None, 1),  # found in the provider's list
    "short answer": (S.QUEUED, None, 1),
    "retried": (S.QUEUED, None, 1),
}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("threads", [False, True], ids=["alone", "threads"])
def test_one_bad_record_stops_no_other(world: World, fate: str, threads: bool) -> None:
    node = world.node(executor=None if threads else NoHelpers(1))
    world.network.fate[number(3)].append(fate)
    world.network.takes = 0.1
    [records] = world.clock.run(lambda: node.send([draft(i) for i in range(40)]))
    status, kind, sent = EXPECTED[fate]
    assert [record.status for record in records] == [S.QUEUED] * 3 + [status] + [S.QUEUED] * 36
    assert (records[3].failure.kind if records[3].failure else None) == kind
    assert len(world.network.of(records[3].id)) == sent
    assert [world.record(record.id) for record in records] == records, "what is answered is what is kept"
    assert node.throttle.state().queued == 0


@pytest.mark.parametrize("capabilities", [SAME_TEXT, MANY_TEXTS], ids=["one text a call", "several texts a call"])
def test_every_recipient_of_a_call_has_its_own_outcome(world: World, capabilities: Capabilities) -> None:
    node = world.node(capabilities=capabilities)
    world.network.fate[number(7)].append("refused")
    node.opt_outs.put(number(2), "api")
    texts = ["Hello", "Good bye"]
    [records] = world.clock.run(lambda: node.send([draft(i, text=texts[i % 2]) for i in range(250)]))
    assert Counter(str(record.status) for record in records) == {"queued": 248, "error": 2}
    assert [record.index for record in records] == list(range(250))
    calls = len(node.provider.starts("send"))
    assert calls == (4 if capabilities is SAME_TEXT else 25)
    assert node.throttle.state().queued == 0


@pytest.mark.parametrize(("capabilities", "calls"), [(SAME_TEXT, 2), (MANY_TEXTS, 1), (ONE_BY_ONE, 6)])
def test_each_message_goes_out_from_its_own_sender(world: World, capabilities: Capabilities, calls: int) -> None:
    node, senders = world.node(capabilities=capabilities), ["+15551234567", "ACME"]
    drafts = [draft(i, text="Hello", sender=senders[i % 2]) for i in range(6)]
    [records] = world.clock.run(lambda: node.send(drafts))
    assert [record.sender for record in records] == senders * 3
    assert [world.record(record.id).sender for record in records] == senders * 3
    sent = {stored.message.id: stored.message.sender for stored in world.network.stored}
    assert [sent[record.id] for record in records] == senders * 3
    assert len(node.provider.starts("send")) == calls


def test_many_recipients_a_call_are_written_in_commits_that_fit(world: World) -> None:
    """A block of calls of a hundred recipients each holds more documents than a commit takes."""
    node = world.node(capabilities=SAME_TEXT, rate=None)
    [records] = world.clock.run(lambda: node.send([draft(i, text="Hello", key=f"k{i}") for i in range(1000)]))
    assert {record.status for record in records} == {S.QUEUED}


@pytest.mark.parametrize("capabilities", [NO_LIST, NO_PULL], ids=["no list", "no pull at all"])
def test_where_nobody_can_be_asked_it_stays_unknown_with_evidence(world: World, capabilities: Capabilities) -> None:
    node = world.node(capabilities=capabilities)
    world.network.fate[number(0)].append("lost")
    [record] = node.send([draft(0)])
    assert (record.status, record.final) == (S.UNKNOWN, False)
    assert record.evidence == ["no answer within 15 s", "the provider has no list of messages"]


# --- consent ----------------------------------------------------------------------------------------------------------


def test_an_opted_out_recipient_is_not_called(world: World) -> None:
    node = world.node()
    node.opt_outs.put(number(1), "inbound", "STOP")
    records = node.send([draft(0), draft(1)])
    assert [record.status for record in records] == [S.QUEUED, S.ERROR]
    assert len(node.provider.calls) == 1
    assert world.record(records[1].id).failure == records[1].failure
    assert records[1].failure is not None
    assert records[1].failure.kind is ErrorKind.OPTED_OUT


def test_consent_is_looked_at_when_the_turn_is_near_and_not_when_the_request_comes(world: World) -> None:
    """Somebody opts out while the request waits in the line."""
    node = world.node()

    def opt_out() -> None:
        world.clock.sleep(5.0)
        world.node().opt_outs.put(number(200), "inbound", "STOP")

    records = world.clock.run_beside(lambda: node.send([draft(i) for i in range(201)]), opt_out)
    assert records[200].status is S.ERROR
    assert not world.network.of(records[200].id)


def test_the_providers_own_refusal_is_remembered(world: World) -> None:
    node = world.node()
    world.network.fate[number(0)].append("opted out")
    node.send([draft(0)], nonce="first")
    [record] = node.send([draft(0)], nonce="second")
    assert len(node.provider.calls) == 1
    assert (record.failure.source if record.failure else None) == "connector"
    opt_out = node.opt_outs.get(number(0))
    assert opt_out is not None
    assert (opt_out.last.source, opt_out.last.reason) == ("provider", "refused with 21610")


def test_a_recipient_who_opts_out_is_not_sent_to_again(world: World) -> None:
    node = world.node()
    world.network.fate[number(0)].append("lost before")

    def opt_out() -> None:
        world.clock.sleep(2.0)
        world.node().opt_outs.put(number(0), "inbound", "STOP")

    [record] = world.clock.run_beside(lambda: node.send([draft(0)], on_unknown=OnUnknown.RESEND), opt_out)
    assert len(node.provider.starts("send")) == 1
    assert record.status is S.UNKNOWN


# --- at least once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fates", "sends", "status"),
    [
        pytest.param(["lost"], 1, S.QUEUED, id="the list shows it: never again"),
        pytest.param(["lost before"], 2, S.QUEUED, id="the list does not: again"),
        pytest.param(["lost before", "lost"], 2, S.QUEUED, id="the second is found"),
        pytest.param(["lost before", "lost before", "lost before", "lost before"], 3, S.UNKNOWN, id="at most so often"),
        pytest.param(["lost before", "not sent", "not sent"], 3, S.UNKNOWN, id="a repetition that fails says nothing"),
        pytest.param(["lost before", "refused"], 2, S.ERROR, id="a refusal of the repetition is the outcome"),
        pytest.param(["refused"], 1, S.ERROR, id="what is refused is not repeated"),
        pytest.param(["not sent"], 1, S.ERROR, id="nor what was not sent"),
    ],
)
def test_resend(world: World, fates: list[str], sends: int, status: MessageStatus) -> None:
    node = world.node()
    world.network.fate[number(0)].extend(fates)
    [record] = node.send([draft(0)], on_unknown=OnUnknown.RESEND)
    assert (len(node.provider.starts("send")), record.status) == (sends, status)
    assert len(world.network.stored) <= 1
    assert world.record(record.id) == record


def test_a_list_that_shows_it_late_is_given_time(world: World) -> None:
    node = world.node()
    world.network.fate[number(0)].append("lost")
    inner = node.provider.list_reports

    def late(query: object, page: str | None = None) -> object:
        answer = inner(query, page)  # type: ignore[arg-type]
        old = [r for r in answer.reports if r.created_at and r.created_at.timestamp() + 3 < world.clock.time()]
        return type(answer)(old, answer.next_page)

    node.provider.list_reports = late  # type: ignore[assignment,method-assign]
    [record] = node.send([draft(0)], on_unknown=OnUnknown.RESEND)
    assert (len(world.network.stored), record.status) == (1, S.QUEUED)


def test_a_list_that_cannot_be_read_is_no_reason_to_send_again(world: World) -> None:
    from sms_connector.errors import NotSent

    node = world.node()
    world.network.fate[number(0)].append("lost")
    node.provider.list_error = NotSent("the answer was 503")
    [record] = node.send([draft(0)], on_unknown=OnUnknown.RESEND)
    assert (len(world.network.stored), record.status) == (1, S.UNKNOWN)


def test_without_a_list_at_least_once_means_again(world: World) -> None:
    node = world.node(capabilities=NO_PULL)
    world.network.fate[number(0)].append("lost")
    [record] = node.send([draft(0)], on_unknown=OnUnknown.RESEND)
    assert (len(world.network.stored), record.status, record.provider_message_id) == (2, S.QUEUED, "SM000002")


def test_a_full_queue_does_not_stop_a_repetition_after_the_first_calls(world: World) -> None:
    """Refusing the request as a whole would be a lie: some of it is sent, and its key would be forgotten."""
    node = world.node()
    world.network.fate[number(0)].append("lost before")

    def crowd() -> None:
        world.clock.sleep(1.0)
        node.send([draft(i) for i in range(1000)], nonce="crowd")

    [record] = world.clock.run_beside(lambda: node.send([draft(0)], on_unknown=OnUnknown.RESEND), crowd)
    assert record.status is S.QUEUED


# --- threads and turns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("takes", [0.0, 0.05, 1.0, 4.0])
@pytest.mark.parametrize("ledger", [0.0, 0.005, 0.1])
def test_no_turn_is_lost_to_a_slow_provider_or_a_slow_ledger(world: World, takes: float, ledger: float) -> None:
    node = world.node()
    node.lease.name()
    world.network.takes, node.ledger.slow = takes, ledger
    records = 300
    world.clock.run(lambda: node.send([draft(i) for i in range(records)]))
    starts = node.provider.starts("send")
    assert starts[-1] - starts[0] == pytest.approx(WINDOW + BURST_MARGIN + (records - 26) * SPACING, abs=SPACING)
    assert all(later - earlier > 1.0 for earlier, later in zip(starts, starts[25:], strict=False))


@pytest.mark.parametrize(
    ("takes", "least", "most"),
    [(0.0, 1, 27), (0.02, 1, 30), (1.0, 25, 32), (4.0, 100, 110)],
    ids=["at once", "fast", "a second", "four seconds"],
)
def test_as_many_threads_as_the_providers_slowness_takes(world: World, takes: float, least: int, most: int) -> None:
    node = world.node()
    world.network.takes = takes
    world.clock.run(lambda: node.send([draft(i) for i in range(300)]))
    threads = len(node.sender.context.executor._threads) + 1
    assert least <= threads <= most


def test_with_the_rate_lifted_a_few_threads_share_the_writes(world: World) -> None:
    node = world.node(rate=None)
    world.network.takes = 0.01
    world.clock.run(lambda: node.send([draft(i) for i in range(400)]))
    assert node.provider.busiest == world.policy.unpaced_calls
    assert node.fate.names.count("ledger.commit messages before") <= 2 * 400 / world.policy.block_size + 20


def test_a_request_does_not_wait_for_threads_that_are_busy_with_another(world: World) -> None:
    """All the node's threads hang in calls of one request; another one is answered all the same."""
    node = world.node(rate=200)
    ended: dict[str, float] = {}
    world.network.takes = 20.0

    def slow() -> None:
        node.send([draft(i) for i in range(400)], nonce="slow")
        ended["slow"] = world.clock.now

    def quick() -> None:
        world.clock.sleep(1.5)
        node.send([draft(900)], nonce="quick")
        ended["quick"] = world.clock.now

    start = world.clock.now
    world.clock.run(slow, quick)
    assert ended["quick"] - start < 1.5 + 20.0 + 1.0


def test_intents_are_written_shortly_before_their_calls(world: World) -> None:
    node = world.node()
    world.network.takes = 0.05
    ahead: list[int] = []

    def watch() -> None:
        for _ in range(100):
            world.clock.sleep(0.07)
            found = world.store.get([message_id("nonce", i) for i in range(250)])
            ahead.append(sum(record is not None and record.phase == Phase.CALLING for record in found))

    world.clock.run_beside(lambda: node.send([draft(i) for i in range(250)]), watch)
    assert max(ahead[20:]) <= 5 + 2 + 2  # a block, the rest of the one before, and what is being called


def test_a_request_far_back_in_the_line_has_written_nothing(world: World) -> None:
    node = world.node()

    def later() -> bool:
        world.clock.sleep(0.1)
        node.send([draft(900), draft(901)], nonce="later")
        return True

    def look() -> bool:
        world.clock.sleep(6.0)
        return world.store.get([message_id("later", 900)]) == [None]

    answers = world.clock.run(lambda: bool(node.send([draft(i) for i in range(200)])), later, look)
    assert answers == [True, True, True]


def test_what_is_not_needed_makes_room_in_the_line(world: World) -> None:
    """A request whose records were all sent before gives its turns back at once."""
    node = world.node(executor=NoHelpers(1))
    node.send([draft(i) for i in range(30)])
    began = world.clock.now
    records = node.send([draft(i) for i in range(30)])
    assert world.clock.now - began < 0.5
    assert {record.status for record in records} == {S.QUEUED}
    assert len(world.network.stored) == 30


def test_a_throttled_request_leaves_nothing_behind(world: World) -> None:
    node = world.node(queue_limit=0.0)
    with node.throttle.reservation(100), pytest.raises(Throttled):
        node.send([draft(0), draft(1)])
    assert world.store.get([message_id("nonce", 0)]) == [None]
    assert node.provider.calls == []


# --- when it breaks ---------------------------------------------------------------------------------------------------


def test_a_room_with_a_fault_ends_the_request_and_keeps_what_is_known(world: World) -> None:
    """An adapter's own mistake: the request fails; what was called before keeps its outcome."""
    node = world.node()
    world.network.takes = 0.3
    inner = node.provider.send

    def send(messages: list[OutboundMessage], before_attempt: BeforeAttempt | None = None) -> list[SendOutcome]:
        if messages[0].to == number(20):
            raise KeyError("sid")
        return list(inner(messages, before_attempt))

    node.provider.send = send  # type: ignore[assignment,method-assign]
    with pytest.raises(KeyError, match="sid"):
        world.clock.run(lambda: node.send([draft(i) for i in range(100)]))
    for stored in world.network.stored:
        assert world.record(stored.message.id).provider_message_id == stored.id
    assert len(world.network.stored) < 100
    assert node.throttle.state().queued == 0


def test_a_conflict_that_no_message_explains_ends_the_request(world: World) -> None:
    """A campaign's block that another worker writes: to try again for ever would help nobody."""
    node = world.node()

    def create(records: object) -> None:
        raise Conflict("blocks", "somebody else's")

    node.store.create = create  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="somebody else's"):
        node.send([draft(0)])
    assert world.network.stored == []


@pytest.mark.parametrize("failing", [3, 10, 25])
def test_calls_in_flight_keep_their_outcomes_when_a_write_fails(world: World, failing: int) -> None:
    """The request fails, but only after every call has come back and its outcome is written, if the ledger lets us."""
    node = world.node()
    world.network.takes = 0.5
    seen: list[str] = []
    inner = node.ledger.commit

    def commit(writes: object) -> object:
        seen.append("commit")
        if len(seen) == failing:
            raise OSError("once")
        return inner(writes)  # type: ignore[arg-type]

    node.ledger.commit = commit  # type: ignore[assignment,method-assign]
    with pytest.raises(OSError, match="once"):
        world.clock.run(lambda: node.send([draft(i) for i in range(100)]))
    for stored in world.network.stored:
        assert world.record(stored.message.id).provider_message_id == stored.id


def test_a_share_of_the_rate_that_the_ledger_did_not_give_is_no_messages_outcome(world: World) -> None:
    """The gate in front of every call may need the ledger: the request breaks off, and what was not called stays open."""
    node = world.node()
    turn, calls = node.throttle.wait_turn, count()

    def gate(lane: Lane, before_attempt: BeforeAttempt | None = None, /) -> Written:
        if next(calls) >= 2:  # by number: two threads may pass before either call is stored
            raise LedgerUnavailable
        return turn(lane, before_attempt)

    node.provider._gate = gate
    with pytest.raises(LedgerUnavailable):
        world.clock.run(lambda: node.send([draft(i) for i in range(4)]))
    records = [world.record(stored.message.id) for stored in world.network.stored]
    assert [record.status for record in records] == [S.QUEUED] * 2
    left = [record for record in world.store.get([message_id("nonce", i) for i in range(4)]) if record not in records]
    assert {record.phase for record in left if record is not None} == {Phase.CALLING}


def test_capabilities_are_asked_and_never_the_name() -> None:
    """No subject branches on a provider's name: it is for people only."""
    import ast
    from pathlib import Path

    import sms_connector

    package = Path(sms_connector.__path__[0])
    subjects = ("sending", "tracking", "campaigns", "callbacks", "notifications", "rate_limit", "store")
    paths = [path for subject in subjects for path in (package / subject).rglob("*.py")]
    for path in (*paths, package / "engine.py", package / "maintenance.py", package / "connection_control.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                assert "provider.name" not in ast.unparse(node), path.name
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in ("twilio", "azure", "infobip", "link", "telesign", "vibes"), path.name


def test_the_default_capabilities_send_one_by_one() -> None:
    assert ONE_BY_ONE.recipients_per_call == 1
