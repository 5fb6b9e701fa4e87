"""Keys of requests and of records: the same key and the same thing is done once, whoever asks, however often, whatever dies."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind, KeyInProgress, LedgerUnavailable, PreconditionFailed, RetrySafety, Throttled
from sms_connector.model.status import MessageStatus
from sms_connector.sending.idempotency import Replay, Started, message_id
from sms_connector.store.message_record import MessageRecord
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.memory_ledger import Fate, Killed
from tests.fixtures.nodes import Node, NoHelpers, World, draft, number

DAY = 24 * 3600.0
ANSWER = b'{"results": []}'


def begin(node: Node, key: str = "key", digest: str = "digest") -> Started:
    begun = node.keys.begin(key, digest)
    assert isinstance(begun, Started)
    return begun


def test_the_same_request_gets_the_stored_answer(world: World) -> None:
    node, other = world.node(), world.node()
    node.keys.finish(begin(node), ANSWER, 207)
    assert other.keys.begin("key", "digest") == Replay(ANSWER, 207)


@given(answer=st.binary(max_size=2000))
def test_an_answer_comes_back_byte_by_byte(answer: bytes) -> None:
    node = World(ThreadedClock()).node()
    node.keys.finish(begin(node), answer, 200)
    assert node.keys.begin("key", "digest") == Replay(answer, 200)


def test_the_answer_to_a_thousand_records_fits_into_a_document(world: World) -> None:
    error = {"message": "The 'To' number is not a valid phone number: " + "x" * 400, "moreInfo": "https://example.com"}
    results = [{"index": i, "id": message_id("nonce", i), "to": number(i), "error": error} for i in range(1000)]
    answer = json.dumps(results).encode()
    node = world.node()
    node.keys.finish(begin(node), answer, 200)
    [document] = world.ledger.get("idempotencyKeys", [begin(node, "other").document_id])
    [stored] = [d for d in world.ledger._of("idempotencyKeys") if d.data["state"] == "done"]
    assert document is not None
    assert len(json.dumps(stored.data)) < 300_000


def test_another_request_with_the_same_key_is_refused(world: World) -> None:
    node = world.node()
    begin(node)
    with pytest.raises(PreconditionFailed) as refused:
        node.keys.begin("key", "another digest")
    assert refused.value.kind is ErrorKind.KEY_REUSED


def test_the_same_key_while_the_first_is_running(world: World) -> None:
    node = world.node()
    begin(node)
    for asking in (node, world.node()):
        with pytest.raises(KeyInProgress) as busy:
            asking.keys.begin("key", "digest")
        assert busy.value.retry_after == 2.0


@pytest.mark.parametrize(("age", "again"), [(DAY - 1, False), (DAY, True), (DAY * 1.5, True), (DAY * 3, True)])
def test_a_key_is_kept_for_a_day(world: World, age: float, again: bool) -> None:
    node = world.node()
    node.keys.finish(begin(node), ANSWER, 200)
    world.clock.now += age
    assert isinstance(node.keys.begin("key", "another digest" if again else "digest"), Started) == again


def test_a_request_that_was_refused_forgets_its_key(world: World) -> None:
    node = world.node()
    first = begin(node)
    node.keys.abandon(first)
    assert begin(node, digest="another digest").nonce != first.nonce


def test_a_request_carried_on_remembers_what_was_sent_before(world: World) -> None:
    """The first attempt has sent something and broke off; the second is refused before it sends (suspended, throttled)."""
    node = world.node()
    first = begin(node)
    node.keys.release(first)
    second = begin(node)
    node.keys.abandon(second)
    third = begin(node)
    assert first.nonce == second.nonce == third.nonce


def test_whoever_asks_after_a_dead_node_carries_on(world: World) -> None:
    dead, node = world.node(), world.node()
    first = begin(dead)
    dead.lease.leave()
    world.clock.now += world.policy.lease_seconds + world.policy.clock_skew + 0.1
    assert begin(node).nonce == first.nonce
    with pytest.raises(KeyInProgress):
        world.node().keys.begin("key", "digest")


def test_a_node_that_was_taken_for_dead_does_not_overwrite_the_answer(world: World) -> None:
    slow, node = world.node(), world.node()
    first = begin(slow)
    slow.lease.leave()
    slow.lease.enter()
    world.clock.now += 60
    node.keys.finish(begin(node), b"the second's", 200)
    slow.keys.finish(first, b"the first's", 200)
    assert node.keys.begin("key", "digest") == Replay(b"the second's", 200)


@pytest.mark.parametrize("expired", [False, True], ids=["new", "expired"])
def test_of_many_at_once_one_begins(expired: bool) -> None:
    world = World(ThreadedClock())
    if expired:
        first = world.node()
        first.keys.finish(begin(first), ANSWER, 200)
        world.clock.now += DAY + 1

    def attempt(node: Node) -> str:
        node.ledger.slow = 0.01
        try:
            return type(node.keys.begin("key", "digest")).__name__
        except KeyInProgress:
            return "busy"

    outcomes = world.clock.run(*[partial(attempt, world.node()) for _ in range(8)])
    assert sorted(outcomes) == ["Started"] + ["busy"] * 7


def test_of_many_that_carry_on_one_does() -> None:
    world = World(ThreadedClock())
    node = world.node()
    node.keys.release(begin(node))

    def attempt(node: Node) -> str:
        try:
            return type(node.keys.begin("key", "digest")).__name__
        except KeyInProgress:
            return "busy"

    outcomes = world.clock.run(*[partial(attempt, world.node()) for _ in range(8)])
    assert sorted(outcomes) == ["Started"] + ["busy"] * 7


def test_an_answer_that_could_not_be_kept_does_not_block_the_key_for_ever(world: World) -> None:
    """The ledger fails at the very end, and the node lives on and is busy: its lease must not keep the key in progress."""

    def story() -> str:
        node = world.node()
        with node.lease.held():
            begun = begin(node)
            node.fate.fail_at = node.fate.steps + 1
            with pytest.raises(LedgerUnavailable):
                node.keys.finish(begun, ANSWER, 200)
            for _ in range(20):
                world.clock.sleep(2.0)
                node.lease.name()
        return begin(node).nonce if begun.nonce else ""

    assert world.clock.run(story) != [""]


def test_a_key_whose_writing_was_not_confirmed_does_not_block_itself_for_ever(world: World) -> None:
    """It was written, and the answer lost: nobody carries it out, however busy the node stays."""

    def story() -> str:
        node = world.node()
        with node.lease.held():
            node.fate.fail_at = node.fate.steps + 2  # after the commit
            with pytest.raises(LedgerUnavailable):
                begin(node)
            assert node.fate.names[-1] == "ledger.commit idempotencyKeys after"
            for _ in range(20):
                world.clock.sleep(2.0)
                node.lease.name()
        return begin(node).nonce

    assert world.clock.run(story) != [""]


def test_refused_requests_hold_no_lease(world: World) -> None:
    node = world.node()
    node.keys.finish(begin(node), ANSWER, 200)
    node.keys.begin("key", "digest")
    with pytest.raises(PreconditionFailed):
        node.keys.begin("key", "other")
    assert node.lease._in_flight == 0


def test_a_throttled_request_with_a_key_may_come_again(world: World) -> None:
    node = world.node(queue_limit=0.0)
    with node.throttle.reservation(100), pytest.raises(Throttled):
        node.post("key", [draft(0), draft(1)])  # a single one would go before the hundred
    again = _records(world, node.post("key", [draft(0), draft(1)]))
    assert [record.status for record in again] == [MessageStatus.QUEUED] * 2


def _records(world: World, answer: list[MessageRecord] | Replay) -> list[MessageRecord]:
    assert not isinstance(answer, Replay)
    return answer


# --- keys of records --------------------------------------------------------------------------------------------------


def test_the_same_record_again_is_the_message_that_is_there(world: World) -> None:
    node = world.node()
    node.send([draft(0, key="a"), draft(1, key="b")], nonce="first")
    again = node.send([draft(5), draft(0, key="a"), draft(1, key="b")], nonce="second")
    assert [record.replayed for record in again] == [False, True, True]
    assert [record.id for record in again[1:]] == [message_id("first", 0), message_id("first", 1)]
    assert [record.index for record in again] == [5, 0, 1]
    assert len(world.network.stored) == 3


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(draft(0, text="Another text", key="a"), id="another text"),
        pytest.param(draft(0, to="+15558670099", key="a"), id="another recipient"),
    ],
)
def test_the_same_key_for_another_message_is_an_error_of_that_record(world: World, other: object) -> None:
    node = world.node()
    node.send([draft(0, key="a")], nonce="first")
    records = node.send([other, draft(1)], nonce="second")  # type: ignore[list-item]
    assert [record.status for record in records] == [MessageStatus.ERROR, MessageStatus.QUEUED]
    assert records[0].failure is not None
    assert records[0].failure.kind is ErrorKind.KEY_REUSED


def test_other_media_make_another_message(world: World) -> None:
    node = world.node()
    node.send([draft(0, key="a")], nonce="first", media_urls=("https://example.com/1.png",))
    [record] = node.send([draft(0, key="a")], nonce="second", media_urls=("https://example.com/2.png",))
    assert record.failure is not None
    assert record.failure.kind is ErrorKind.KEY_REUSED


def test_the_same_key_twice_in_one_request(world: World) -> None:
    """The API refuses it; a campaign's records may come like this."""
    node = world.node()
    records = node.send([draft(0, key="a"), draft(1, text="Hello 0", to=number(0), key="a")])
    assert len(world.network.stored) == 1
    assert records[1].status is MessageStatus.ERROR


