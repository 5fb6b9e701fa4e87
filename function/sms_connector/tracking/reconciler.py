"""Resolve unknown outcomes by the provider's message log (sending.md section 3).

A listed message is a candidate if it has the same person as recipient and the same sender (or messaging service), was
created between the intent and the end of the last call, and belongs to no other message of ours. It matches if its
text, or without a text the number of its media, is the same too. One match and one intent: adopted.

A message that a list, read to its end after the window, does not show was not sent. Providers change texts (smart
encoding, shortened links, trimmed spaces), so a different text does not prove absence: while there are candidates, and
without a list, the outcome ends as unknown, with the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from math import floor, inf
from typing import Any

import msgspec

from sms_connector.errors import CallError, ErrorKind, ProviderRefused, RequestError
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.message import text_digest
from sms_connector.model.person import person_key
from sms_connector.model.phone_number import SenderKind, parse_sender
from sms_connector.model.policy import Policy
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Clock
from sms_connector.provider import Provider, ReportQuery
from sms_connector.store.apply_report import ApplyReport
from sms_connector.store.message_record import UNKNOWN_CHECK_SECONDS, MessageRecord, Phase
from sms_connector.store.message_store import MessageStore

# Providers give creation times in whole seconds (Twilio: RFC 2822), by their own clocks.
CLOCK_TOLERANCE = 1.0
# How much later a provider may process a request that timed out.
LATE_SECONDS = 60.0
NO_TEXT = text_digest("")
# Up to this many recipients, a list for each is cheaper than the sender's: it is short, and read to its end.
LISTS_BY_RECIPIENT = 3
# Pages of one list, and lists by recipient after a sender's list that was too long: the rest is left for the next run,
# in turn.
PAGES = 5
LISTS_PER_RUN = 25
ALIKE = 1000
# Refusals that an operator fixes, or that pass: they say nothing about the list's content.
_FOR_NOW = frozenset(
    {
        ErrorKind.AUTHENTICATION,
        ErrorKind.ACCOUNT,
        ErrorKind.RATE_LIMITED,
        ErrorKind.QUEUE_FULL,
        ErrorKind.UNAVAILABLE,
        ErrorKind.TIMEOUT,
    }
)


class _Seen(msgspec.Struct):
    """Ids of messages: those whose list was `read` to its end or can't be; of these, the ones that the provider does
    not have as far as it can say (`absent`), and the ones that its list does not show (`unlisted`)."""

    read: set[str] = msgspec.field(default_factory=set)
    absent: set[str] = msgspec.field(default_factory=set)
    unlisted: set[str] = msgspec.field(default_factory=set)


class Reconciler(msgspec.Struct, frozen=True):
    """Looks up messages in phase UNKNOWN at the provider."""

    provider: Provider
    store: MessageStore
    clock: Clock
    policy: Policy

    def resolve(self, records: Sequence[MessageRecord], *, close: bool = True) -> set[str]:
        """Settle what can be settled now; after its window a message is closed as unknown, if it was examined
        completely (`close` False: not yet, as its caller is about to repeat it).

        Return the ids of those that the provider does not have as far as it can say: its list, read to the end, shows
        no candidate, or it has no list.
        """
        self.store.register_unknown(records)
        unknown = [record for record in records if record.phase == Phase.UNKNOWN]
        seen, now = _Seen(), self.clock.time()
        self._examine(unknown, seen)
        if close:
            self._close_overdue([record for record in unknown if record.id in seen.read], seen, examined_at=now)
        return seen.absent

    def _examine(self, unknown: Sequence[MessageRecord], seen: _Seen) -> None:
        """Examine lists; one that can't be read now proves nothing."""
        ids = {record.id for record in unknown}
        can = self.provider.capabilities
        by_our_ids = can.ids_are_ours and can.reports_by_id
        if ids and not (can.reports_per_page or by_our_ids):
            self._note(unknown, "the provider has no list of messages")
            seen.read, seen.absent = ids, ids
            return
        try:
            if by_our_ids:
                self._look_up(unknown, seen)
            else:
                self._search_lists(unknown, seen)
        except (CallError, ProviderRefused, RequestError) as error:
            left = [record for record in unknown if record.phase == Phase.UNKNOWN and record.id not in seen.read]
            self._note(left, f"the provider's list could not be read: {error}")
            if isinstance(error, ProviderRefused) and error.kind not in _FOR_NOW:
                seen.read = ids

    def _look_up(self, unknown: Sequence[MessageRecord], seen: _Seen) -> None:
        """Look messages up by their ids, which the provider knows them by."""
        size = self.provider.capabilities.reports_by_id
        for start in range(0, len(unknown), size):
            some = unknown[start : start + size]
            reports = {each.provider_message_id: each for each in self.provider.fetch_reports([r.id for r in some])}
            for record in some:
                if record.id in reports:
                    self._adopt(record, reports[record.id])
            missing = [record for record in some if record.id not in reports]
            self._note(missing, "the provider does not know its id yet")
            seen.read |= {record.id for record in some}
            seen.absent |= {record.id for record in missing}

    def _search_lists(self, unknown: Sequence[MessageRecord], seen: _Seen) -> None:
        by_recipient = _grouped(unknown, _recipient_and_pool)
        if len(by_recipient) > LISTS_BY_RECIPIENT:
            for sender, meant in _grouped(unknown, lambda record: record.sender).items():
                self._search(ReportQuery(_since(meant), sender=sender), meant, seen)
            left = [record for record in unknown if record.phase == Phase.UNKNOWN and record.id not in seen.read]
            by_recipient = self._in_turn(_grouped(left, _recipient_and_pool))
        for (recipient, pool), meant in by_recipient.items():
            self._search(ReportQuery(_since(meant), to=recipient, sender=pool), meant, seen)

    def _in_turn(self, by_recipient: dict[Any, list[MessageRecord]]) -> dict[Any, list[MessageRecord]]:
        """Return as many as one run may look up, others in each run, so that each has its turn."""
        groups = list(by_recipient.items())
        first = int(self.clock.time() // UNKNOWN_CHECK_SECONDS) * LISTS_PER_RUN % max(1, len(groups))
        return dict((groups[first:] + groups[:first])[:LISTS_PER_RUN])

    def _search(self, query: ReportQuery, meant: Sequence[MessageRecord], seen: _Seen) -> None:
        """Settle those that the list shows; if it was read to its end, all are examined."""
        reports, page = list[DeliveryReport](), None
        for _ in range(PAGES):
            answer = self.provider.list_reports(query, page)
            reports.extend(answer.reports)
            page = answer.next_page
            if page is None:
                break
        missing = [record for record in meant if not self._settle(record, reports)]
        unclear = {record.id for record in missing if self._could_be_meant(record, reports)}
        if page is not None:
            self._note(missing, f"the provider's list is longer than {PAGES} pages; not found in those")
            return
        absent = [record for record in missing if record.id not in unclear]
        self._note(absent, "the provider's list does not have it yet")
        seen.read |= {record.id for record in meant}
        seen.absent |= {record.id for record in absent}
        seen.unlisted |= {record.id for record in absent}

    def _could_be_meant(self, record: MessageRecord, reports: Sequence[DeliveryReport]) -> bool:
        """Return whether the list has a candidate with a text that none of our intents has."""
        alike = [report for report in reports if _could_be(record, report) and self._owner(report) is None]
        others = self._intents_alike(record, alike) if alike else []
        alike = [report for report in alike if not any(_matches(other, report) for other in others)]
        if alike:
            ids = ", ".join(report.provider_message_id for report in alike)
            self._note([record], f"the provider's list has {ids} to the same recipient, with another text")
        return bool(alike)

    def _settle(self, record: MessageRecord, reports: Sequence[DeliveryReport]) -> bool:
        """Return False if no report is a candidate."""
        matches = [report for report in reports if _matches(record, report)]
        unclaimed = [report for report in matches if self._owner(report) in (None, record.id)]
        if not unclaimed:
            return False
        rivals = self._rivals(record, unclaimed)
        if len(unclaimed) == 1 and not rivals:
            self._adopt(record, unclaimed[0])
        else:
            ids = ", ".join(report.provider_message_id for report in unclaimed)
            others = ", ".join(sorted(rivals)) or "none"
            self._note([record], f"cannot be told apart: the provider has {ids}; other intents alike: {others}")
        return True

    def _owner(self, report: DeliveryReport) -> str | None:
        return self.store.find_by_provider_id(report.provider_message_id)

    def _rivals(self, record: MessageRecord, reports: Sequence[DeliveryReport]) -> set[str]:
        """Return other intents that one of these reports may belong to, and that have no provider id."""
        return {
            other.id
            for other in self._intents_alike(record, reports)
            if other.provider_message_id is None
            and other.is_unsettled
            and any(_matches(other, report) for report in reports)
        }

    def _intents_alike(self, record: MessageRecord, reports: Sequence[DeliveryReport]) -> list[MessageRecord]:
        """Return our other messages to that person that one of the reports may belong to, by their time."""
        since = record.created_at - self.policy.unknown_window
        until = max(_created(report) for report in reports) + CLOCK_TOLERANCE
        found = self.store.find_by_person(person_key(record.to), since=since, until=until, limit=ALIKE)
        return [other for other in found if other.id != record.id]

    def _adopt(self, record: MessageRecord, report: DeliveryReport) -> None:
        now = self.clock.time()
        self.store.apply(record, ApplyReport(report, now, "reconcile"))

    def _note(self, records: Iterable[MessageRecord], evidence: str) -> None:
        for record in records:
            if evidence not in record.evidence:
                self.store.apply(record, lambda current: current.add_evidence(evidence))

    def _close_overdue(self, records: Sequence[MessageRecord], seen: _Seen, *, examined_at: float) -> None:
        now = self.clock.time()
        for record in records:
            if record.phase == Phase.UNKNOWN and (record.unknown_until or inf) <= examined_at:
                close = MessageRecord.prove_absent if record.id in seen.unlisted else MessageRecord.close_unresolved
                self.store.apply(record, partial(close, at=now))


def _could_be(record: MessageRecord, report: DeliveryReport) -> bool:
    created = report.created_at
    return (
        person_key(report.to or "") == person_key(record.to)
        and report.sender == record.sender
        and created is not None
        and _earliest(record.created_at) <= created.timestamp() <= record.updated_at + LATE_SECONDS
        and report.status is not MessageStatus.UNKNOWN
    )


def _matches(record: MessageRecord, report: DeliveryReport) -> bool:
    if not _could_be(record, report):
        return False
    if record.text_digest != NO_TEXT:
        return report.text_digest == record.text_digest
    return report.text_digest in (None, NO_TEXT) and report.media in (None, record.media)


def _created(report: DeliveryReport) -> float:
    """Return the creation time, which `_matches` has checked."""
    return report.created_at.timestamp() if report.created_at else 0.0


def _since(records: Sequence[MessageRecord]) -> datetime:
    return datetime.fromtimestamp(_earliest(min(record.created_at for record in records)), UTC)


def _grouped(
    records: Iterable[MessageRecord], key: Callable[[MessageRecord], object]
) -> dict[Any, list[MessageRecord]]:
    groups: dict[Any, list[MessageRecord]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def _earliest(intent: float) -> float:
    return floor(intent) - CLOCK_TOLERANCE


def _recipient_and_pool(record: MessageRecord) -> tuple[str, str | None]:
    """Return the key of a list: it shows a pool's messages only if asked for the pool, a number's always."""
    return record.to, record.sender if parse_sender(record.sender).kind is SenderKind.POOL else None
