"""Maintenance: one run at a time for the whole connection finds and continues everything that is open.

A run merges status events into blocks, polls the messages that are due in as few calls as possible, looks up unknown
outcomes, ends messages without an update for too long, enqueues notifications whose task was lost, and finishes
campaigns whose creation a dead node left. A scheduler starts one each minute, and everything relies on that; a run
planned for the second when something is due is only quicker. A run starts no new work after `RUN_SECONDS`: the rest
comes with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.intake import discard
from sms_connector.errors import Conflict
from sms_connector.model.policy import Policy
from sms_connector.ports import MUST_BE_ABSENT, Absent, Clock, Ledger, Query, Version, Write
from sms_connector.store.block_store import BlockStore
from sms_connector.store.blocks import BLOCKS, Block, records_of
from sms_connector.store.campaign_record import Campaign, CampaignState
from sms_connector.store.event_merger import merge_due, merge_late
from sms_connector.store.message_record import COLLECTION as MESSAGES
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.node_lease import NodeLease
from sms_connector.tracking.poller import Poller, PollOptions
from sms_connector.tracking.schedule import MaintenanceSchedule

STATE, DOCUMENT = "state", "maintenance"
MESSAGES_PER_RUN = 1000
BLOCKS_PER_RUN = 400
# Running campaigns that a run settles; more are settled when one of their messages is due.
CAMPAIGNS_PER_RUN = 100
# The queue and the scheduler give a run up after 60 s (cloud/queue.py). A call that has started takes 45 s at most, its
# repetitions included (transport/settings.py). What is left comes with the next run, which is planned at once.
RUN_SECONDS = 15.0
MERGE_LATE_EVERY = 45.0


class _Claim(msgspec.Struct):
    """A run's claim: `version` of its document; `merged_at` is when late events were merged last."""

    version: Version
    merged_at: float


