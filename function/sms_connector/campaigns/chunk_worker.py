"""Carry out one chunk of a campaign.

The steps are those of any send (`sending.send`), with three differences: outcomes are stored a block at a time; the
campaign's state is checked every few seconds (`stop_monitor`); and a provider that accepts nothing for the moment ends
the attempt, not the messages: the next attempt sends the rest. If no attempt can succeed before an operator acts
(credentials, the account), the campaign pauses and says why.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum

import msgspec
from msgspec.structs import replace

from sms_connector.campaigns.chunk import Chunk
from sms_connector.campaigns.chunk_send import ChunkSend
from sms_connector.campaigns.chunk_store import ChunkStore
from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.stop_monitor import StopMonitor
from sms_connector.errors import CallError, Conflict, ConnectorError, ProviderRefused, RequestError
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Ledger
from sms_connector.sending.send import Job, SendService, new_record
from sms_connector.store.apply_report import ApplyReport
from sms_connector.store.campaign_record import (
    AGGREGATED,
    CAMPAIGNS,
    COMPLETE,
    PROGRESS,
    Campaign,
    CampaignState,
    MessageLocation,
    Progress,
    chunk_id,
)
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.message_store import Outbox
from sms_connector.tracking.reconciler import Reconciler

PARALLEL_CANCELS = 8
CHECK_AGAIN = 0.05
LOST = "the worker that was sending it stopped before it recorded an outcome"
_Canceled = tuple[MessageRecord, DeliveryReport | ConnectorError]


class Attempt(Enum):
    """The result of an attempt at a chunk."""

    SENT = "sent"  # every record has its outcome (or an unknown one, which is looked up)
    STOPPED = "stopped"  # paused or canceled; resuming makes a new task
    BUSY = "busy"  # another worker carries it out; if that one dies, the task is tried again
    AGAIN = "again"  # the provider accepted no more, or the connection is suspended: try again later


class _Work(msgspec.Struct, frozen=True):
    """One chunk as read."""

    campaign: Campaign
    chunk: Chunk
    progress: Progress
    stopped: bool

    @property
    def is_sent(self) -> bool:
        return self.progress.state not in ("pending", "running")

    @property
    def nothing_to_do(self) -> bool:
        """Return whether it is stopped and no earlier attempt has left anything."""
        return self.stopped and not self.progress.holder


class ChunkWorker:
    """Carries out chunks, each by one thread of one node at a time. `is_suspended` reads from the ledger."""

    def __init__(
        self,
        sender: SendService,
        ledger: Ledger,
        campaigns: Campaigns,
        *,
        is_suspended: Callable[[], bool],
        outbox: Outbox | None = None,
    ) -> None:
        self._sender = sender
        self._ledger = ledger
        self._campaigns = campaigns
        self._is_suspended = is_suspended
        self._outbox = outbox
        self._clock = sender.context.clock
        self._stop_monitor = StopMonitor(ledger, is_suspended, throttle=sender.context.throttle, clock=self._clock)
        self._lock = threading.Lock()
        self._at_work: set[str] = set()

    def run(self, campaign_id: str, number: int) -> Attempt:
        """Raises what the ledger raises; the next attempt carries on."""
        with self._alone(chunk_id(campaign_id, number)) as alone, self._sender.lease.held() as holder:
            if not alone:
                return Attempt.BUSY
            try:
                return self._run(campaign_id, number, holder)
            except Conflict:
                return Attempt.BUSY  # another node has found this one dead and reclaimed the chunk

    @contextmanager
    def _alone(self, chunk: str) -> Iterator[bool]:
        """Yield False if this node works on the chunk already: a task may be delivered twice."""
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
            return self._stopped()
        if work.progress.holder != holder and self._sender.lease.living([work.progress.holder]):
            return Attempt.BUSY
        return self._carry_out(work, self._claim(work, holder))

    def _cancel_held(self, work: _Work, holder: str) -> Attempt:
        """Cancel scheduled messages at the provider. What an earlier attempt left gets its outcome first."""
        if work.progress.taken_back or work.progress.state == "pending":
            return Attempt.STOPPED
        if not work.is_sent and work.progress.holder:
            if work.progress.holder != holder and self._sender.lease.living([work.progress.holder]):
                return Attempt.BUSY
            self._carry_out(work, self._claim(work, holder))
        if not _cancel_scheduled(self._sender, work.progress):
            return Attempt.AGAIN
        self._campaigns.note_taken_back(work.progress)
        return Attempt.SENT

    def _read(self, campaign_id: str, number: int) -> _Work | None:
        check = self._stop_monitor.begin()
        [campaign] = self._ledger.get(CAMPAIGNS, [campaign_id])
        chunk = Chunk.read(self._ledger, campaign_id, number)
        [progress] = self._ledger.get(PROGRESS, [chunk_id(campaign_id, number)])
        if campaign is None or chunk is None or progress is None:
            return None
        stopped = self._stop_monitor.end(campaign_id, check, running=campaign.data["state"] == CampaignState.RUNNING)
        return _Work(Campaign.of(campaign), chunk, Progress.of(progress), stopped)

    def _claim(self, work: _Work, holder: str) -> Progress:
        """Raises Conflict if another worker was quicker."""
        progress = replace(work.progress, state="running", holder=holder)
        [progress.version] = self._ledger.commit([progress.to_write(expires_at=work.campaign.keep_until)])
        return progress

    def _carry_out(self, work: _Work, progress: Progress) -> Attempt:
        campaign, opt_outs = work.campaign, self._sender.opt_outs
        store = ChunkStore(self._ledger, campaign, progress, outbox=self._outbox, opt_outs=opt_outs)
        sender = self._sender_for(store)
        left = {} if work.progress.state == "pending" else {r.id: r for r in store.reclaim(self._abandon)}
        jobs = self._jobs(work, left)
        new = [] if work.stopped else [job for job in jobs if job.record.id not in left]
        steps = ChunkSend(
            sender, campaign, new, store=store, must_stop=lambda: self._stop_monitor.must_stop(campaign.id)
        )
        abandoned = [job for job in jobs if job.record.status is MessageStatus.UNKNOWN]
        try:
            if abandoned:  # before the new ones: their windows are running
                sender.settle_unknown(abandoned, campaign.options)
            sender.carry_out(new, steps, patient=True)
            steps.withdraw_uncalled()
            sender.settle_unknown([job for job in jobs if job.record.phase == Phase.UNKNOWN], campaign.options)
        except BaseException:
            store.flush()
            raise
        finished = store.finish_chunk()
        self._plan_maintenance(finished, jobs)
        self._settle(finished)
        if finished.state != "running":
            return Attempt.SENT
        stopped = work.stopped or steps.stopped_by_campaign
        if steps.to_fix is not None:
            stopped = self._campaigns.pause_by_itself(campaign, steps.to_fix)
        return self._stopped() if stopped else Attempt.AGAIN

    def _settle(self, progress: Progress) -> None:
        """Settle the campaign of a complete chunk: nothing of it is ever due, so that no run would end a campaign
        paused meanwhile."""
        if progress.state in (COMPLETE, AGGREGATED):
            self._campaigns.settle(progress.campaign)

    def _stopped(self) -> Attempt:
        """Keep tasks in the queue while the connection is suspended: a deployment may end that without an event."""
        return Attempt.AGAIN if self._is_suspended() else Attempt.STOPPED

    def _sender_for(self, store: ChunkStore) -> SendService:
        context = self._sender.context
        reconciler = Reconciler(self._sender.provider, store, clock=context.clock, policy=context.policy)
        return replace(self._sender, store=store, reconciler=reconciler)

    def _abandon(self, record: MessageRecord) -> None:
        """Mark unknown what an attempt that died was calling."""
        record.mark_unknown(LOST, at=self._clock.time(), window=self._sender.context.policy.unknown_window)

    def _jobs(self, work: _Work, left: dict[str, MessageRecord]) -> list[Job]:
        campaign, now, jobs = work.campaign, self._clock.time(), []
        for position, draft in enumerate(work.chunk.drafts(campaign)):
            id_ = MessageLocation(campaign.id, work.chunk.number, position).message_id
            record = left.get(id_) or new_record(draft, campaign.options, id_, at=now, campaign=campaign.id)
            jobs.append(Job(draft, record))
        return jobs

    def _plan_maintenance(self, progress: Progress, jobs: Sequence[Job]) -> None:
        """Plan a run for when the first message is due; at once if the chunk may be the campaign's last."""
        times = [job.record.next_check_at for job in jobs if job.record.next_check_at is not None]
        if progress.state == COMPLETE or not times:
            times.append(self._clock.time())
        self._sender.planner.plan(min(times))


