"""Following messages to a final status while a request waits for them (sending.md section 4).

All waiting requests of a node share one round of questions: whoever finds it due asks for everybody. A round takes the cheaper
way, the provider's list or single questions, from what is due; what a list tells of messages that are not due yet is heard, too.
A round is put off for half an interval so that more messages are due together, yet not past the moment when the last one is due.
What is to be sent later (`sendAt`) is asked for from then on, and holds no request for longer than the tracking would have taken now.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from sms_connector.errors import CallError, ProviderRefused, RequestError
from sms_connector.messaging.message_store import MessageStore, become
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.pulled import keep_unawaited
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.requests import Tracking
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.ports import Clock
from sms_connector.provider import Provider, ReportQuery

MAX_PAGES = 20
# Whoever asks for everybody wakes the others. They look up by themselves this often at most.
LONGEST_NAP = 60.0
# Whose messages are overdue as it joins waits this long first: requests that join together share one round.
GATHER_SECONDS = 0.05
LOST = "the node that was sending it stopped before it recorded an outcome"


class _Following(msgspec.Struct, eq=False):
    """One request's messages; `news` wakes its thread. `until` is when its tracking would end, were all of them sent now."""

    records: list[MessageRecord]
    tracking: Tracking
    until: float
    news: threading.Event = msgspec.field(default_factory=threading.Event)

    def open(self) -> list[MessageRecord]:
        return [
            record
            for record in self.records
            if not record.final
            and record.attempts < self.tracking.attempts
            and (record.send_at is None or _due_at(record) <= self.until)
        ]


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
        until = self._clock.time() + tracking.interval * tracking.attempts
        following = _Following([record for record in records if not record.final], tracking, until)
        with self._lock:
            self._waiting.append(following)
        try:
            if following.open() and self._until_next_round() <= 0:
                self._clock.wait(following.news, GATHER_SECONDS)
            while following.open():
                self._ask_or_wait(following)
        finally:
            with self._lock:
                self._waiting.remove(following)

    def ask(
        self, records: Sequence[MessageRecord], *, also: Sequence[MessageRecord] = (), keep_count: bool = False
    ) -> None:
        """Ask for these messages now, in as few calls as can be. What is told of the `also` ones is taken, and not counted.

        `keep_count`: whoever asks next has only the ledger to tell how often was asked, so that is written too.
        """
        first = {record.id: record for record in reversed([*records, *also])}
        distinct = [record for record in records if record is first[record.id]]
        self._ask(distinct, [record for record in also if record is first[record.id]], keep_count=keep_count)
        for record in (*records, *also):  # two requests may follow the same message
            if record is not first[record.id]:
                become(record, first[record.id])

    def mark_abandoned(self, records: Sequence[MessageRecord]) -> None:
        """What a node was calling whose lease has ended is unknown from now on."""
        calling = [record for record in records if record.phase == Phase.CALLING]
        living = self._lease.living(record.holder or "" for record in calling)
        now, window = self._clock.time(), self._policy.unknown_window
        changes = [(r, _Abandon(r.holder, now, window)) for r in calling if r.holder not in living]
        for record, change in changes:
            change(record)
        self._store.save(changes)

    # --- rounds -------------------------------------------------------------------------------------------------------

    def _ask_or_wait(self, following: _Following) -> None:
        """One of the waiting requests asks for all of them; the others look again when it has."""
        pause = self._until_next_round()
        if pause <= 0 and self._asking.acquire(blocking=False):
            try:
                due, others = self._open_messages()
                self.ask(due, also=others)
            finally:
                self._asking.release()
                self._wake_all()
        else:
            self._clock.wait(following.news, pause if pause > 0 else LONGEST_NAP)
            following.news.clear()

    def _until_next_round(self) -> float:
        times = [(_due_at(record), record.interval) for following in self._snapshot() for record in following.open()]
        if not times:
            return 0.0
        first, interval = min(times)
        latest = max(due for due, _ in times)
        return min(first + interval / 2, latest) - self._clock.time()

    def _open_messages(self) -> tuple[list[MessageRecord], list[MessageRecord]]:
        """What is due, and what is not yet."""
        now = self._clock.time()
        waiting = [record for following in self._snapshot() for record in following.open()]
        due = [record for record in waiting if _due_at(record) <= now]
        return due, [record for record in waiting if _due_at(record) > now]

    def _snapshot(self) -> list[_Following]:
        with self._lock:
            return list(self._waiting)

    def _wake_all(self) -> None:
        for following in self._snapshot():
            following.news.set()

    # --- questions ----------------------------------------------------------------------------------------------------

    def _ask(self, records: Sequence[MessageRecord], also: Sequence[MessageRecord], *, keep_count: bool) -> None:
        # What was told of a campaign's messages is folded in by whoever asks.
        alone = [record for record in records if record.campaign is None]
        self._reread([record for record in alone if self._callbacks or record.phase == Phase.CALLING])
        now = self._clock.time()
        due = [record for record in records if not record.final and _due_at(record) <= now]
        self.mark_abandoned(due)
        self._reconciler.resolve(due)
        reports = self._reports(due, also)
        self._store_news(due, also, reports, keep_count=keep_count)

    def _reread(self, records: Sequence[MessageRecord]) -> None:
        """A callback may have brought news to the ledger: reading that costs no call."""
        for record, current in zip(
            records, self._store.get([record.id for record in records]) if records else [], strict=True
        ):
            if current is not None and current.version != record.version:
                become(record, current)

    def _reports(self, records: Sequence[MessageRecord], also: Sequence[MessageRecord]) -> dict[str, DeliveryReport]:
        """What could be learned, by the provider's ids. A provider that can't be asked must not hold its callers for ever: the
        attempt counts all the same."""
        capabilities = self._provider.capabilities
        missing = {id_: record for record in records if (id_ := record.provider_message_id) and not record.final}
        others = {id_ for record in also if (id_ := record.provider_message_id)}
        found: dict[str, DeliveryReport] = {}
        with suppress(CallError, ProviderRefused, RequestError):
            if capabilities.reports_per_page and len(missing) > max(1, capabilities.reports_by_id):
                self._read_list(missing, others, found)
            if capabilities.reports_by_id:
                self._read_each([id_ for id_ in missing if id_ not in found], found)
        return found

    def _read_list(self, missing: dict[str, MessageRecord], others: set[str], found: dict[str, DeliveryReport]) -> None:
        """Page after page, while the pages are fewer than the single questions that would be left."""
        query, page = _query_for(list(missing.values())), None
        for pages in range(1, MAX_PAGES + 1):
            answer = self._provider.list_reports(query, page)
            told = {report.provider_message_id: report for report in answer.reports}
            found.update({id_: report for id_, report in told.items() if id_ in missing or id_ in others})
            if self._provider.capabilities.consuming_reports:
                keep_unawaited(self._store, answer.reports, awaited=found, at=self._clock.time())
            page, left = answer.next_page, sum(id_ not in found for id_ in missing)
            if page is None or pages * max(1, self._provider.capabilities.reports_by_id) >= left:
                return

    def _read_each(self, ids: Sequence[str], found: dict[str, DeliveryReport]) -> None:
        size = self._provider.capabilities.reports_by_id
        for start in range(0, len(ids), size):
            with suppress(ProviderRefused):  # one that is refused stops no other
                for report in self._provider.fetch_reports(ids[start : start + size]):
                    found[report.provider_message_id] = report

    def _store_news(
        self,
        records: Sequence[MessageRecord],
        also: Sequence[MessageRecord],
        reports: dict[str, DeliveryReport],
        *,
        keep_count: bool,
    ) -> None:
        now = self._clock.time()
        changes = [(r, _Asked(reports.get(r.provider_message_id or ""), now, count_kept=keep_count)) for r in records]
        changes += [
            (r, _Asked(reports[r.provider_message_id or ""], now, counts=False))
            for r in also
            if r.provider_message_id in reports
        ]
        for record, change in changes:
            change(record)
        self._store.save([(record, change) for record, change in changes if change.worth_keeping(record)])


