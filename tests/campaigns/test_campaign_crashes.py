"""A worker dies at every step of a chunk, and another carries on: no message twice, none lost, counts that add up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.model.send_request import OnUnknown
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Json
from sms_connector.provider import Capabilities
from tests.fixtures.campaign_world import CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import BY_OUR_IDS, IDEMPOTENT, MANY_TEXTS, NO_LIST, ONE_BY_ONE
from tests.fixtures.memory_ledger import OUTAGES, Fate, Killed

RECORDS = 28  # a full block, and one that is not
# A killed process leaves no word; its threads in this one do.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@dataclass(frozen=True)
class Case:
    name: str
    capabilities: Capabilities = ONE_BY_ONE
    on_unknown: OnUnknown = OnUnknown.REPORT
    fates: tuple[tuple[int, str], ...] = ()
    opted_out: int | None = None
    every: int = 3


CASES = [
    Case("plain", every=1),
    Case("answers get lost", fates=((3, "lost"), (9, "lost before"), (26, "lost")), every=1),
    Case("refusals and opt-outs", fates=((0, "refused"), (25, "opted out")), opted_out=4),
    Case("a provider without a list", NO_LIST, fates=((5, "lost"),)),
    Case("ten messages a call", MANY_TEXTS, fates=((12, "lost"),)),
    Case("a repeat is harmless", IDEMPOTENT, fates=((5, "lost"),)),
    Case("known by our ids", BY_OUR_IDS, fates=((5, "lost"),)),
    Case("sent again rather than never", on_unknown=OnUnknown.RESEND, fates=((3, "lost before"),)),
]


class OneThread(ThreadPoolExecutor):
    """No thread comes free: the worker does everything itself, in a fixed order, so that a step is the same in each run."""

    def __init__(self) -> None:
        super().__init__(1)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()

    def map(self, function: Any, *iterables: Any, **options: Any) -> Iterator[Any]:
        return map(function, *iterables)


def prepare(case: Case) -> tuple[CampaignWorld, str, Json]:
    world = CampaignWorld(ThreadedClock())
    node = world.node()

    def take() -> str:
        options = {"on_unknown": case.on_unknown}
        return node.take((accepted(index) for index in range(RECORDS)), **options).id

    campaign = run_in(world.clock, take)
    for index, fate in case.fates:
        world.network.fate[number(index)].append(fate)
    if case.opted_out is not None:
        run_in(world.clock, lambda: node.engine.opt_outs.put(number(case.opted_out or 0), "api"))
    [task] = world.chunk_tasks()
    return world, campaign, task


def worker(world: CampaignWorld, case: Case, fate: Fate) -> Node:
    return world.node(fate=fate, capabilities=case.capabilities, executor=OneThread())


def die(world: CampaignWorld, case: Case, task: Json, *, step: int) -> None:
    """The worker's process is gone; the queue brings its task again, and its lease ends."""
    node = worker(world, case, Fate(die_at=step))
    with suppress(Killed):
        run_in(world.clock, lambda: node.run(task))


def carry_on(world: CampaignWorld, case: Case, task: Json) -> Node:
    node = worker(world, case, Fate())

    def until_sent() -> None:
        for _ in range(20):
            world.clock.sleep(10.0)
            if node.run(task) is Attempt.SENT:
                return
        raise AssertionError("it never ends")

    run_in(world.clock, until_sent)
    return node


def check(world: CampaignWorld, case: Case, node: Node, campaign: str) -> None:
    def look() -> None:
        twice = {id_: n for id_, n in Counter(stored.message.id for stored in world.network.stored).items() if n > 1}
        if case.on_unknown is OnUnknown.REPORT:
            assert not twice
        results = called(node.results(campaign))
        assert [record.index for record in results] == list(range(RECORDS)), "each has its outcome"
        for record in results:
            has = bool(world.network.of(record.id))
            if record.status is MessageStatus.QUEUED:
                assert has, "no message is said to be sent that was not"
            elif record.status is MessageStatus.ERROR:
                assert not has
            else:
                assert record.status is MessageStatus.UNKNOWN
        progress = node.engine.campaigns.get(campaign)
        assert progress.counts == Counter(str(record.status) for record in results), "counts are those of the messages"
        assert progress.waiting == 0

    run_in(world.clock, look)


