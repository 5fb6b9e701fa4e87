"""Poll messages to a final status, for a waiting request or a maintenance run (sending.md section 4).

All waiting requests of a node share one poll: the first to find it due polls for all. A poll uses the provider's list
or single look-ups, whichever takes fewer calls; what a list shows of messages that are not due yet is applied too. A
poll is put off for half an interval so that more messages are due together, yet not past the moment when the last one
is due. Scheduled messages (`sendAt`) are polled from that time on, and hold no request for longer than the tracking
would take now.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf

import msgspec

from sms_connector.errors import CallError, ProviderRefused, RequestError
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.policy import Policy
from sms_connector.model.send_request import Tracking
from sms_connector.ports import Clock
from sms_connector.provider import Provider, ReportQuery
from sms_connector.store.apply_report import ApplyReport
from sms_connector.store.message_record import SLOW_CHECK_SECONDS, MessageRecord, Phase
from sms_connector.store.message_store import MessageStore, become
from sms_connector.store.node_lease import NodeLease
from sms_connector.tracking.reconciler import Reconciler

MAX_PAGES = 20
# The polling thread wakes the others. They wake by themselves this often at most.
LONGEST_NAP = 60.0
# A request that joins with overdue messages waits this long first, so that requests that join together share one poll.
GATHER_SECONDS = 0.05
# How much longer than its tracking a request may be held: a request's time on the platform is limited.
MOST_OVERTIME = 60.0
LOST = "the node that was sending it stopped before it recorded an outcome"


class _Following(msgspec.Struct, eq=False):
    """One request's messages; `wakeup` wakes its thread. `until` is when its tracking would end if all were sent now.

    An update that puts the last poll off may hold the request a little longer.
    """

    records: list[MessageRecord]
    tracking: Tracking
    until: float
    wakeup: threading.Event = msgspec.field(default_factory=threading.Event)

    def open(self) -> list[MessageRecord]:
        return [
            record
            for record in self.records
            if not record.final and record.attempts < self.tracking.attempts and record.due_at <= self._limit(record)
        ]

    def _limit(self, record: MessageRecord) -> float:
        counted = not record.is_unsettled and record.begins_at <= record.created_at
        return self.until + min(self.tracking.interval, MOST_OVERTIME) if counted else self.until


class PollOptions(msgspec.Struct, frozen=True):
    """`keep`: store when and how often they were polled, for the next run. `attempt` False: a look-up, which
    uses no attempt. No call is started after `until` (epoch seconds)."""

    keep: bool = False
    attempt: bool = True
    until: float = inf


DEFAULT = PollOptions()


class Poller(msgspec.Struct, eq=False):
    """`follow` blocks until the records are final or their attempts are used up. `callbacks`: a callback may have
    changed a message meanwhile. Thread-safe."""

    provider: Provider
    store: MessageStore
    reconciler: Reconciler
    lease: NodeLease
    clock: Clock
    policy: Policy
    callbacks: bool
    _polling: threading.Lock = msgspec.field(default_factory=threading.Lock)
    # Each thread adds and removes its own; all others read a copy, so that no lock is needed.
    _waiting: list[_Following] = msgspec.field(default_factory=list)

    def follow(self, records: Sequence[MessageRecord], tracking: Tracking) -> None:
        until = self.clock.time() + tracking.interval * tracking.attempts
        following = _Following([record for record in records if not record.final], tracking, until)
        self._waiting.append(following)
        try:
            if following.open() and self._until_next_poll() <= 0:
                self.clock.wait(following.wakeup, GATHER_SECONDS)
            while following.open():
                self._poll_or_wait(following)
        finally:
            self._waiting.remove(following)

    def poll(
        self, records: Sequence[MessageRecord], *, also: Sequence[MessageRecord] = (), how: PollOptions = DEFAULT
    ) -> set[str]:
        """Poll those of these messages that are due, in as few calls as possible. Reports about `also` are applied, and
        use no attempt. Return the ids of those that could not be polled."""
        first = {record.id: record for record in reversed([*records, *also])}
        distinct = [record for record in records if record is first[record.id]]
        unpolled = self._poll(distinct, [record for record in also if record is first[record.id]], how)
        for record in (*records, *also):  # two requests may follow the same message
            if record is not first[record.id]:
                become(record, first[record.id])
        return unpolled

    def expire(self, records: Iterable[MessageRecord], *, unpolled: Container[str]) -> None:
        """End those without an update for too long. One that has just been polled in vain has an hour more."""
        now, limit = self.clock.time(), self.policy.expire_after
        for record in records:
            end = record.begins_at + limit + (SLOW_CHECK_SECONDS if record.id in unpolled else 0.0)
            if not record.final and end <= now:
                self.store.apply(record, lambda current: current.expire(at=now))

    def mark_abandoned(self, records: Sequence[MessageRecord]) -> None:
        """Mark unknown what nodes were calling whose lease has ended."""
        calling = [record for record in records if record.phase == Phase.CALLING]
        living = self.lease.living(record.holder or "" for record in calling)
        now, window = self.clock.time(), self.policy.unknown_window
        changes = [
            (r, partial(_abandon, holder=r.holder, at=now, window=window)) for r in calling if r.holder not in living
        ]
        self.store.apply_all(changes)

    # --- waiting requests ---------------------------------------------------------------------------------------------

    def _poll_or_wait(self, following: _Following) -> None:
        """Poll for all waiting requests, or wait until another thread has."""
        pause = self._until_next_poll()
        if pause <= 0 and self._polling.acquire(blocking=False):
            try:
                waiting, now = self._open_messages(), self.clock.time()
                due = [record for record in waiting if record.due_at <= now]
                self.poll(due, also=[record for record in waiting if record.due_at > now])
            finally:
                self._polling.release()
                for each in list(self._waiting):
                    each.wakeup.set()
        else:
            self.clock.wait(following.wakeup, pause if pause > 0 else LONGEST_NAP)
            following.wakeup.clear()

    def _until_next_poll(self) -> float:
        times = [(record.due_at, record.interval) for record in self._open_messages()]
        if not times:
            return 0.0
        first, interval = min(times)
        latest = max(due for due, _ in times)
        return min(first + interval / 2, latest) - self.clock.time()

    def _open_messages(self) -> list[MessageRecord]:
        return [record for following in list(self._waiting) for record in following.open()]

    # --- polls ------------------------------------------------------------------------------------------------

    def _poll(self, records: Sequence[MessageRecord], also: Sequence[MessageRecord], how: PollOptions) -> set[str]:
        # Events of campaigns' messages are merged by the caller.
        alone = [record for record in records if record.campaign is None]
        self._reread([record for record in alone if self.callbacks or record.phase == Phase.CALLING])
        now = self.clock.time()
        due = [record for record in records if not record.final and record.due_at <= now]
        self.mark_abandoned(due)
        settled = [record for record in due if record.phase == Phase.DONE]
        self.reconciler.resolve(due)
        reports, failed, left = self._reports(
            [record for record in settled if self._asks(record, how)], also, how.until
        )
        if how.attempt or self._can_pull:
            # A message just found in the provider's list has its answer; one that is being called can't be looked up.
            phases = (Phase.UNKNOWN, Phase.CALLING) if how.attempt else (Phase.UNKNOWN,)
            polled = [record for record in settled if record.provider_message_id not in left]
            self._store_reports([*polled, *(record for record in due if record.phase in phases)], also, reports, how)
        return {record.id for record in settled if record.provider_message_id in failed | left}

    @property
    def _can_pull(self) -> bool:
        capabilities = self.provider.capabilities
        return bool(capabilities.reports_by_id or capabilities.reports_per_page)

    def _asks(self, record: MessageRecord, how: PollOptions) -> bool:
        """Return whether this poll makes a call: where look-ups are meant for single messages, reports come by
        callbacks, and the last attempt alone asks."""
        sparingly = self.callbacks and self.provider.capabilities.reports_sparingly
        return not sparingly or not how.attempt or record.attempts + 1 >= record.attempts_allowed

    def _reread(self, records: Sequence[MessageRecord]) -> None:
        """Read records again where a callback has changed them, which costs no call. Polls that were not stored are
        kept."""
        for record, current in zip(
            records, self.store.get([record.id for record in records]) if records else [], strict=True
        ):
            if current is not None and current.version != record.version:
                attempts, asked_at = record.attempts, record.asked_at or 0.0
                become(record, current)
                record.attempts = max(attempts, record.attempts)
                record.asked_at = max(asked_at, record.asked_at or 0.0) or None

    def _reports(
        self, records: Sequence[MessageRecord], also: Sequence[MessageRecord], until: float
    ) -> tuple[dict[str, DeliveryReport], set[str], set[str]]:
        """Return reports by the provider's ids, the ids that could not be polled, and those left for the next time.

        The attempt counts also if the provider does not answer, so that its callers do not wait for ever.
        """
        capabilities = self.provider.capabilities
        missing = {id_: record for record in records if (id_ := record.provider_message_id) and not record.final}
        others = {id_ for record in also if (id_ := record.provider_message_id)}
        found: dict[str, DeliveryReport] = {}
        try:
            if capabilities.reports_per_page and len(missing) > capabilities.reports_by_id:
                self._read_list(missing, others, found, until)
            left = self._read_each([id_ for id_ in missing if id_ not in found], found, until)
        except (CallError, ProviderRefused, RequestError):
            return found, missing.keys() - found.keys(), set()
        return found, set(), set(left)

    def _read_list(
        self, missing: dict[str, MessageRecord], others: set[str], found: dict[str, DeliveryReport], until: float
    ) -> None:
        """Read pages while that takes fewer calls than single look-ups of the rest."""
        query, page = _query_for(list(missing.values())), None
        for pages in range(1, MAX_PAGES + 1):
            if self.clock.time() >= until:
                return
            answer = self.provider.list_reports(query, page)
            listed = {report.provider_message_id: report for report in answer.reports}
            found.update({id_: report for id_, report in listed.items() if id_ in missing or id_ in others})
            page, left = answer.next_page, sum(id_ not in found for id_ in missing)
            by_id = self.provider.capabilities.reports_by_id
            if page is None or not left or (by_id and pages * by_id >= left):
                return

    def _read_each(self, ids: Sequence[str], found: dict[str, DeliveryReport], until: float) -> Sequence[str]:
        """Return the ids that are left when the time is up."""
        size = self.provider.capabilities.reports_by_id
        for start in range(0, len(ids) if size else 0, size or 1):
            if self.clock.time() >= until:
                return ids[start:]
            with suppress(ProviderRefused):  # a refusal of one stops no other
                for report in self.provider.fetch_reports(ids[start : start + size]):
                    found[report.provider_message_id] = report
        return []

    def _store_reports(
        self,
        polled: Sequence[MessageRecord],
        also: Sequence[MessageRecord],
        reports: dict[str, DeliveryReport],
        how: PollOptions,
    ) -> None:
        now = self.clock.time()
        changes: list[tuple[MessageRecord, ApplyReport]] = []
        for record in polled:
            report = reports.get(record.provider_message_id or "")
            changes.append((record, ApplyReport(report, now, "poll", question=True, attempt=how.attempt)))
        listed = [(record, reports.get(record.provider_message_id or "")) for record in also]
        changes += [(record, ApplyReport(report, now, "poll")) for record, report in listed if report is not None]
        for record, change in changes:
            change(record)
        # Store changes, and the end of the attempts; a poll without an answer costs no write.
        self.store.save([(r, c) for r, c in changes if c.is_change or (c.question and (how.keep or r.is_used_up))])


def _abandon(record: MessageRecord, *, holder: str | None, at: float, window: float) -> None:
    """Mark unknown a call under a lease that has ended, unless it is called again under another one."""
    if record.phase == Phase.CALLING and record.holder == holder:
        record.mark_unknown(LOST, at=at, window=window)


def _query_for(records: Sequence[MessageRecord]) -> ReportQuery:
    """Return the narrowest list query for all of them."""
    recipients, senders = {record.to for record in records}, {record.sender for record in records}
    since = datetime.fromtimestamp(min(record.created_at for record in records) - 1, UTC)
    from_one = senders.pop() if len(senders) == 1 else None
    return ReportQuery(since, to=recipients.pop() if len(recipients) == 1 else None, sender=from_one)
