"""Carrying out one chunk of a campaign: what a worker does with a task.

The same steps as any other send (`send.FirstCall`), with three differences: outcomes are kept a block at a time, the campaign's
state is looked at every second (pause and cancel act within seconds), and a provider that takes nothing for the moment ends the
attempt instead of the messages: what was not sent is tried again with the next attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from sms_connector.errors import ConnectorError, Kind, NotSent
from sms_connector.messaging.campaigns.campaign import (
    CAMPAIGNS,
    CHUNKS,
    PROGRESS,
    Campaign,
    CampaignState,
    Place,
    Progress,
    Tally,
    chunk_id,
)
from sms_connector.messaging.campaigns.chunk import Chunk
from sms_connector.messaging.campaigns.chunk_store import ChunkStore
from sms_connector.messaging.message_store import Changes
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.requests import Draft
from sms_connector.messaging.send import FirstCall, Job, Sender, SendTools, new_record
from sms_connector.model.delivery_report import FailureReason
from sms_connector.ports import Ledger
from sms_connector.provider import SendOutcome

LOOK_EVERY = 1.0
LOST = "the worker that was sending it stopped before it recorded an outcome"
# Refusals that are about the account or the moment, not about the message: the next attempt may go through.
_NOT_THE_MESSAGE = frozenset({Kind.AUTHENTICATION, Kind.ACCOUNT, Kind.RATE_LIMITED, Kind.QUEUE_FULL})


class Attempt(Enum):
    """How an attempt at a chunk ended."""

    SENT = "sent"  # every record has its outcome (or is unknown and looked into)
    HALTED = "halted"  # paused, canceled or suspended; resuming makes a new task
    BUSY = "busy"  # another worker carries it out
    AGAIN = "again"  # the provider took no more; try again later


@dataclass(frozen=True, slots=True)
class ChunkRunner:
    """`suspended` says whether the whole connection is."""

    tools: SendTools
    ledger: Ledger
    suspended: Callable[[], bool]

    def run(self, campaign_id: str, number: int) -> Attempt:
        with self.tools.lease.held() as holder:
            campaign, chunk, progress = self._read(campaign_id, number)
            if campaign is None or chunk is None or progress is None or progress.state in ("sent", "rolled"):
                return Attempt.SENT
            if campaign.state is not CampaignState.RUNNING or self.suspended():
                return Attempt.HALTED
            if progress.state == "running" and progress.holder != holder and self.tools.lease.living([progress.holder]):
                return Attempt.BUSY
            begun_before = progress.state != "pending"
            self._claim(progress, campaign, holder)
            return self._carry_out(campaign, chunk, progress, begun_before=begun_before)

    def _read(self, campaign_id: str, number: int) -> tuple[Campaign | None, Chunk | None, Progress | None]:
        [campaign] = self.ledger.get(CAMPAIGNS, [campaign_id])
        [chunk] = self.ledger.get(CHUNKS, [chunk_id(campaign_id, number)])
        [progress] = self.ledger.get(PROGRESS, [chunk_id(campaign_id, number)])
        return (
            Campaign.of(campaign) if campaign else None,
            Chunk.of(chunk) if chunk else None,
            Progress.of(progress) if progress else None,
        )

    def _claim(self, progress: Progress, campaign: Campaign, holder: str) -> None:
        """Raises Conflict where another worker was quicker."""
        progress.state, progress.holder = "running", holder
        self._store_progress(progress, campaign)

    def _store_progress(self, progress: Progress, campaign: Campaign) -> None:
        [version] = self.ledger.commit([progress.to_write(expires_at=campaign.updated_at + 31 * 86_400)])
        progress.version = version

    def _carry_out(self, campaign: Campaign, chunk: Chunk, progress: Progress, *, begun_before: bool) -> Attempt:
        store = ChunkStore(self.ledger, campaign, chunk.number, valid=len(chunk.accepted))
        tools = self._tools_for(store)
        left = store.load() if begun_before else []
        self._settle_left(left, tools)
        known = {record.id for record in left}
        jobs = [job for job in self._jobs(campaign, chunk) if job.record.id not in known]
        steps = ChunkCall(tools, campaign, store, halted=lambda: self._is_halted(campaign.id))
        Sender(tools).carry_out(jobs, steps)
        tools.reconciler.resolve([job.record for job in jobs])
        store.flush()
        return self._conclude(campaign, progress, store, steps)

    def _tools_for(self, store: ChunkStore) -> SendTools:
        workshop = self.tools.workshop
        reconciler = Reconciler(self.tools.provider, store, clock=workshop.clock, policy=workshop.policy)
        return replace(self.tools, store=store, reconciler=reconciler)

    def _settle_left(self, left: Sequence[MessageRecord], tools: SendTools) -> None:
        """An attempt before this one died: what it was calling is unknown, and looked up."""
        now, window = tools.workshop.clock.time(), tools.workshop.policy.unknown_window
        for record in left:
            if record.phase == Phase.CALLING:
                record.lose_track(LOST, at=now, window=window)
        tools.reconciler.resolve(left)

    def _jobs(self, campaign: Campaign, chunk: Chunk) -> list[Job]:
        return [
            Job(draft, self._new_record(campaign, draft, Place(campaign.id, chunk.number, position)))
            for position, draft in enumerate(chunk.drafts(campaign))
        ]

    def _new_record(self, campaign: Campaign, draft: Draft, place: Place) -> MessageRecord:
        now = self.tools.workshop.clock.time()
        return new_record(draft, campaign.options, place.message_id, at=now, campaign=campaign.id)

    def _is_halted(self, campaign_id: str) -> bool:
        [document] = self.ledger.get(CAMPAIGNS, [campaign_id])
        running = document is not None and document.data["state"] == CampaignState.RUNNING
        return not running or self.suspended()

    def _conclude(self, campaign: Campaign, progress: Progress, store: ChunkStore, steps: ChunkCall) -> Attempt:
        records = [record for block in store.blocks() for record in block.records.values()]
        progress.set(Tally.of(records))
        complete = len(records) == progress.valid
        progress.state, progress.holder = ("sent" if complete else "running"), ""
        self._store_progress(progress, campaign)
        if complete:
            return Attempt.SENT
        return Attempt.HALTED if steps.halted_by_campaign else Attempt.AGAIN


class ChunkCall(FirstCall):
    """The steps of a campaign's message."""

    def __init__(self, tools: SendTools, campaign: Campaign, store: ChunkStore, *, halted: Callable[[], bool]) -> None:
        super().__init__(tools, campaign.options)
        self._store = store
        self._halted = halted
        self._clock = tools.workshop.clock
        self._looked_at = self._clock.monotonic()
        self.halted_by_campaign = False
        self.refused_by_provider = False

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        if self._must_stop():
            return []
        return super().prepare(block)

    def call(self, group: list[Job]) -> Changes:
        outcomes = list(zip(group, self._outcomes(group), strict=True))
        for job, _ in filter(lambda pair: _takes_nothing(pair[1]), outcomes):
            self.refused_by_provider = True
            self._store.withdraw(job.record)
        taken = [pair for pair in outcomes if not _takes_nothing(pair[1])]
        return self._note_outcomes([job for job, _ in taken], [outcome for _, outcome in taken])

    def _must_stop(self) -> bool:
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            self.halted_by_campaign = self._halted()
        return self.halted_by_campaign or self.refused_by_provider


def _takes_nothing(outcome: SendOutcome | ConnectorError) -> bool:
    about_now = isinstance(outcome, FailureReason) and outcome.kind in _NOT_THE_MESSAGE
    return about_now or isinstance(outcome, NotSent)