class _Asked(msgspec.Struct):
    """The message was asked for once more (or, where it does not count, told of in passing); what was heard, if anything."""

    report: DeliveryReport | None
    at: float
    counts: bool = True
    count_kept: bool = False
    changed: bool = False

    def __call__(self, record: MessageRecord) -> None:
        if self.report is not None and not record.final:
            self.changed = record.hear(self.report, at=self.at, source="poll") or self.changed
        if self.counts:
            record.asked(self.at)

    def worth_keeping(self, record: MessageRecord) -> bool:
        """The ledger is written for news, and when the attempts end; a question without an answer costs no write."""
        return self.changed or self.count_kept or (self.counts and record.attempts >= record.attempts_allowed)


class _Abandon(msgspec.Struct, frozen=True):
    """The lease has ended under which it was called. Somebody may have begun to send it again under another one meanwhile."""

    holder: str | None
    at: float
    window: float

    def __call__(self, record: MessageRecord) -> None:
        if record.phase == Phase.CALLING and record.holder == self.holder:
            record.lose_track(LOST, at=self.at, window=self.window)


def _due_at(record: MessageRecord) -> float:
    """One interval after the message was last heard of or asked for."""
    return record.next_check_at if record.next_check_at is not None else record.updated_at + record.interval


def _query_for(records: Sequence[MessageRecord]) -> ReportQuery:
    """The narrowest list that holds all of them."""
    recipients, senders = {record.to for record in records}, {record.sender for record in records}
    since = datetime.fromtimestamp(min(record.created_at for record in records) - 1, UTC)
    from_one = senders.pop() if len(senders) == 1 else None
    return ReportQuery(since, to=recipients.pop() if len(recipients) == 1 else None, sender=from_one)
