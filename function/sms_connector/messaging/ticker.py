"""The net under everything that waits: one round at a time for the whole connection, as a durable task.

A round folds news into blocks, asks the provider for what is due in as few calls as can be, looks into unknown outcomes, ends
what had no news for too long, sends callbacks whose task was lost, and finishes what a dead node has left of a campaign's
creation. It plans the next round for when something is due again; when nothing is, there is none until somebody sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from sms_connector.errors import Conflict
from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.blocks import BLOCKS, Block, by_chunk
from sms_connector.messaging.campaigns.campaign import CAMPAIGNS, Campaign, CampaignState
from sms_connector.messaging.campaigns.control import Campaigns
from sms_connector.messaging.campaigns.intake import LOOK_AFTER, discard
from sms_connector.messaging.campaigns.news import forget, read_news, report_of
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.record import COLLECTION as MESSAGES
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.tick_planner import PATH as PATH
from sms_connector.messaging.tick_planner import TickPlanner
from sms_connector.messaging.tracking import Tracker
from sms_connector.ports import MUST_BE_ABSENT, Clock, Condition, Document, Ledger, Query, Version, Write

STATE, DOCUMENT = "state", "ticker"
MESSAGES_A_ROUND = 1000
BLOCKS_A_ROUND = 400
# Campaigns that run at the same time; more are looked at when one of their messages is due.
CAMPAIGNS_A_ROUND = 100


class TickerTools(msgspec.Struct, frozen=True):
    """What a round needs. `asked_a_round` is how many messages it asks after at most: it has to end before its task's time is
    up. `sweep` sends callbacks whose task was lost and says when the next one is due. `news`: some is written (`campaigns.news`)."""

    ledger: Ledger
    store: BlockStore
    tracker: Tracker
    campaigns: Campaigns
    lease: NodeLease
    planner: TickPlanner
    clock: Clock
    policy: Policy
    news: bool
    asked_a_round: int = 1000
    sweep: Callable[[float], float | None] | None = None


class Ticker:
    """`tick` is what the task calls."""

    def __init__(self, tools: TickerTools) -> None:
        self._tools = tools

    def tick(self) -> bool:
        """One round. False where another node is at it: that one plans the next, and if it dies, its task comes again."""
        tools = self._tools
        with tools.lease.held() as holder:
            claim = self._claim(holder)
            if claim is None:
                return False
            try:
                next_callback = self._round(tools.clock.time())
            finally:
                self._let_go(claim)
            self._plan(next_callback)
        return True

    def _claim(self, holder: str) -> Version | None:
        [document] = self._tools.ledger.get(STATE, [DOCUMENT])
        if document is not None and self._tools.lease.living([document.data["holder"]]):
            return None
        expected = document.version if document is not None else MUST_BE_ABSENT
        try:
            [version] = self._tools.ledger.commit([Write(STATE, DOCUMENT, {"holder": holder}, expected)])
        except Conflict:
            return None
        return version

    def _let_go(self, claim: Version) -> None:
        try:
            self._tools.ledger.commit([Write(STATE, DOCUMENT, {"holder": ""}, claim)])
        except Conflict:
            return  # our lease ended: another node is at it

    def _round(self, now: float) -> float | None:
        touched = self._follow(now)
        running = self._campaigns(CampaignState.RUNNING)
        for campaign_id in sorted(touched | {campaign.id for campaign in running}):
            self._tools.campaigns.settle(campaign_id)
        self._finish_creations([*running, *self._campaigns(CampaignState.ACCEPTING)])
        return self._tools.sweep(now) if self._tools.sweep is not None else None

    # --- messages -----------------------------------------------------------------------------------------------------

    def _follow(self, now: float) -> set[str]:
        """Everything that is due; returns the campaigns that were touched."""
        tools = self._tools
        messages = tools.store.find(_due(MESSAGES, now, MESSAGES_A_ROUND))
        blocks = {block.id: block for block in map(Block.of, tools.ledger.find(_due(BLOCKS, now, BLOCKS_A_ROUND)))}
        if tools.news:
            self._fold(blocks)
        tracked = [record for block in blocks.values() for record in block.open()] + messages
        late = [record for block in blocks.values() for record in block.records.values() if record.final]
        copies = [r for r in tracked if r.same_as and r.next_check_at is not None and r.next_check_at <= now]
        tools.store.update_copies(copies)
        tracked = [record for record in tracked if not record.same_as]
        self._end_overdue(tracked, now)
        due = [r for r in tracked if not r.final and r.next_check_at is not None and r.next_check_at <= now]
        quiet = [record for record in due if not _is_asked_for(record)]
        quiet += [record for record in late if record.next_check_at is not None and record.next_check_at <= now]
        asked = sorted((r for r in due if _is_asked_for(r)), key=lambda record: record.next_check_at or 0.0)
        tools.tracker.ask(asked[: tools.asked_a_round], keep_count=True)
        self._postpone(quiet, now)
        return {block.campaign for block in blocks.values()}

    def _fold(self, blocks: dict[str, Block]) -> None:
        """What callbacks told since the last round."""
        ledger, store = self._tools.ledger, self._tools.store
        told: dict[str, list[Document]] = {}
        # Any news settles an unknown outcome; of the others only a final one is worth a write.
        for settled in (True, False):
            some = [block for block in blocks.values() if _is_settled(block) is settled]
            for news in store.each(partial(read_news, ledger, final_only=settled), by_chunk(some)):
                told |= news
        awaited = {id_: _awaited(blocks[id_], news) for id_, news in told.items()}
        changes = [
            (blocks[id_].records[each.data["position"]], _Told(each)) for id_, news in awaited.items() for each in news
        ]
        saved = store.save_in_blocks(changes, loaded=blocks)
        forget(
            ledger,
            [
                each
                for id_, news in told.items()
                for each in news
                # A worker may have filled the block up since it was read: what that news is about comes with the next round.
                if each.data["position"] in blocks[id_].records and (id_ in saved or each not in awaited[id_])
            ],
        )

    def _end_overdue(self, records: Iterable[MessageRecord], now: float) -> None:
        limit = self._tools.policy.expire_after
        for record in records:
            if not record.final and record.begins_at + limit <= now:
                self._tools.store.apply(record, lambda current: current.expire(at=now))

    def _postpone(self, records: Sequence[MessageRecord], now: float) -> None:
        later = _Later(now, limit=self._tools.policy.expire_after)
        for record in records:
            later(record)
        self._tools.store.save([(record, later) for record in records])

    # --- campaigns ----------------------------------------------------------------------------------------------------

    def _campaigns(self, state: CampaignState) -> list[Campaign]:
        where: tuple[Condition, ...] = (("state", "==", str(state)),)
        query = Query(CAMPAIGNS, where, order_by="createdAt", descending=True, limit=CAMPAIGNS_A_ROUND)
        return [Campaign.of(document) for document in self._tools.ledger.find(query)]

    def _finish_creations(self, campaigns: Iterable[Campaign]) -> None:
        """A node that died while it took records in leaves nothing; one that died while it made tasks, all of them."""
        tools = self._tools
        begun = [campaign for campaign in campaigns if campaign.holder]
        living = tools.lease.living(campaign.holder for campaign in begun)
        for campaign in begun:
            if campaign.holder in living:
                tools.planner.plan(tools.clock.time() + LOOK_AFTER)
            elif campaign.state is CampaignState.ACCEPTING:
                discard(tools.ledger, campaign)
            else:
                tools.campaigns.enqueue_left(campaign.id)

    # --- the next round -----------------------------------------------------------------------------------------------

    def _plan(self, next_callback: float | None) -> None:
        times = [next_callback] if next_callback is not None else []
        for collection in (MESSAGES, BLOCKS):
            first = self._tools.ledger.find(Query(collection, order_by="nextCheckAt", limit=1))
            times += [float(document.data["nextCheckAt"]) for document in first]
        if times:
            self._tools.planner.plan(min(times))


class _Later(msgspec.Struct, frozen=True):
    now: float
    limit: float

    def __call__(self, record: MessageRecord) -> None:
        record.look_later(at=self.now, limit=self.limit)


class _Told(msgspec.Struct, frozen=True):
    """News as a change that can be applied again."""

    news: Document

    def __call__(self, record: MessageRecord) -> None:
        record.hear(report_of(self.news), at=self.news.data["at"], source="callback")


def _is_asked_for(record: MessageRecord) -> bool:
    """Attempts are left; or its outcome is open, which is looked into for as long as its window lasts."""
    return record.attempts < record.attempts_allowed or record.phase != Phase.DONE


def _awaited(block: Block, news: Iterable[Document]) -> list[Document]:
    """Those that change one of its messages."""
    told = sorted(news, key=lambda each: float(each.data["at"]))
    return [n for n in told if n.data["position"] in block.records and block.records[n.data["position"]].may_yield]


def _is_settled(block: Block) -> bool:
    return not any(record.is_unsettled for record in block.records.values())


def _due(collection: str, now: float, limit: int) -> Query:
    return Query(collection, (("nextCheckAt", "<=", now),), order_by="nextCheckAt", limit=limit)