def _cancel_scheduled(sender: SendService, progress: Progress) -> bool:
    """Cancel the chunk's scheduled messages. Return False if it has to be tried again: the provider accepted no more
    calls, or an outcome is still unknown.

    A message that the provider refuses to cancel stays as it is. May run again: canceled messages are final."""
    locations = [MessageLocation(progress.campaign, progress.chunk, position) for position in range(progress.valid)]
    records = [r for r in sender.store.get([location.message_id for location in locations]) if r is not None]
    now = sender.context.clock.time()
    held = [r for r in records if not r.final and r.provider_message_id is not None and r.begins_at > now]
    answers = _cancel_all(sender, held)
    at = sender.context.clock.time()
    changes = [(r, ApplyReport(report, at, "cancel")) for r, report in answers if isinstance(report, DeliveryReport)]
    sender.store.apply_all(changes)
    is_unsure = any(r.phase != Phase.DONE for r in records) and any(r.begins_at > now for r in records)
    return not is_unsure and not any(isinstance(answer, CallError | RequestError) for _, answer in answers)


def _cancel_all(sender: SendService, held: Sequence[MessageRecord]) -> list[_Canceled]:
    """Cancel a few at a time, so that a slow provider does not keep them below the rate."""
    left, answers = deque(held), list[_Canceled]()

    def work() -> None:
        with suppress(IndexError):
            while True:
                record = left.popleft()
                answers.append((record, _cancel(sender, record)))

    helpers = [sender.context.executor.submit(work) for _ in range(min(PARALLEL_CANCELS, len(held)) - 1)]
    work()
    for helper in helpers:
        while not helper.cancel() and not helper.done():
            sender.context.clock.sleep(CHECK_AGAIN)
        if not helper.cancelled():
            helper.result()
    return answers


def _cancel(sender: SendService, record: MessageRecord) -> DeliveryReport | ConnectorError:
    try:
        return sender.provider.cancel(record.provider_message_id or "")
    except (CallError, ProviderRefused, RequestError) as error:
        return error
