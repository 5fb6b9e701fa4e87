"""What follows messages never depends on one task or one process: a run each minute finds whatever is open."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

import pytest

from sms_connector.api.resources.tasks import TaskLater, event_tasks
from sms_connector.errors import LedgerUnavailable, NotSent
from sms_connector.maintenance import RUN_SECONDS
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions, SendRequest, Tracking
from sms_connector.ports import Task
from sms_connector.store.campaign_record import CampaignState
from tests.fixtures.campaign_world import SENDER, CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import NO_LIST
from tests.fixtures.memory_ledger import OUTAGES, Fate, Killed

# A killed process leaves no word; its threads in this one do.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def send(node: Node, records: int, **options: Any) -> list[str]:
    drafts = [Draft(index, number(index), SENDER, "Hello", measure("Hello")) for index in range(records)]
    request = SendRequest(drafts, SendOptions(SENDER, **options), "n", "req")
    return [record.id for record in node.engine.sender.send(request)]


def scene() -> tuple[CampaignWorld, list[str]]:
    """Pure polling: three messages and a campaign of 30; two outcomes are unknown, and one recipient is refused."""
    world = CampaignWorld(ThreadedClock())
    world.network.fate[number(1)].append("lost")
    world.network.fate[number(11)].append("lost before")
    world.network.fate[number(12)].append("refused")
    world.network.delivered_after = 5.0

    def prepare() -> list[str]:
        node = world.node()
        node.provider.list_error = NotSent("the list is away while it is sent")
        ids = send(node, 3)
        node.take((accepted(index) for index in range(10, 40)), nonce="c")
        world.run_chunks(node)
        world.clock.sleep(20.0)
        return ids

    return world, run_in(world.clock, prepare)


def open_messages(world: CampaignWorld, node: Node, ids: list[str]) -> list[str]:
    store = node.engine.sender.store
    [campaign] = node.engine.campaigns.page(limit=10)[0]
    records = [*store.get(ids), *called(node.results(campaign.id))]
    assert len(records) == 33
    return [record.id for record in records if record is None or not record.final]


def steps_of_a_run() -> int:
    world, _ = scene()
    node = world.node()
    run_in(world.clock, node.engine.maintenance.run_maintenance)
    return node.fate.steps


STEPS = steps_of_a_run()


@pytest.mark.parametrize("how", ["killed", "out of reach from then on"])
@pytest.mark.parametrize("first", range(3))
def test_everything_ends_when_nodes_die_in_their_runs(how: str, first: int) -> None:
    """Between any two operations; the task of the run is lost or was acknowledged, and nothing is sent afterwards."""
    assert STEPS > 15
    for step in range(1 + first, STEPS + 1, 3):
        world, ids = scene()
        error, fails = OUTAGES["out of reach from then on"]
        fate = Fate(die_at=step) if how == "killed" else Fate(fail_at=step, fails=fails, error=error)
        dying, second = world.node(fate=fate), world.node(fate=Fate(die_at=step + 5))
        for node in (dying, second):
            with suppress(Killed, LedgerUnavailable):
                run_in(world.clock, node.engine.maintenance.run_maintenance)

        def later(world: CampaignWorld = world, ids: list[str] = ids, step: int = step) -> None:
            other = world.node()
            sent = len(world.network.stored)
            world.run_each_minute(other, until=world.clock.time() + 25 * 60)
            assert open_messages(world, other, ids) == [], f"step {step}"
            assert other.engine.campaigns.page(limit=1)[0][0].state is CampaignState.DONE
            assert len(world.network.stored) == sent

        run_in(world.clock, later)


def test_a_run_whose_claim_is_held_is_for_later() -> None:
    """The lease of a node that died looks as one of a node that lives, for half a minute: its task comes again."""
    world, ids = scene()
    dying = world.node(fate=Fate(die_at=8))
    with suppress(Killed):
        run_in(world.clock, dying.engine.maintenance.run_maintenance)

    def again() -> None:
        other = world.node()
        task = Task("events", "/tasks/maintenance", {"at": 1})
        function = event_tasks(None, cast(Any, None), other.engine.maintenance)[task.path]
        pause, refused = 1.0, 0
        while True:
            try:
                function(task.payload)
                break
            except TaskLater:
                refused += 1
                world.clock.sleep(pause)
                pause *= 2
        assert refused >= 3
        world.run_maintenance(other, until=world.clock.time() + 20 * 60)
        assert open_messages(world, other, ids) == []

    run_in(world.clock, again)


# --- a run's time -----------------------------------------------------------------------------------------------------


def test_a_run_ends_before_its_task_is_given_up() -> None:
    """A slow provider that is asked one by one: what is left stays due, uncounted, and comes with the next run at once."""
    world = CampaignWorld(ThreadedClock())
    node = world.node(capabilities=NO_LIST)

    def scenario() -> None:
        ids = send(node, 100)
        real = node.provider.fetch_reports

        def slowly(wanted: Any) -> Any:
            world.clock.sleep(1.0)
            return real(wanted)

        node.provider.fetch_reports = slowly  # type: ignore[method-assign]
        world.clock.sleep(15.0)
        world.queue.take("/tasks/maintenance")
        begun = world.clock.time()
        assert node.engine.maintenance.run_maintenance()
        assert RUN_SECONDS <= world.clock.time() - begun <= RUN_SECONDS + 5
        attempts = [record.attempts for record in node.engine.sender.store.get(ids) if record is not None]
        assert 0.75 * RUN_SECONDS <= sum(attempts) <= RUN_SECONDS + 5, "a question a second"
        [planned] = world.queue.take("/tasks/maintenance")
        assert (planned.not_before or 0.0) <= world.clock.time() + 2.0
        node.engine.maintenance.run_maintenance()
        attempts = [record.attempts for record in node.engine.sender.store.get(ids) if record is not None]
        assert max(attempts) == 1, "the others come first"

    run_in(world.clock, scenario)


def test_a_queue_out_of_reach_stops_no_run_and_no_send() -> None:
    """At both planning moments; by the clock of a node that is ahead; and nothing is planned at all."""
    world, ids = scene()
    world.queue.take("/tasks/maintenance")

    def scenario() -> None:
        other = world.node()
        world.run_each_minute(other, until=world.clock.time() + 25 * 60)
        assert open_messages(world, other, ids) == []

    run_in(world.clock, scenario)


def test_what_is_to_be_retried_is_found_without_a_plan() -> None:
    """A message whose node died before its outcome was written."""
    world = CampaignWorld(ThreadedClock())
    steps = Fate()
    run_in(world.clock, lambda: send(world.node(fate=steps), 2, tracking=Tracking(10.0, 6)))
    for step in range(1, steps.steps + 1):
        each = CampaignWorld(ThreadedClock())
        each.network.delivered_after = 1.0
        dying = each.node(fate=Fate(die_at=step))
        with suppress(Killed):
            run_in(each.clock, lambda dying=dying: send(dying, 2))

        def later(each: CampaignWorld = each, step: int = step) -> None:
            node = each.node()
            each.run_each_minute(node, until=each.clock.time() + 20 * 60)
            store = node.engine.sender.store
            for stored in each.network.stored:
                [record] = store.get([stored.message.id])
                assert record is not None, step
                assert record.status == "delivered", step

        run_in(each.clock, later)
