"""Whatever happens in whatever order: counts add up to the records, and are those of the messages."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sms_connector.campaigns.chunk import AcceptedRecord, Record, RefusedRecord
from sms_connector.errors import ErrorKind, PreconditionFailed
from sms_connector.model.send_request import Tracking
from sms_connector.model.status import MessageStatus
from tests.fixtures.campaign_world import CampaignWorld, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock

STATUS_EVENTS = [
    MessageStatus.SENT,
    MessageStatus.DELIVERED,
    MessageStatus.UNDELIVERED,
    MessageStatus.FAILED,
    MessageStatus.READ,
]
FATES = ["", "", "", "refused", "opted out", "lost", "lost before"]


# Records of this size fill a chunk by their bytes, thirty of them, so that a small campaign has several.
LONG = "x" * 3400


def long_record(index: int) -> AcceptedRecord:
    return AcceptedRecord(index, number(index), (LONG + str(index),), 1, "GSM-7")


def refused(index: int) -> RefusedRecord:
    return RefusedRecord(index, "0123", f"records[{index}].to", ErrorKind.INVALID_RECIPIENT, "no number")


class Campaign(RuleBasedStateMachine):
    """One campaign of one to four chunks, two nodes, callbacks in any order."""

    @initialize(records=st.integers(20, 100), wrong=st.sets(st.integers(0, 19), max_size=3), seed=st.randoms())
    def create(self, records: int, wrong: set[int], seed: Any) -> None:
        self.world = CampaignWorld(ThreadedClock())
        self.nodes = [self.world.node(callbacks=True), self.world.node(callbacks=True)]
        for index in range(records):
            fate = seed.choice(FATES)
            if fate:
                self.world.network.fate[number(index)].append(fate)
        rows: list[Record] = [refused(index) if index in wrong else long_record(index) for index in range(records)]
        self.total = records
        campaign = self.run(lambda: self.nodes[0].take(rows, tracking=Tracking(10.0, 2)))
        self.id = campaign.id
        self.tasks = self.world.chunk_tasks()

    def run(self, function: Any) -> Any:
        return run_in(self.world.clock, function)

    @precondition(lambda self: self.tasks)
    @rule(node=st.sampled_from([0, 1]))
    def carry_out_a_chunk(self, node: int) -> None:
        task = self.tasks.pop(0)
        attempt = self.run(lambda: self.nodes[node].run(task))
        if attempt.value in ("again", "busy"):
            self.tasks.append(task)

    @rule(status=st.sampled_from(STATUS_EVENTS), chosen=st.integers(0, 10_000))
    def tell(self, status: MessageStatus, chosen: int) -> None:
        stored = self.world.network.stored
        if stored:
            self.run(lambda: self.world.tell(stored[chosen % len(stored)].message.id, status))

    @rule(seconds=st.sampled_from([1, 15, 60, 4000]))
    def run_maintenance(self, seconds: int) -> None:
        self.run(lambda: self.world.run_maintenance(self.nodes[0], until=self.world.clock.time() + seconds))

    @rule(move=st.sampled_from(["pause", "resume", "cancel"]), chance=st.integers(0, 3))
    def move(self, move: str, chance: int) -> None:
        if move == "cancel" and chance:
            return
        try:
            self.run(lambda: getattr(self.nodes[1].engine.campaigns, move)(self.id))
        except PreconditionFailed:
            return
        self.tasks += self.world.chunk_tasks()

    @invariant()
    def counts_add_up(self) -> None:
        if not hasattr(self, "id"):
            return
        progress = self.run(lambda: self.nodes[0].engine.campaigns.get(self.id))
        assert sum(progress.counts.values()) + progress.waiting == self.total
        assert all(count > 0 for count in progress.counts.values())
        assert progress.waiting >= 0

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        if hasattr(self, "id"):
            sent = Counter(stored.message.id for stored in self.world.network.stored)
            assert max(sent.values(), default=0) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "id"):
            return
        self.run(lambda: self.world.run_maintenance(self.nodes[0], until=self.world.clock.time() + 80 * 3600.0))
        progress = self.run(lambda: self.nodes[0].engine.campaigns.get(self.id))
        results = self.run(lambda: self.nodes[0].results(self.id))
        assert len(results) == self.total
        assert [result.index for result in results] == list(range(self.total))
        told = Counter(str(record.status) for record in called(results))
        counted = {status: count for status, count in progress.counts.items() if status != "canceled"}
        counted["error"] = counted.get("error", 0) - progress.campaign.refused
        assert {status: count for status, count in counted.items() if count} == told


Campaign.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestCounts = Campaign.TestCase
