"""The central promise, tried out at every point: a node may die at any step, or any write may fail, and no message is sent
twice, none is lost, and whoever asks again with the same key gets an honest answer (sending.md section 2).

A step is the moment before or after something that others can see: a read, a commit, a call to the provider. First the request is
carried out undisturbed and its steps are counted; then once for each step, with the disturbance there.
"""

from __future__ import annotations

from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from threading import Event
from typing import TypeVar

import pytest

from sms_connector.errors import KeyInProgress, LedgerUnavailable, RequestError
from sms_connector.model.policy import Policy
from sms_connector.model.send_request import Draft, OnUnknown, Tracking
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Capabilities
from sms_connector.sending.idempotency import Replay
from sms_connector.store.message_record import MessageRecord, Phase
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import BY_OUR_IDS, IDEMPOTENT, MANY_TEXTS, NO_LIST, NO_PULL, ONE_BY_ONE, SAME_TEXT
from tests.fixtures.memory_ledger import OUTAGES, Fate, Killed
from tests.fixtures.nodes import Node, NoHelpers, World, draft, number

# A node that is killed takes the thread of its lease with it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

T = TypeVar("T")
MESSAGES = 6
# At most what is written ahead (a block and the rest of the one before), beside what was being called.
AHEAD = 8


@dataclass(frozen=True)
class Case:
    """One way a request is carried out."""

    name: str
    capabilities: Capabilities = ONE_BY_ONE
    threads: bool = False
    keyed: bool = False
    fates: tuple[tuple[int, str], ...] = ()
    opted_out: int | None = None
    callbacks: bool = False
    wait: bool = False
    on_unknown: OnUnknown = OnUnknown.REPORT
    rate: int | None = 25
    most_sends: int = 1

    def drafts(self) -> Sequence[Draft]:
        text = "Hello" if self.capabilities.same_text_per_call else None
        return [draft(i, text=text, key=f"record-{i}" if self.keyed else None) for i in range(MESSAGES)]

    def world(self) -> World:
        world = World(ThreadedClock())
        for index, fate in self.fates:
            world.network.fate[number(index)].append(fate)
        return world

    def node(self, world: World, fate: Fate | None = None) -> Node:
        node = world.node(
            rate=self.rate,
            capabilities=self.capabilities,
            fate=fate,
            executor=None if self.threads else NoHelpers(1),
            callbacks=self.callbacks,
        )
        if self.opted_out is not None:
            Node(world).opt_outs.put(number(self.opted_out), "api")
        return node

    def post(self, node: Node) -> list[MessageRecord] | Replay:
        tracking = Tracking(interval=2.0, attempts=3, wait=self.wait)
        return node.post("key", self.drafts(), tracking=tracking, on_unknown=self.on_unknown)


CASES = [
    Case("one by one"),
    Case("one by one, threads", threads=True),
    Case("a lifted rate, threads", threads=True, rate=None),
    Case("record keys", keyed=True),
    Case(
        "every kind of outcome",
        fates=((0, "refused"), (1, "lost"), (2, "lost before"), (3, "not sent"), (4, "opted out")),
    ),
    Case("an opted-out recipient", opted_out=3),
    Case("several texts a call", capabilities=MANY_TEXTS, fates=((2, "refused"),)),
    Case("one text a call", capabilities=SAME_TEXT, keyed=True),
    Case("a provider without a list", capabilities=NO_LIST),
    Case("a provider that tells nothing", capabilities=NO_PULL, callbacks=True),
    Case("a repeat is harmless", capabilities=IDEMPOTENT, fates=((1, "lost"),)),
    Case("known by our ids", capabilities=BY_OUR_IDS, fates=((1, "lost"), (2, "refused"))),
    Case("callbacks come at once", callbacks=True),
    Case("callbacks come at once, threads", callbacks=True, threads=True, wait=True),
    Case("waiting for the end", wait=True),
    Case(
        "at least once",
        on_unknown=OnUnknown.RESEND,
        fates=((1, "lost"), (2, "lost before")),
        most_sends=3,
    ),
]


