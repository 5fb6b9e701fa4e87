"""A campaign from its creation to its end, as the API sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sms_connector.errors import Conflict, Kind, NotFound, PreconditionFailed
from sms_connector.messaging.campaigns.campaign import CAMPAIGNS, PROGRESS, Campaign, CampaignState, Progress
from sms_connector.messaging.campaigns.intake import enqueue_chunks
from sms_connector.ports import Clock, Ledger, Query, TaskQueue

Cursor = tuple[float, str]
PROGRESS_PAGE = 1000


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """What a campaign has come to. `counts` by status hold every record, `waiting` those that were not called yet.

    `rate` is messages a second since it last began to run; `estimated_end` is epoch seconds.
    """

    campaign: Campaign
    counts: dict[str, int]
    waiting: int
    open_messages: int
    rate: float | None
    estimated_end: float | None


@dataclass(frozen=True, slots=True)
class _Sums:
    counts: Counter[str]
    called: int
    open_messages: int
    tracked: int
    unsent_chunks: int


class Campaigns:
    """Looking up, pausing, resuming, canceling; noticing that one is done."""

    def __init__(self, ledger: Ledger, queue: TaskQueue | None, *, clock: Clock) -> None:
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def get(self, campaign_id: str) -> CampaignProgress:
        """Raises NotFound."""
        campaign = self.read(campaign_id)
        sums = self._sum(campaign)
        if campaign.state is CampaignState.RUNNING and not sums.unsent_chunks and not sums.tracked:
            campaign = self._change(campaign_id, _finish(self._clock.time()))
        return self._describe(campaign, sums)

    def page(
        self, *, limit: int, after: Cursor | None = None, state: CampaignState | None = None
    ) -> tuple[list[Campaign], Cursor | None]:
        """Newest first, without their counts; the second value is where the next page begins."""
        where = (("state", "==", str(state)),) if state else ()
        query = Query(CAMPAIGNS, where, order_by="createdAt", descending=True, limit=limit + 1, after=after)  # type: ignore[arg-type]
        found = [Campaign.of(document) for document in self._ledger.find(query)]
        more = (found[limit - 1].created_at, found[limit - 1].id) if len(found) > limit else None
        return found[:limit], more

    def pause(self, campaign_id: str, reason: str | None = None) -> CampaignProgress:
        """Workers stop within seconds; what they are calling gets its outcome. Pausing what is paused changes nothing."""
        return self._move(campaign_id, CampaignState.PAUSED, {CampaignState.RUNNING}, reason)

    def cancel(self, campaign_id: str) -> CampaignProgress:
        """What was not called never will be."""
        return self._move(campaign_id, CampaignState.CANCELED, {CampaignState.RUNNING, CampaignState.PAUSED}, None)

    def resume(self, campaign_id: str) -> CampaignProgress:
        """Workers take up what is left, at their rate."""
        self._move(campaign_id, CampaignState.RUNNING, {CampaignState.PAUSED}, None)
        self.enqueue_left(campaign_id)
        return self.get(campaign_id)

    def enqueue_left(self, campaign_id: str) -> None:
        """A task for every chunk that is not sent. One too many does no harm: a chunk is carried out by one worker."""
        numbers = [p.chunk for p in self._progress(campaign_id, ("pending", "running"))]
        if self._queue is not None:
            enqueue_chunks(self._queue, campaign_id, sorted(numbers))

    def read(self, campaign_id: str) -> Campaign:
        [document] = self._ledger.get(CAMPAIGNS, [campaign_id])
        if document is None:
            raise NotFound(
                f"there is no campaign {campaign_id}; ids begin with cmp_ and are kept for 30 days", kind=Kind.NOT_FOUND
            )
        return Campaign.of(document)

    # --- counting -----------------------------------------------------------------------------------------------------

    def roll(self, campaign_id: str) -> None:
        """Add chunks that are over to the campaign's own sums, so that counting stays cheap however large it is."""
        over = [p for p in self._progress(campaign_id, ("sent",)) if not p.open_messages]
        for start in range(0, len(over), 200):
            self._roll(self.read(campaign_id), over[start : start + 200])

    def _roll(self, campaign: Campaign, over: list[Progress]) -> None:
        counts = Counter(campaign.counts)
        for progress in over:
            counts.update(progress.counts)
            progress.state = "rolled"
        campaign.counts, campaign.rolled = dict(counts), campaign.rolled + len(over)
        expires_at = campaign.updated_at + 31 * 86_400
        try:
            self._ledger.commit([campaign.to_write(), *(progress.to_write(expires_at=expires_at) for progress in over)])
        except Conflict:
            return  # somebody was quicker; the next round sees what is left

    def _sum(self, campaign: Campaign) -> _Sums:
        counts = Counter(campaign.counts)
        called = sum(campaign.counts.values())
        open_messages = tracked = 0
        seen = campaign.rolled
        for progress in self._progress(campaign.id, ("running", "sent")):
            counts.update(progress.counts)
            called += sum(progress.counts.values())
            open_messages += progress.open_messages
            tracked += progress.tracked
            seen += progress.state == "sent"
        return _Sums(counts, called, open_messages, tracked, campaign.chunks - seen)

    def _progress(self, campaign_id: str, states: Iterable[str]) -> list[Progress]:
        found: list[Progress] = []
        for state in states:
            after: tuple[str, str] | None = None
            while True:
                where = (("campaign", "==", campaign_id), ("state", "==", state))
                page = self._ledger.find(Query(PROGRESS, where, limit=PROGRESS_PAGE, after=after))  # type: ignore[arg-type]
                found += [Progress.of(document) for document in page]
                if len(page) < PROGRESS_PAGE:
                    break
                after = (page[-1].id, page[-1].id)
        return found

    def _describe(self, campaign: Campaign, sums: _Sums) -> CampaignProgress:
        counts = sums.counts.copy()
        waiting = campaign.valid - sums.called
        if campaign.state is CampaignState.CANCELED:
            counts["canceled"] += waiting
            waiting = 0
        counts["error"] += campaign.refused
        now = self._clock.time()
        rate = None
        if campaign.state is CampaignState.RUNNING and campaign.running_since is not None:
            seconds = max(now - campaign.running_since, 1.0)
            rate = (sums.called - campaign.sent_before) / seconds
        end = now + waiting / rate if rate and waiting else None
        return CampaignProgress(campaign, +counts, waiting, sums.open_messages, rate, end)

    # --- states -------------------------------------------------------------------------------------------------------

    def _move(
        self, campaign_id: str, to: CampaignState, allowed: set[CampaignState], reason: str | None
    ) -> CampaignProgress:
        now = self._clock.time()

        def change(campaign: Campaign) -> None:
            if campaign.state is to:
                return
            if campaign.state not in allowed:
                raise PreconditionFailed(f"the campaign is {campaign.state}: it can't become {to} from there")
            campaign.state, campaign.state_reason, campaign.updated_at = to, reason, now
            if to is CampaignState.RUNNING:
                campaign.running_since, campaign.sent_before = now, self._sum(campaign).called

        return self._describe(campaign := self._change(campaign_id, change), self._sum(campaign))

    def _change(self, campaign_id: str, change: Callable[[Campaign], None]) -> Campaign:
        while True:
            campaign = self.read(campaign_id)
            change(campaign)
            try:
                [campaign.version] = self._ledger.commit([campaign.to_write()])
            except Conflict:
                continue
            return campaign


def _finish(now: float) -> Callable[[Campaign], None]:
    def change(campaign: Campaign) -> None:
        if campaign.state is CampaignState.RUNNING:
            campaign.state, campaign.done_at, campaign.updated_at = CampaignState.DONE, now, now

    return change