def test_a_key_is_free_again_after_a_day(world: World) -> None:
    node = world.node()
    node.send([draft(0, key="a")], nonce="first")
    world.clock.now += DAY + 1
    [record] = node.send([draft(0, text="Another text", key="a")], nonce="second")
    assert (record.status, record.replayed) == (MessageStatus.QUEUED, False)


def test_a_node_that_dies_between_key_and_intent_has_sent_nothing() -> None:
    """Asked again without the request's key: while the node may live the record is in progress; after that it is sent."""
    steps = Fate()
    World(ThreadedClock()).node(fate=steps, executor=NoHelpers(1)).send([draft(0, key="a")])
    claimed = next(i for i, name in enumerate(steps.names, 1) if name == "ledger.commit idempotencyKeys after")
    world = World(ThreadedClock())
    with pytest.raises(Killed):
        world.node(fate=Fate(die_at=claimed), executor=NoHelpers(1)).send([draft(0, key="a")], nonce="first")
    [busy] = world.node().send([draft(0, key="a")], nonce="second")
    assert busy.failure is not None
    assert (busy.failure.kind, busy.failure.retry) == (ErrorKind.IN_PROGRESS, RetrySafety.SAFE)
    world.clock.now += 60
    [sent] = world.node().send([draft(0, key="a")], nonce="third")
    assert (sent.status, len(world.network.stored)) == (MessageStatus.QUEUED, 1)


def test_many_requests_with_the_same_record_at_once() -> None:
    world = World(ThreadedClock())
    world.network.takes = 0.2
    answers = world.clock.run(
        *[partial(world.node().send, [draft(0, key="a")], nonce=f"request-{i}") for i in range(6)]
    )
    assert len(world.network.stored) == 1
    told = [record.failure.kind for [record] in answers if record.failure is not None]
    assert set(told) <= {ErrorKind.IN_PROGRESS}