def run(world: World, function: Callable[[], T]) -> T:
    return world.clock.run(function)[0]


def call_back(world: World) -> None:
    """The provider reports on everything it has, as the webhook's events do."""
    for stored in world.network.stored:
        stored.status = MessageStatus.DELIVERED
        [record] = world.store.get([stored.message.id])
        if record is not None:
            apply_report = methodcaller("apply_report", stored.report(), at=world.clock.time(), source="callback")
            world.store.apply(record, apply_report)


def ask_again(case: Case, world: World) -> tuple[Node, list[MessageRecord]]:
    """Another node, the same request with the same key, as often as the answer is that the first is still running."""
    node = case.node(world)
    for _ in range(4):
        try:
            answer = run(world, partial(case.post, node))
        except KeyInProgress:
            run(world, partial(world.clock.sleep, world.policy.lease_seconds / 2))
            continue
        if isinstance(answer, Replay):
            return node, [world.record(id_) for id_, _ in literal_eval(answer.answer.decode())]
        return node, answer
    raise AssertionError("the key stays in progress")


def look_up_until_final(node: Node, records: Sequence[MessageRecord]) -> list[MessageRecord]:
    """As a caller does who asks after each message until its outcome is known."""

    def look_up() -> list[MessageRecord]:
        for _ in range(40):
            found = [node.messages.get(record.id) for record in records]
            if all(record.phase == Phase.DONE for record in found):
                return found
            node.world.clock.sleep(60)
        raise AssertionError(f"an outcome stays open for ever: {[r for r in found if r.phase != Phase.DONE]}")

    return run(node.world, look_up)


def check(case: Case, world: World, records: Sequence[MessageRecord], *, unsure: int) -> None:
    """What the provider has is the witness."""
    sends = Counter(stored.message.id for stored in world.network.stored)
    assert max(sends.values(), default=0) <= case.most_sends
    assert [record.index for record in records] == list(range(MESSAGES))
    assert set(sends) <= {record.id for record in records}, "a message that nobody knows of"
    for record in records:
        sent = sends[record.id]
        if record.provider_message_id is not None:
            assert sent, "said to be sent, and is not"
            assert record.provider_message_id in {stored.id for stored in world.network.of(record.id)}
        elif record.status is MessageStatus.ERROR:
            assert not sent, "said to be refused, and is sent"
            assert record.failure is not None
            assert record.failure.message != str(LedgerUnavailable()), "the ledger's trouble is no message's outcome"
        else:
            assert record.status is MessageStatus.UNKNOWN
            assert record.evidence
    lost_before = sum(fate == "lost before" for _, fate in case.fates)
    unknown = [record for record in records if record.status is MessageStatus.UNKNOWN]
    in_list = [record for record in unknown if sends[record.id]]
    if case.capabilities.reports_per_page:
        assert not in_list, "the provider's list shows it"
    assert len(unknown) <= unsure + lost_before


def held_up(world: World, resumed: Event) -> None:
    world.clock.wait(resumed, 1e6)