class Maintenance(msgspec.Struct, frozen=True):
    """Runs maintenance for a task or the schedule. `polls_per_run`: messages polled at most. `sweep` enqueues
    notifications whose task was lost. `has_events`: callbacks write status events; without them only a cancel or a
    redact does, which is late then."""

    ledger: Ledger
    store: BlockStore
    poller: Poller
    campaigns: Campaigns
    lease: NodeLease
    planner: MaintenanceSchedule
    clock: Clock
    policy: Policy
    has_events: bool
    polls_per_run: int = 1000
    sweep: Callable[[float], None] | None = None

    def run_maintenance(self) -> bool:
        """Make one run. Return False if another node is at work, or has died and its lease has not ended."""
        with self.lease.held() as holder:
            claim = self._claim(holder)
            if claim is None:
                return False
            try:
                complete = self._run(claim, self.clock.time())
            finally:
                self._release(claim)
            self._plan(at_once=not complete)
        return True

    def _claim(self, holder: str) -> _Claim | None:
        [document] = self.ledger.get(STATE, [DOCUMENT])
        holder_before = document.data["holder"] if document is not None else ""
        if holder_before and self.lease.living([holder_before]):
            return None
        expected = document.version if document is not None else MUST_BE_ABSENT
        merged_at = document.data["mergedAt"] if document is not None else 0.0
        try:
            [version] = self.ledger.commit([_state(holder, merged_at, expected)])
        except Conflict:
            return None
        return _Claim(version or 0, merged_at)

    def _release(self, claim: _Claim) -> None:
        with suppress(Conflict):  # our lease ended: another node is at work
            self.ledger.commit([_state("", claim.merged_at, claim.version)])

    def _run(self, claim: _Claim, now: float) -> bool:
        """Return False if the time was up before everything was done."""
        until = now + RUN_SECONDS
        touched = self._merge_late(claim, now) | self._follow(now, until)
        running = self._campaigns(CampaignState.RUNNING)
        for campaign_id in sorted(touched | {campaign.id for campaign in running}):
            if self.clock.time() >= until:
                return False
            self.campaigns.settle(campaign_id)
        self._finish_creations([*running, *self._campaigns(CampaignState.ACCEPTING)])
        if self.sweep is not None:
            self.sweep(now)
        return self.clock.time() < until

    def _merge_late(self, claim: _Claim, now: float) -> set[str]:
        """Merge late events once a minute at most: each time reads also the events of owned blocks."""
        if now < claim.merged_at + MERGE_LATE_EVERY:
            return set()
        claim.merged_at = now
        return merge_late(self.ledger, self.store, now)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _follow(self, now: float, until: float) -> set[str]:
        """Poll everything that is due; return the campaigns concerned."""
        messages = self.store.find(_due(MESSAGES, now, MESSAGES_PER_RUN))
        blocks = {block.id: block for block in map(Block.of, self.ledger.find(_due(BLOCKS, now, BLOCKS_PER_RUN)))}
        if self.has_events:
            merge_due(self.ledger, self.store, blocks)
        records = records_of(blocks.values()) + messages
        due = [record for record in records if record.next_check_at is not None and record.next_check_at <= now]
        copies = [record for record in due if record.same_as and not record.final]
        self.store.update_copies(copies)
        copied = {record.id for record in copies}
        left = self._left_to_followers(due) | copied
        limit = self.policy.expire_after
        wanted = [
            record
            for record in due
            if not record.final
            and record.id not in left
            and (_has_polls_left(record) or record.begins_at + limit <= now)  # once more before it expires
        ]
        # The oldest first.
        some = sorted(wanted, key=lambda record: record.next_check_at or 0.0)[: self.polls_per_run]
        unpolled = self.poller.poll(some, how=PollOptions(keep=True, until=until))
        self.poller.expire(some, unpolled=unpolled)
        polled = {record.id for record in wanted}
        self._postpone([record for record in due if record.id not in polled | copied], now)
        return {block.campaign for block in blocks.values()}

    def _left_to_followers(self, due: Sequence[MessageRecord]) -> set[str]:
        """Return messages that a waiting request polls, as long as its node lives."""
        living = self.lease.living({record.follower for record in due if record.follower})
        return {record.id for record in due if record.follower in living}

    def _postpone(self, records: Sequence[MessageRecord], now: float) -> None:
        back_off = partial(MessageRecord.back_off_checks, at=now, limit=self.policy.expire_after)
        self.store.apply_all([(record, back_off) for record in records])

    # --- campaigns ----------------------------------------------------------------------------------------------------

    def _campaigns(self, state: CampaignState) -> list[Campaign]:
        return self.campaigns.page(limit=CAMPAIGNS_PER_RUN, state=state)[0]

    def _finish_creations(self, campaigns: Iterable[Campaign]) -> None:
        """Finish creations of dead nodes: discard one that died during the intake, enqueue all tasks of one that died
        after it."""
        begun = [campaign for campaign in campaigns if campaign.holder]
        living = self.lease.living(campaign.holder for campaign in begun)
        for campaign in begun:
            if campaign.holder in living:
                continue
            if campaign.state is CampaignState.ACCEPTING:
                discard(self.ledger, campaign)
            else:
                self.campaigns.enqueue_left(campaign.id)

    # --- the next run -------------------------------------------------------------------------------------------------

    def _plan(self, *, at_once: bool) -> None:
        times = [self.clock.time()] if at_once else []
        for collection in (MESSAGES, BLOCKS):
            first = self.ledger.find(Query(collection, order_by="nextCheckAt", limit=1))
            times += [float(document.data["nextCheckAt"]) for document in first]
        if times:
            self.planner.plan(min(times))


def _has_polls_left(record: MessageRecord) -> bool:
    """Return whether attempts are left, or the outcome is unknown, which is reconciled until its window ends."""
    return not record.is_used_up or record.phase != Phase.DONE


def _state(holder: str, merged_at: float, expect: Version | Absent) -> Write:
    return Write(STATE, DOCUMENT, {"holder": holder, "mergedAt": merged_at}, expect)


def _due(collection: str, now: float, limit: int) -> Query:
    return Query(collection, (("nextCheckAt", "<=", now),), order_by="nextCheckAt", limit=limit)