def steps_of(case: Case) -> int:
    world, _, task = prepare(case)
    fate = Fate()
    node = worker(world, case, fate)
    run_in(world.clock, lambda: node.run(task))
    return fate.steps


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_killed_at_every_step(case: Case) -> None:
    for step in range(1, steps_of(case) + 1, case.every):
        world, campaign, task = prepare(case)
        die(world, case, task, step=step)
        node = carry_on(world, case, task)
        check(world, case, node, campaign)


def test_killed_again_while_carrying_on() -> None:
    """Whoever takes over dies too."""
    case = CASES[1]
    for first in range(5, steps_of(case), 13):
        for second in range(1, 40, 5):
            world, campaign, task = prepare(case)
            die(world, case, task, step=first)
            run_in(world.clock, lambda world=world: world.clock.sleep(40.0))
            die(world, case, task, step=second)
            node = carry_on(world, case, task)
            check(world, case, node, campaign)


@pytest.mark.parametrize("case", CASES[:3], ids=lambda case: case.name)
def test_held_up_at_any_step_while_another_takes_over(case: Case) -> None:
    """For longer than its lease (a stopped container); then it wakes and goes on, believing nothing has happened."""
    for step in range(1, steps_of(case) + 1, 2):
        world, campaign, task = prepare(case)
        others: list[Node] = []

        def meanwhile(world: CampaignWorld = world, task: Json = task, others: list[Node] = others) -> None:
            world.clock.sleep(world.policy.lease_seconds * 1.5)
            other = worker(world, case, Fate())
            others.append(other)
            for _ in range(20):
                if other.run(task) is Attempt.SENT:
                    break
                world.clock.sleep(10.0)

        elsewhere = partial(Context().run, meanwhile)  # another process knows nothing of this one's calls
        fate = Fate(pause_at=step, meanwhile=elsewhere, hold=partial(_stand_still, world))
        node = worker(world, case, fate)
        run_in(world.clock, lambda node=node, task=task: node.run(task))
        check(world, case, others[0], campaign)


def _stand_still(world: CampaignWorld, resumed: threading.Event) -> None:
    world.clock.wait(resumed, 1e6)


@pytest.mark.parametrize("end", ["pause", "cancel"])
def test_what_a_dead_worker_left_is_looked_into_though_the_campaign_has_stopped(end: str) -> None:
    case = CASES[0]
    for step in range(20, steps_of(case), 15):
        world, campaign, task = prepare(case)
        die(world, case, task, step=step)
        node = worker(world, case, Fate())

        def stop_and_look(node: Node = node, world: CampaignWorld = world, campaign: str = campaign) -> None:
            getattr(node.engine.campaigns, end)(campaign)
            world.clock.sleep(40.0)
            assert node.run({"campaign": campaign, "chunk": 0}) in (Attempt.STOPPED, Attempt.SENT)
            records = called(node.results(campaign))
            assert not [record for record in records if record.status is MessageStatus.ACCEPTED], (
                "nobody else would look"
            )
            known = {stored.message.id for stored in world.network.stored}
            assert known <= {record.id for record in records}
            progress = node.engine.campaigns.get(campaign)
            assert sum(progress.counts.values()) + progress.waiting == RECORDS

        run_in(world.clock, stop_and_look)


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_the_ledger_fails_at_any_step(case: Case, outage: str) -> None:
    """The attempt breaks off, the worker lives on and tries again."""
    error, fails = OUTAGES[outage]
    for step in range(1, steps_of(case) + 1, 5):
        world, campaign, task = prepare(case)
        node = worker(world, case, Fate(fail_at=step, fails=fails, error=error))
        with suppress(type(error)):
            run_in(world.clock, lambda node=node, task=task: node.run(task))
        node.fate.fail_at = None
        other = carry_on(world, case, task)
        check(world, case, other, campaign)
