"""Following messages to a final status while a request waits for them (sending.md section 4).

All waiting requests of a node share one round of questions: whoever waits longest asks for everybody. A round takes the cheaper
way, the provider's list or single questions, from what is due. A round is put off for half an interval so that more messages are
due together, yet not past the moment when the last waiting one is due.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sms_connector.errors import CallError, ProviderRefused, RequestError
from sms_connector.messaging.message_store import MessageStore, become
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.reconcile import Reconciler, listed_sender
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.requests import Tracking
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.ports import Clock
from sms_connector.provider import Provider, ReportQuery

MAX_PAGES = 20
LOST = "the node that was sending it stopped before it recorded an outcome"


@dataclass(slots=True, eq=False)
class _Following:
    """One request's messages; `due` is when its next one is to be asked for."""

    records: list[MessageRecord]
    tracking: Tracking
    done: threading.Event = field(default_factory=threading.Event)

    def open(self) -> list[MessageRecord]:
        return [record for record in self.records if not record.final and record.attempts < self.tracking.attempts]


class Tracker:
    """`follow` blocks until the records are final or their attempts are used up. Thread-safe."""

    def __init__(
        self,
        provider: Provider,
        store: MessageStore,
        reconciler: Reconciler,
        lease: NodeLease,
        *,
        clock: Clock,
        policy: Policy,
        callbacks: bool,
    ) -> None:
        self._provider = provider
        self._store = store
        self._reconciler = reconciler
        self._lease = lease
        self._clock = clock
        self._policy = policy
        self._callbacks = callbacks
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._waiting: list[_Following] = []

    def follow(self, records: Sequence[MessageRecord], tracking: Tracking) -> None:
        following = _Following([record for record in records if not record.final], tracking)
        with self._lock:
            self._waiting.append(following)
        try:
            while following.open():
                self._ask_or_wait(following)
        finally:
            with self._lock:
                self._waiting.remove(following)

    def ask(self, records: Sequence[MessageRecord], *, keep_count: bool = False) -> None:
        """Ask for these messages now, in as few calls as can be.

        `keep_count`: whoever asks next has only the ledger to tell how often was asked, so that is written too.
        """
        # What was told of a campaign's messages is folded in by whoever asks.
        alone = [record for record in records if record.campaign is None]
        self._reread([record for record in alone if self._callbacks or record.phase == Phase.CALLING])
        self.mark_abandoned(records)
        self._reconciler.resolve(records)
        known = [record for record in records if record.provider_message_id and not record.final]
        try:
            reports = self._reports(known)
        except (CallError, ProviderRefused, RequestError):
            reports = {}  # the attempt counts: a provider that can't be asked must not hold its caller for ever
        self._store_news(records, reports, keep_count=keep_count)

    def mark_abandoned(self, records: Sequence[MessageRecord]) -> None:
        """What a node was calling whose lease has ended is unknown from now on."""
        calling = [record for record in records if record.phase == Phase.CALLING]
        living = self._lease.living(record.holder or "" for record in calling)
        now = self._clock.time()
        for record in calling:
            if record.holder not in living:
                self._store.apply(record, lambda current: _abandon(current, at=now, window=self._policy.unknown_window))

    # --- rounds -------------------------------------------------------------------------------------------------------

    def _ask_or_wait(self, following: _Following) -> None:
        """One of the waiting requests asks for all of them; the others look again when it has."""
        pause = self._until_next_round()
        if pause > 0:
            self._clock.wait(following.done, min(pause, 1.0))
            following.done.clear()
        elif self._asking.acquire(blocking=False):
            try:
                self.ask(self._due())
            finally:
                self._asking.release()
            self._wake_all()
        else:
            self._clock.wait(following.done, 0.05)

    def _until_next_round(self) -> float:
        times = [
            (self._due_at(record), record.interval) for following in self._snapshot() for record in following.open()
        ]
        if not times:
            return 0.0
        first, interval = min(times)
        latest = max(due for due, _ in times)
        return min(first + interval / 2, latest) - self._clock.time()

    def _due(self) -> list[MessageRecord]:
        now = self._clock.time()
        return [record for following in self._snapshot() for record in following.open() if self._due_at(record) <= now]

    def _due_at(self, record: MessageRecord) -> float:
        """One interval after the message was last heard of or asked for."""
        return record.next_check_at if record.next_check_at is not None else record.updated_at + record.interval

    def _snapshot(self) -> list[_Following]:
        with self._lock:
            return list(self._waiting)

    def _wake_all(self) -> None:
        for following in self._snapshot():
            following.done.set()

    # --- questions ----------------------------------------------------------------------------------------------------

    def _reread(self, records: Sequence[MessageRecord]) -> None:
        """A callback may have brought news to the ledger: reading that costs no call."""
        for record, current in zip(
            records, self._store.get([record.id for record in records]) if records else [], strict=True
        ):
            if current is not None and current.version != record.version:
                become(record, current)

    def _reports(self, records: Sequence[MessageRecord]) -> dict[str, DeliveryReport]:
        capabilities = self._provider.capabilities
        missing = {record.provider_message_id or "": record for record in records}
        found: dict[str, DeliveryReport] = {}
        if capabilities.reports_per_page and len(missing) > max(1, capabilities.reports_by_id):
            self._read_list(missing, found)
        if capabilities.reports_by_id:
            self._read_each([id_ for id_ in missing if id_ not in found], found)
        return found

    def _read_list(self, missing: dict[str, MessageRecord], found: dict[str, DeliveryReport]) -> None:
        """Page after page while that is cheaper than asking for the rest one by one."""
        query, page = _query_for(list(missing.values())), None
        for _ in range(MAX_PAGES):
            answer = self._provider.list_reports(query, page)
            news = {
                report.provider_message_id: report for report in answer.reports if report.provider_message_id in missing
            }
            found.update(news)
            page = answer.next_page
            if page is None or len(found) == len(missing) or not news:
                return

    def _read_each(self, ids: Sequence[str], found: dict[str, DeliveryReport]) -> None:
        size = self._provider.capabilities.reports_by_id
        for start in range(0, len(ids), size):
            for report in self._provider.fetch_reports(ids[start : start + size]):
                found[report.provider_message_id] = report

    def _store_news(
        self, records: Sequence[MessageRecord], reports: dict[str, DeliveryReport], *, keep_count: bool
    ) -> None:
        changes = [
            (record, _Asked(reports.get(record.provider_message_id or ""), self._clock.time(), keep_count))
            for record in records
        ]
        for record, change in changes:
            change(record)
        self._store.save([(record, change) for record, change in changes if change.worth_keeping(record)])


@dataclass(slots=True)
class _Asked:
    """The message was asked for once more; what was heard, if anything."""

    report: DeliveryReport | None
    at: float
    count_kept: bool = False
    changed: bool = False

    def __call__(self, record: MessageRecord) -> None:
        if self.report is not None and not record.final:
            self.changed = record.hear(self.report, at=self.at, source="poll") or self.changed
        record.asked(self.at)

    def worth_keeping(self, record: MessageRecord) -> bool:
        """The ledger is written for news, and when the attempts end; a question without an answer costs no write."""
        return self.changed or self.count_kept or record.attempts >= record.attempts_allowed


def _abandon(record: MessageRecord, *, at: float, window: float) -> None:
    if record.phase == Phase.CALLING:
        record.lose_track(LOST, at=at, window=window)


def _query_for(records: Sequence[MessageRecord]) -> ReportQuery:
    """The narrowest list that holds all of them."""
    recipients, senders = {record.to for record in records}, {listed_sender(record) for record in records}
    since = datetime.fromtimestamp(min(record.created_at for record in records) - 1, UTC)
    from_one = senders.pop() if len(senders) == 1 else None
    return ReportQuery(since, to=recipients.pop() if len(recipients) == 1 else None, sender=from_one)
