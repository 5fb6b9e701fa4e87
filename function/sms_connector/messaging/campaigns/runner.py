"""Carrying out one chunk of a campaign: what a worker does with a task.

The same steps as any other send (`send.FirstCall`), with three differences: outcomes are kept a block at a time, the campaign's
state is looked at every few seconds (`halting`: pause and cancel act within five), and a provider that takes nothing for the moment
ends the attempt instead of the messages: what was not sent is tried again with the next attempt. Where no attempt can help until
somebody has mended something (credentials, the account), the campaign pauses by itself and says why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

import msgspec
from msgspec.structs import replace

from sms_connector.errors import Conflict
from sms_connector.messaging.apply_report import OptOutRecorder
from sms_connector.messaging.campaigns.campaign import (
    CAMPAIGNS,
    CHUNKS,
    OVER,
    PROGRESS,
    ROLLED,
    Campaign,
    CampaignState,
    Place,
    Progress,
    chunk_id,
)
from sms_connector.messaging.campaigns.chunk import Chunk
from sms_connector.messaging.campaigns.chunk_call import ChunkCall
from sms_connector.messaging.campaigns.chunk_store import ChunkStore
from sms_connector.messaging.campaigns.control import Campaigns
from sms_connector.messaging.campaigns.halting import Halts, is_running
from sms_connector.messaging.campaigns.take_back import TakeBack
from sms_connector.messaging.message_store import Announcer
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.send import Job, Sender, SendTools, new_record
from sms_connector.messaging.tick_planner import TickPlanner
from sms_connector.ports import Ledger

LOST = "the worker that was sending it stopped before it recorded an outcome"


class Attempt(Enum):
    """How an attempt at a chunk ended."""

    SENT = "sent"  # every record has its outcome (or is unknown and looked into)
    HALTED = "halted"  # paused (by somebody, or by itself) or canceled; resuming makes a new task
    BUSY = "busy"  # another worker carries it out; should that one die, it has to be tried again
    AGAIN = "again"  # the provider took no more, or the connection is suspended; try again later


class RunnerTools(msgspec.Struct, frozen=True):
    """`suspended` says, without any memory, whether the whole connection is."""

    send: SendTools
    ledger: Ledger
    campaigns: Campaigns
    planner: TickPlanner
    suspended: Callable[[], bool]
    announcer: Announcer | None = None
    opt_outs: OptOutRecorder | None = None


class _Work(msgspec.Struct, frozen=True):
    """One chunk, as it was read."""

    campaign: Campaign
    chunk: Chunk
    progress: Progress
    halted: bool

    @property
    def is_sent(self) -> bool:
        return self.progress.state not in ("pending", "running")

    @property
    def nothing_to_do(self) -> bool:
        """It is halted, and no earlier attempt has left anything behind."""
        return self.halted and not self.progress.holder


class ChunkRunner:
    """`run` is what the task calls. One chunk is carried out by one thread of one node at a time."""

    def __init__(self, tools: RunnerTools) -> None:
        self._tools = tools
        self._clock = tools.send.workshop.clock
        self._halts = Halts(
            tools.ledger, tools.suspended, throttle=tools.send.workshop.throttle, clock=tools.send.workshop.clock
        )
        self._lock = threading.Lock()
        self._at_work: set[str] = set()

    def run(self, campaign_id: str, number: int) -> Attempt:
        """Raises what the ledger raises; whatever it breaks off, the next attempt carries on."""
        with self._alone(chunk_id(campaign_id, number)) as alone, self._tools.send.lease.held() as holder:
            if not alone:
                return Attempt.BUSY
            try:
                return self._run(campaign_id, number, holder)
            except Conflict:
                return Attempt.BUSY  # another node has called this one dead and taken the chunk over

    @contextmanager
    def _alone(self, chunk: str) -> Iterator[bool]:
        """A task may be delivered twice to the same node."""
        with self._lock:
            alone = chunk not in self._at_work
            self._at_work.add(chunk)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._at_work.discard(chunk)

    def _run(self, campaign_id: str, number: int, holder: str) -> Attempt:
        work = self._read(campaign_id, number)
        if work is None:
            return Attempt.SENT  # discarded, or expired
        if work.campaign.state is CampaignState.CANCELED and work.campaign.options.send_at is not None:
            return self._cancel_held(work, holder)
        if work.is_sent:
            self._settle(work.progress)
            return Attempt.SENT
        if work.nothing_to_do:
            return self._halted()
        if work.progress.holder != holder and self._tools.send.lease.living([work.progress.holder]):
            return Attempt.BUSY
        return self._carry_out(work, self._claim(work, holder))

    def _cancel_held(self, work: _Work, holder: str) -> Attempt:
        """Take back what the provider holds for later. What an earlier attempt left behind gets its outcome first."""
        if work.progress.taken_back or work.progress.state == "pending":
            return Attempt.HALTED
        if not work.is_sent and work.progress.holder:
            if work.progress.holder != holder and self._tools.send.lease.living([work.progress.holder]):
                return Attempt.BUSY
            self._carry_out(work, self._claim(work, holder))
        if not TakeBack(self._tools.send).run(work.progress):
            return Attempt.AGAIN
        self._tools.campaigns.note_taken_back(work.progress)
        return Attempt.SENT

    def _read(self, campaign_id: str, number: int) -> _Work | None:
        ledger, id_, look = self._tools.ledger, chunk_id(campaign_id, number), self._halts.begin()
        [campaign], [chunk], [progress] = (
            ledger.get(CAMPAIGNS, [campaign_id]),
            ledger.get(CHUNKS, [id_]),
            ledger.get(PROGRESS, [id_]),
        )
        if campaign is None or chunk is None or progress is None:
            return None
        halted = self._halts.end(campaign_id, look, running=is_running(campaign.data["state"]))
        return _Work(Campaign.of(campaign), Chunk.of(chunk), Progress.of(progress), halted)

    def _claim(self, work: _Work, holder: str) -> Progress:
        """Raises Conflict where another worker was quicker."""
        progress = replace(work.progress, state="running", holder=holder)
        [progress.version] = self._tools.ledger.commit([progress.to_write(expires_at=work.campaign.keep_until)])
        return progress

    def _carry_out(self, work: _Work, progress: Progress) -> Attempt:
        store = ChunkStore(
            self._tools.ledger, work.campaign, progress, announcer=self._tools.announcer, opt_outs=self._tools.opt_outs
        )
        tools = self._tools_for(store)
        left = {} if work.progress.state == "pending" else {r.id: r for r in store.take_over(self._abandon)}
        jobs = self._jobs(work, left)
        new = [] if work.halted else [job for job in jobs if job.record.id not in left]
        steps = ChunkCall(tools, work.campaign, new, halted=lambda: self._halts.must_halt(work.campaign.id))
        self._send(Sender(tools), jobs, new, steps)
        concluded = store.conclude()
        self._plan_round(concluded, jobs)
        self._settle(concluded)
        if concluded.state != "running":
            return Attempt.SENT
        halted = work.halted or steps.halted_by_campaign
        if steps.to_mend is not None:
            halted = self._tools.campaigns.pause_by_itself(work.campaign, steps.to_mend)
        return self._halted() if halted else Attempt.AGAIN

    def _settle(self, progress: Progress) -> None:
        """Of a chunk that is over nothing is ever due: no round would see that a campaign paused meanwhile has come to its end."""
        if progress.state in (OVER, ROLLED):
            self._tools.campaigns.settle(progress.campaign)

    def _halted(self) -> Attempt:
        """A suspension may end by a deployment that tells nobody: its tasks stay in the queue."""
        return Attempt.AGAIN if self._tools.suspended() else Attempt.HALTED

    def _send(self, sender: Sender, jobs: Sequence[Job], new: Sequence[Job], steps: ChunkCall) -> None:
        complete = False
        try:
            sender.carry_out(new, steps, patient=True)
            steps.withdraw_uncalled()
            sender.settle_unknown([job for job in jobs if job.record.phase == Phase.UNKNOWN], steps.options)
            complete = True
        finally:
            if not complete:
                steps.store.flush()

    def _tools_for(self, store: ChunkStore) -> SendTools:
        workshop, send = self._tools.send.workshop, self._tools.send
        reconciler = Reconciler(send.provider, store, clock=workshop.clock, policy=workshop.policy)
        return replace(send, store=store, reconciler=reconciler)

    def _abandon(self, record: MessageRecord) -> None:
        """An attempt before this one died over it: what it was calling is unknown, and looked up."""
        record.lose_track(LOST, at=self._clock.time(), window=self._tools.send.workshop.policy.unknown_window)

    def _jobs(self, work: _Work, left: dict[str, MessageRecord]) -> list[Job]:
        campaign, now, jobs = work.campaign, self._clock.time(), []
        for position, draft in enumerate(work.chunk.drafts(campaign)):
            id_ = Place(campaign.id, work.chunk.number, position).message_id
            record = left.get(id_) or new_record(draft, campaign.options, id_, at=now, campaign=campaign.id)
            jobs.append(Job(draft, record))
        return jobs

    def _plan_round(self, progress: Progress, jobs: Sequence[Job]) -> None:
        """For when the first of the messages is due; at once, where the chunk may have been the campaign's last."""
        times = [job.record.next_check_at for job in jobs if job.record.next_check_at is not None]
        if progress.state == OVER or not times:
            times.append(self._clock.time())
        self._tools.planner.plan(min(times))