def steps_of(case: Case) -> Fate:
    fate = Fate()
    world = case.world()
    node = case.node(world, fate)
    run(world, partial(case.post, node))
    return fate


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_undisturbed(case: Case) -> None:
    world = case.world()
    node = case.node(world)
    first = run(world, partial(case.post, node))
    assert not isinstance(first, Replay)
    assert isinstance(run(world, partial(case.post, node)), Replay)
    check(case, world, look_up_until_final(node, first), unsure=0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_node_dies_at_any_step(case: Case) -> None:
    for step in range(1, steps_of(case).steps + 1):
        world = case.world()
        victim = case.node(world, Fate(die_at=step))
        with suppress(Killed):  # threads meet differently each time: it may be through before the step
            run(world, partial(case.post, victim))
        if case.callbacks:
            call_back(world)
        node, records = ask_again(case, world)
        if case.callbacks:
            call_back(world)
        check(case, world, look_up_until_final(node, records), unsure=AHEAD + (MESSAGES if case.threads else 1))


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_ledger_fails_at_any_step(case: Case, outage: str) -> None:
    """Before or after it has written. The request may fail, and says so; the node lives on."""
    error, fails = OUTAGES[outage]
    for step in range(1, steps_of(case).steps + 1):
        world = case.world()
        fate = Fate(fail_at=step, fails=fails, error=error)
        node = case.node(world, fate)
        try:
            run(world, partial(case.post, node))
        except type(error):
            pass
        else:
            failed = fate.names[step - 1] if step <= len(fate.names) else ""
            assert not failed.startswith("ledger") or "state" in failed, f"hushed up: {failed}"
        called = [stored.message.id for stored in world.network.stored]
        assert None not in world.store.get(called), "called without an intent"
        if case.callbacks:
            call_back(world)
        fate.fail_at = None
        _, records = ask_again(case, world)
        check(case, world, look_up_until_final(node, records), unsure=AHEAD + (MESSAGES if case.threads else 1))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_node_is_held_up_at_any_step(case: Case) -> None:
    """For longer than its lease (a suspended machine, a stopped container). Another one carries the request out meanwhile; then
    the first wakes and goes on, believing nothing has happened."""
    for step in range(1, steps_of(case).steps + 1):
        world = case.world()
        answers: list[list[MessageRecord]] = []

        def meanwhile(world: World = world, answers: list[list[MessageRecord]] = answers) -> None:
            world.clock.sleep(world.policy.lease_seconds * 1.5)
            answers.append(ask_again(case, world)[1])

        fate = Fate(pause_at=step, meanwhile=meanwhile, hold=partial(held_up, world))
        run(world, partial(case.post, case.node(world, fate)))
        if case.threads and not answers:
            continue  # threads meet differently each time: it was through before the step
        check(
            case,
            world,
            look_up_until_final(case.node(world), answers[0]),
            unsure=0 if case.capabilities.reports_by_id else 8,
        )


def test_a_crash_leaves_few_messages_in_doubt() -> None:
    """In the middle of a long request: what was being called, and a fifth of a second's worth beside."""
    world = World(ThreadedClock(), Policy())
    world.network.takes = 0.05
    fate = Fate()
    node = world.node(fate=fate)

    def die_later() -> None:
        world.clock.sleep(7.013)
        fate.die_at = fate.steps + 1

    with pytest.raises(Killed):
        world.clock.run(lambda: node.send([draft(i) for i in range(400)]), die_later)
    found = [record for record in world.store.get([record_id(i) for i in range(400)]) if record is not None]
    assert sum(record.phase == Phase.CALLING for record in found) <= AHEAD
    assert len(world.network.stored) > 150


def record_id(index: int) -> str:
    from sms_connector.sending.idempotency import message_id

    return message_id("nonce", index)


def test_two_nodes_with_the_same_request_at_once() -> None:
    """One of them may have been taken for dead. Each message is one node's."""
    world = World(ThreadedClock())
    world.network.takes = 0.3
    nodes = [world.node() for _ in range(3)]
    answers = world.clock.run(*[partial(node.send, [draft(i) for i in range(60)]) for node in nodes])
    assert Counter(stored.message.id for stored in world.network.stored).most_common(1)[0][1] == 1
    assert len(world.network.stored) == 60
    assert all([record.index for record in answer] == list(range(60)) for answer in answers)


def test_two_requests_with_the_same_key_at_once() -> None:
    world = World(ThreadedClock())
    world.network.takes = 0.3
    refusals: list[RequestError] = []

    def post(node: Node) -> None:
        while True:
            try:
                node.post("key", [draft(i) for i in range(10)])
                return
            except KeyInProgress as busy:
                refusals.append(busy)
                world.clock.sleep(busy.retry_after or 0)

    world.clock.run(*[partial(post, world.node()) for _ in range(4)])
    assert len(refusals) >= 3
    assert len(world.network.stored) == 10
