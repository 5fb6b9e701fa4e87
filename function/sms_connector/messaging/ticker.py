"""The net under everything that waits: one round at a time for the whole connection, as a durable task.

A round folds news into blocks, asks the provider for what is due in as few calls as can be, looks into unknown outcomes, ends
what had no news for too long, sends callbacks whose task was lost, and clears away an intake that died. It plans the next round
for when something is due again; when nothing is, there is none until somebody sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from sms_connector.errors import Conflict
from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.blocks import BLOCKS, Block
from sms_connector.messaging.campaigns.campaign import (
    CAMPAIGNS,
    PROGRESS,
    Campaign,
    CampaignState,
    Progress,
    chunk_id,
)
from sms_connector.messaging.campaigns.control import Campaigns
from sms_connector.messaging.campaigns.intake import GROUP_CHUNKS, discard
from sms_connector.messaging.campaigns.news import read_news, report_of
from sms_connector.messaging.message_store import Change
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.record import COLLECTION as MESSAGES
from sms_connector.messaging.record import MessageRecord
from sms_connector.messaging.tracking import Tracker
from sms_connector.ports import MUST_BE_ABSENT, Clock, Document, Ledger, Query, Task, TaskQueue, Write

PATH = "/tasks/tick"
STATE, DOCUMENT = "state", "ticker"
ROUND_SECONDS = 120.0
MESSAGES_A_ROUND = 1000
BLOCKS_A_ROUND = 400
LEAST_PAUSE = 1.0
# A campaign whose records are still being taken in by a node that is gone.
INTAKE_SECONDS = 600.0


class TickPlanner:
    """Makes sure that a round comes. Named tasks: however many nodes plan the same second, one task is made."""

    def __init__(self, queue: TaskQueue | None, *, connection: str, clock: Clock) -> None:
        self._queue = queue
        self._connection = connection
        self._clock = clock
        self._planned = 0

    def plan(self, due: float) -> None:
        """A round at `due` (epoch seconds), or within a second after."""
        slot = ceil(max(due, self._clock.time() + LEAST_PAUSE))
        now = self._clock.time()
        if self._queue is None or now < self._planned <= slot:
            return  # an earlier round is coming; it plans what follows
        self._planned = slot
        self._queue.enqueue(
            [Task("events", PATH, {"at": slot}, name=f"{self._connection}-tick-{slot}", not_before=slot)]
        )


@dataclass(frozen=True, slots=True)
class TickerTools:
    """What a round needs. `sweep_callbacks` sends callbacks whose task was lost and says when the next one is due."""

    ledger: Ledger
    store: BlockStore
    tracker: Tracker
    campaigns: Campaigns
    lease: NodeLease
    planner: TickPlanner
    clock: Clock
    policy: Policy
    callbacks: bool
    sweep_callbacks: Callable[[float], float | None]


class Ticker:
    """`tick` is what the task calls."""

    def __init__(self, tools: TickerTools) -> None:
        self._tools = tools

    def tick(self) -> bool:
        """One round. False where another node is at it; that one plans the next."""
        tools = self._tools
        with tools.lease.held():
            claim = self._claim()
            if claim is None:
                return False
            touched = self._round(tools.clock.time())
            for campaign_id in sorted(touched):
                tools.campaigns.roll(campaign_id)
                tools.campaigns.get(campaign_id)
            next_callback = tools.sweep_callbacks(tools.clock.time())
            self._clear_intakes()
            tools.ledger.commit([Write(STATE, DOCUMENT, {"until": 0.0})])
        self._plan(next_callback)
        return True

    def _claim(self) -> Write | None:
        [document] = self._tools.ledger.get(STATE, [DOCUMENT])
        now = self._tools.clock.time()
        if document is not None and document.data["until"] > now:
            return None
        claim = Write(STATE, DOCUMENT, {"until": now + ROUND_SECONDS}, document.version if document else MUST_BE_ABSENT)
        try:
            self._tools.ledger.commit([claim])
        except Conflict:
            return None
        return claim

    def _round(self, now: float) -> set[str]:
        """Everything that is due; returns the campaigns that were touched."""
        tools = self._tools
        messages = tools.store.find(_due(MESSAGES, now, MESSAGES_A_ROUND))
        blocks = self._blocks_due(now)
        folded = self._fold(blocks.values(), now)
        tracked = [record for block in blocks.values() for record in block.open()] + messages
        self._end_overdue(tracked, now)
        due = [r for r in tracked if not r.final and r.next_check_at is not None and r.next_check_at <= now]
        tools.tracker.ask(due, keep_count=True)
        return {block.campaign for block in blocks.values()} | folded

    def _blocks_due(self, now: float) -> dict[str, Block]:
        """What is being carried out belongs to its worker and is left out: it comes when its chunk is sent."""
        blocks = [Block.of(document) for document in self._tools.ledger.find(_due(BLOCKS, now, BLOCKS_A_ROUND))]
        chunks = sorted({_chunk_of(block) for block in blocks})
        documents: Sequence[Document | None] = self._tools.ledger.get(PROGRESS, chunks) if chunks else []
        ours = {d.id for d in documents if d is not None and not Progress.of(d).in_hand}
        return {block.id: block for block in blocks if _chunk_of(block) in ours}

    def _fold(self, blocks: Iterable[Block], now: float) -> set[str]:
        """What callbacks told since the last round."""
        tools = self._tools
        if not tools.callbacks:
            return set()
        loaded = {block.id: block for block in blocks}
        changes: list[tuple[MessageRecord, Change]] = []
        for block in loaded.values():
            news = read_news(tools.ledger, block, final_only=True)
            changes += [(block.records[n.data["position"]], _Told(n, now)) for n in _of_open(block, news)]
        tools.store.save_in_blocks(changes, loaded=loaded)
        return {block.campaign for block in loaded.values()}

    def _end_overdue(self, records: Iterable[MessageRecord], now: float) -> None:
        limit = self._tools.policy.expire_after
        for record in records:
            if not record.final and record.created_at + limit <= now:
                self._tools.store.apply(record, lambda current: current.expire(at=now))

    def _clear_intakes(self) -> None:
        tools = self._tools
        where = (("state", "==", str(CampaignState.ACCEPTING)),)
        found = tools.ledger.find(Query(CAMPAIGNS, where, order_by="createdAt", limit=20))  # type: ignore[arg-type]
        campaigns = [Campaign.of(document) for document in found]
        living = tools.lease.living(campaign.holder for campaign in campaigns)
        for campaign in campaigns:
            if campaign.holder not in living:
                discard(tools.ledger, campaign.id, _chunks_begun(tools.ledger, campaign.id) + GROUP_CHUNKS)

    def _plan(self, next_callback: float | None) -> None:
        tools = self._tools
        times = [next_callback] if next_callback is not None else []
        for collection in (MESSAGES, BLOCKS):
            first = tools.ledger.find(Query(collection, order_by="nextCheckAt", limit=1))
            times += [float(document.data["nextCheckAt"]) for document in first]
        if times:
            tools.planner.plan(min(times))


@dataclass(frozen=True, slots=True)
class _Told:
    """News as a change that can be applied again."""

    news: Document
    at: float

    def __call__(self, record: MessageRecord) -> None:
        record.hear(report_of(self.news), at=self.news.data["at"], source="callback")
        if record.final:
            record.next_check_at = None


def _of_open(block: Block, news: Iterable[Document]) -> list[Document]:
    open_positions = {position for position, record in block.records.items() if not record.final}
    return [document for document in news if document.data["position"] in open_positions]


def _chunk_of(block: Block) -> str:
    return block.id.rpartition("-")[0]


def _due(collection: str, now: float, limit: int) -> Query:
    return Query(collection, (("nextCheckAt", "<=", now),), order_by="nextCheckAt", limit=limit)


def _chunks_begun(ledger: Ledger, campaign: str) -> int:
    """How many chunks a broken intake has left: they were written in order."""
    count = 0
    while any(ledger.get(PROGRESS, [chunk_id(campaign, number) for number in range(count, count + 100)])):
        count += 100
    return count
