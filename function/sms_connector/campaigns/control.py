"""States, counts and totals of campaigns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import ceil

import msgspec
from msgspec.structs import replace

from sms_connector.campaigns.stop_monitor import new_stop_version, seconds_between_checks
from sms_connector.errors import Conflict, NotFound, PreconditionFailed
from sms_connector.ports import Absent, Clock, Ledger, Query, Task, TaskQueue, Version, Write
from sms_connector.ports.ledger_access import Cursor, conditions, page, repeat_on_conflict, scan
from sms_connector.store.campaign_record import (
    AGGREGATED,
    CAMPAIGNS,
    COMPLETE,
    PROGRESS,
    SENT,
    UNTRACKED,
    Campaign,
    CampaignState,
    Progress,
)
from sms_connector.store.event_merger import Pending, count_pending
from sms_connector.store.node_lease import NodeLease

CHUNK_PATH = "/tasks/chunk"
TASKS_AT_ONCE = 500
PAGE = 1000
# Seconds after which a cancellation that broke off is completed.
TAKE_BACK_AGAIN = 60.0
# A paused campaign with nothing left to send is done too.
_UNFINISHED = (CampaignState.RUNNING, CampaignState.PAUSED)
# One commit takes 500 writes: the campaign's and its chunks'.
AGGREGATE_PER_RUN = 400


class CampaignProgress(msgspec.Struct, frozen=True):
    """`counts` by status hold every record but the `waiting` ones, which have not been called (or are being called this
    second).

    `rate` is messages a second since it last began to run; `estimated_end` is epoch seconds. `may_still_leave`: what
    workers may call at most until they see that it was paused or canceled. Of a canceled, scheduled campaign:
    `taking_back` of its open messages are yet to be canceled at the provider, `not_taken_back` could not be.
    """

    campaign: Campaign
    counts: dict[str, int]
    waiting: int
    open_messages: int
    rate: float | None
    estimated_end: float | None
    may_still_leave: int | None = None
    taking_back: int | None = None
    not_taken_back: int | None = None


class _Sums(msgspec.Struct, frozen=True):
    """`versions` are those of the chunks that were counted by themselves."""

    counts: Counter[str]
    open_messages: int
    versions: dict[str, Version | Absent | None]
    not_taken_back: int

    def with_pending(self, pending: Pending) -> _Sums:
        counts = self.counts.copy()
        counts.update(pending.counts)
        return replace(self, counts=counts, open_messages=self.open_messages + pending.open_messages)

    @property
    def called(self) -> int:
        return sum(self.counts.values())


class Campaigns(msgspec.Struct, frozen=True):
    """Looks up, pauses, resumes, cancels and ends campaigns. `takes_back`: the provider can cancel scheduled
    messages."""

    ledger: Ledger
    queue: TaskQueue | None
    lease: NodeLease
    clock: Clock
    node_rate: int | None = None
    takes_back: bool = False

    def get(self, campaign_id: str) -> CampaignProgress:
        """Raises NotFound."""
        for counts_pending in (True, True, True, False):
            campaign = self.read(campaign_id)
            sums = self._sum(campaign)
            pending = count_pending(self.ledger, campaign_id) if counts_pending else None
            if self._is_current(campaign, sums, pending):  # else a chunk may be counted twice, or not at all
                break
        return self._describe(campaign, sums.with_pending(pending) if pending is not None else sums)

    def _is_current(self, campaign: Campaign, sums: _Sums, pending: Pending | None) -> bool:
        """Return whether nothing has changed while it was counted."""
        chunks = pending.chunks if pending is not None else []
        found = self.ledger.get(PROGRESS, chunks) if chunks else []
        versions = {each.id: each.version for each in found if each is not None and each.data["state"] != AGGREGATED}
        return self.read(campaign.id).version == campaign.version and versions.items() <= sums.versions.items()

    def page(
        self, *, limit: int, after: Cursor | None = None, state: CampaignState | None = None
    ) -> tuple[list[Campaign], Cursor | None]:
        """Return campaigns, newest first, without their counts, and where the next page begins."""
        where = conditions(("state", "==", state and str(state)))
        query = Query(CAMPAIGNS, where, order_by="createdAt", descending=True, limit=limit, after=after)
        return page(self.ledger, query, Campaign.of)

    def pause(self, campaign_id: str, reason: str | None = None) -> CampaignProgress:
        """Stop workers within seconds; calls under way get their outcome. Pausing a paused campaign changes nothing.

        Raises NotFound, and PreconditionFailed from a state that does not allow it; as `resume` and `cancel` do.
        """
        return self._stop(campaign_id, CampaignState.PAUSED, {CampaignState.RUNNING}, reason)

    def pause_by_itself(self, campaign: Campaign, reason: str) -> bool:
        """Pause because the provider accepts nothing until an operator has fixed what `reason` says. Return False if
        the campaign was resumed since the caller read it: the cause may be fixed."""

        def change(current: Campaign) -> None:
            if current.state is CampaignState.RUNNING and current.running_since == campaign.running_since:
                current.state, current.state_reason = CampaignState.PAUSED, reason
                current.updated_at = self.clock.time()

        return self._change(campaign.id, change, new_stop_version()).state is not CampaignState.RUNNING

    def cancel(self, campaign_id: str, reason: str | None = None) -> CampaignProgress:
        """Send nothing more. Workers cancel scheduled messages at the provider, where it can."""
        is_held = self.takes_back and self.read(campaign_id).options.send_at is not None
        if is_held:  # first for later: this request may break off before it has made the tasks for now
            self._enqueue_held(campaign_id, not_before=self.clock.time() + TAKE_BACK_AGAIN)
        progress = self._stop(
            campaign_id, CampaignState.CANCELED, {CampaignState.RUNNING, CampaignState.PAUSED}, reason
        )
        if is_held:
            self._enqueue_held(campaign_id)
        return progress

    def _enqueue_held(self, campaign_id: str, *, not_before: float | None = None) -> None:
        begun = self._progress(campaign_id, ("pending", "running", SENT, UNTRACKED))
        numbers = sorted({progress.chunk for progress in begun if not progress.taken_back})
        self._enqueue(campaign_id, numbers, not_before=not_before)

    def _enqueue(self, campaign_id: str, chunks: Iterable[int], *, not_before: float | None = None) -> None:
        """Enqueue a task a chunk; workers take them in parallel, each at its node's rate."""
        payloads = [{"campaign": campaign_id, "chunk": chunk} for chunk in chunks]
        tasks = [Task("chunks", CHUNK_PATH, payload, not_before=not_before) for payload in payloads]
        for start in range(0, len(tasks), TASKS_AT_ONCE):
            if self.queue is not None:
                self.queue.enqueue(tasks[start : start + TASKS_AT_ONCE])

    @repeat_on_conflict
    def note_taken_back(self, progress: Progress) -> None:
        """Record that the provider was asked to cancel the chunk's scheduled messages."""
        [document] = self.ledger.get(PROGRESS, [progress.id])
        if document is not None:
            current = replace(Progress.of(document), taken_back=True)
            self.ledger.commit([current.to_write(expires_at=float(document.data["expiresAt"]))])

    def resume(self, campaign_id: str, reason: str | None = None) -> CampaignProgress:
        """Let workers send the rest."""
        with self.lease.held():
            resumed = self._move(campaign_id, CampaignState.RUNNING, {CampaignState.PAUSED}, reason)
            self.enqueue_left(campaign_id)
        return resumed

    def enqueue_left(self, campaign_id: str) -> None:
        """Enqueue a task for every chunk that is not sent. A task too many is harmless: one worker carries a chunk
        out."""
        numbers = [progress.chunk for progress in self._progress(campaign_id, ("pending", "running"))]
        self._enqueue(campaign_id, sorted(numbers))
        self._change(campaign_id, _clear_holder)

    def release(self) -> None:
        """Enqueue the rest of running campaigns after a suspension, so that they go on at once."""
        where = conditions(("state", "==", str(CampaignState.RUNNING)))
        for document in scan(self.ledger, Query(CAMPAIGNS, where, order_by="createdAt", descending=True)):
            self.enqueue_left(document.id)

    def read(self, campaign_id: str) -> Campaign:
        """Raises NotFound."""
        [document] = self.ledger.get(CAMPAIGNS, [campaign_id])
        if document is None:
            raise NotFound(f"no campaign {campaign_id}; ids begin with cmp_ and are kept for 30 days")
        return Campaign.of(document)

    # --- counting -----------------------------------------------------------------------------------------------------

    def note_retry(self, campaign_id: str, retry: str) -> None:
        def change(campaign: Campaign) -> None:
            if retry not in campaign.retries:
                campaign.retries.append(retry)

        self._change(campaign_id, change)

    def settle(self, campaign_id: str) -> None:
        """Add complete chunks to the campaign's totals, so that counting stays cheap, and end the campaign if it is
        done."""
        over = list(self._progress(campaign_id, (COMPLETE,)))
        for start in range(0, len(over), AGGREGATE_PER_RUN):
            self._aggregate(self.read(campaign_id), over[start : start + AGGREGATE_PER_RUN])
        if not self._is_busy(campaign_id) and self.read(campaign_id).state in _UNFINISHED:
            self._change(campaign_id, self._finish)

    def _finish(self, campaign: Campaign) -> None:
        if campaign.state in _UNFINISHED:
            campaign.state, campaign.done_at = CampaignState.DONE, self.clock.time()
            campaign.updated_at = campaign.done_at

    def _is_busy(self, campaign_id: str) -> bool:
        """Return whether something is left to send or to poll."""
        return any(self.ledger.find(in_state(campaign_id, state, limit=1)) for state in ("pending", "running", SENT))

    def _aggregate(self, campaign: Campaign, over: list[Progress]) -> None:
        for progress in over:
            campaign.aggregate(progress)
        writes = [progress.to_write(expires_at=campaign.keep_until) for progress in over]
        with suppress(Conflict):  # another run was quicker; the next one sees the rest
            self.ledger.commit([campaign.to_write(), *writes])

    def _sum(self, campaign: Campaign) -> _Sums:
        """Sum the chunks by state, in the order of their life: one that changes meanwhile is met twice, and never
        missed."""
        chunks = {each.chunk: each for each in self._progress(campaign.id, ("running", SENT, UNTRACKED, COMPLETE))}
        counts = Counter(campaign.counts)
        for progress in chunks.values():
            counts.update(progress.counts)
        open_messages = sum(progress.open_messages for progress in chunks.values())
        left = sum(progress.open_messages for progress in chunks.values() if progress.taken_back)
        return _Sums(counts, open_messages, {each.id: each.version for each in chunks.values()}, left)

    def _progress(self, campaign_id: str, states: Iterable[str]) -> Iterator[Progress]:
        for state in states:
            yield from map(Progress.of, scan(self.ledger, in_state(campaign_id, state)))

    def _describe(self, campaign: Campaign, sums: _Sums) -> CampaignProgress:
        counts = sums.counts.copy()
        waiting = campaign.valid - sums.called
        if campaign.state is CampaignState.CANCELED:
            counts["canceled"] += waiting
            waiting = 0
        counts["error"] += campaign.refused
        now = self.clock.time()
        rate = None
        if campaign.state is CampaignState.RUNNING and campaign.running_since is not None:
            seconds = max(now - campaign.running_since, 1.0)
            rate = (sums.called - campaign.sent_before) / seconds
        end = now + waiting / rate if rate and waiting else None
        progress = CampaignProgress(campaign, +counts, waiting, sums.open_messages, rate, end)
        if campaign.state is not CampaignState.CANCELED or campaign.options.send_at is None:
            return progress
        left = min(sums.not_taken_back, sums.open_messages) if self.takes_back else sums.open_messages
        return replace(progress, taking_back=sums.open_messages - left, not_taken_back=left)

    # --- states -------------------------------------------------------------------------------------------------------

    def _stop(
        self, campaign_id: str, to: CampaignState, allowed: set[CampaignState], reason: str | None
    ) -> CampaignProgress:
        progress = self._move(campaign_id, to, allowed, reason)
        begun = list(self._progress(campaign_id, ("running",)))
        nodes = self.lease.living(each.holder for each in begun if each.holder)
        calls = ceil((self.node_rate or 25) * seconds_between_checks(self.node_rate))
        left = sum(each.valid - sum(each.counts.values()) for each in begun if each.holder in nodes)
        return replace(progress, may_still_leave=min(left, len(nodes) * calls))

    def _move(
        self, campaign_id: str, to: CampaignState, allowed: set[CampaignState], reason: str | None
    ) -> CampaignProgress:
        now = self.clock.time()

        def change(campaign: Campaign) -> None:
            if campaign.state is to:
                return
            if campaign.state not in allowed:
                raise PreconditionFailed(f"the campaign is {campaign.state}: it can't become {to} from there")
            campaign.state, campaign.state_reason, campaign.updated_at = to, reason, now
            if to is CampaignState.RUNNING:
                campaign.running_since, campaign.sent_before = now, self._sum(campaign).called
                campaign.holder = self.lease.name()

        self._change(campaign_id, change, new_stop_version())
        return self.get(campaign_id)

    @repeat_on_conflict
    def _change(self, campaign_id: str, change: Callable[[Campaign], None], *also: Write) -> Campaign:
        campaign = self.read(campaign_id)
        change(campaign)
        campaign.version = self.ledger.commit([campaign.to_write(), *also])[0]
        return campaign


def in_state(campaign_id: str, state: str, *, limit: int = PAGE) -> Query:
    return Query(PROGRESS, (("campaign", "==", campaign_id), ("state", "==", state)), limit=limit)


def _clear_holder(campaign: Campaign) -> None:
    """Clear the holder: every task was made."""
    campaign.holder = ""
