"""Resolving unknown outcomes by the provider's own list (sending.md section 3).

A match has the same recipient, sender and text, was created no earlier than the intent, and belongs to no other message of ours.
One match and one intent that could be meant: adopted. Anything else stays unknown, with the evidence, until the window ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import floor

from sms_connector.errors import CallError, ProviderRefused, RequestError
from sms_connector.messaging.message_store import MessageStore
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.record import COLLECTION, MessageRecord, Phase
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.phone_number import SenderKind, parse_sender
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Clock, Query
from sms_connector.provider import Provider, ReportQuery

# Providers tell creation times in whole seconds (Twilio: RFC 2822), and their clocks are not ours.
CLOCK_TOLERANCE = 1.0
# Above so many recipients one list of the sender's is cheaper than a list for each.
LISTS_BY_RECIPIENT = 3
PAGES = 5


class Reconciler:
    """Asks the provider what became of messages in phase UNKNOWN."""

    def __init__(self, provider: Provider, store: MessageStore, *, clock: Clock, policy: Policy) -> None:
        self._provider = provider
        self._store = store
        self._clock = clock
        self._policy = policy

    def resolve(self, records: Sequence[MessageRecord]) -> None:
        """Settle what can be settled now; what the window has ended for is closed as unknown."""
        unknown = [record for record in records if record.phase == Phase.UNKNOWN]
        if unknown:
            self._look(unknown)
            self._close_overdue(unknown)

    def _look(self, unknown: Sequence[MessageRecord]) -> None:
        if not self._provider.capabilities.reports_per_page:
            return self._note(unknown, "the provider has no list of messages to look in")
        try:
            reports = [report for query in self._queries(unknown) for report in self._list(query)]
        except (CallError, ProviderRefused, RequestError) as error:
            return self._note(unknown, f"the provider's list could not be read: {error}")
        for record in unknown:
            self._settle(record, reports)
        return None

    def _queries(self, unknown: Sequence[MessageRecord]) -> Iterable[ReportQuery]:
        since = datetime.fromtimestamp(_earliest(min(record.created_at for record in unknown)), UTC)
        recipients = {record.to for record in unknown}
        senders = {listed_sender(record) for record in unknown}
        if len(recipients) <= LISTS_BY_RECIPIENT:
            return [ReportQuery(since, to=recipient) for recipient in sorted(recipients)]
        return (
            [ReportQuery(since, sender=sender) for sender in sorted(senders, key=str)]
            if None not in senders
            else [ReportQuery(since)]
        )

    def _list(self, query: ReportQuery) -> list[DeliveryReport]:
        reports: list[DeliveryReport] = []
        page: str | None = None
        for _ in range(PAGES):
            answer = self._provider.list_reports(query, page)
            reports.extend(answer.reports)
            page = answer.next_page
            if page is None:
                break
        return reports

    def _settle(self, record: MessageRecord, reports: Sequence[DeliveryReport]) -> None:
        matches = [report for report in reports if _matches(record, report)]
        unclaimed = [
            report for report in matches if self._store.claimed(report.provider_message_id, since=record.created_at) in (None, record.id)
        ]
        if not unclaimed:
            return self._note([record], "the provider's list does not have it yet")
        rivals = self._rivals(record)
        if len(unclaimed) == 1 and not rivals:
            return self._adopt(record, unclaimed[0])
        ids = ", ".join(report.provider_message_id for report in unclaimed)
        others = ", ".join(sorted(rivals)) or "none"
        return self._note([record], f"cannot be told apart: the provider has {ids}; other intents alike: {others}")

    def _rivals(self, record: MessageRecord) -> set[str]:
        """Intents whose outcome is open and which the same match could mean."""
        around = record.created_at - self._policy.unknown_window
        alike = self._store.find(
            Query(COLLECTION, (("to", "==", record.to), ("createdAt", ">=", around)), order_by="createdAt")
        )
        return {
            other.id
            for other in alike
            if other.id != record.id and other.text_digest == record.text_digest and other.phase != Phase.DONE
        }

    def _adopt(self, record: MessageRecord, report: DeliveryReport) -> None:
        now = self._clock.time()
        self._store.apply(record, lambda current: current.hear(report, at=now, source="reconcile"))

    def _note(self, records: Iterable[MessageRecord], evidence: str) -> None:
        for record in records:
            if evidence not in record.evidence:
                self._store.apply(record, lambda current: current.add_evidence(evidence))

    def _close_overdue(self, records: Sequence[MessageRecord]) -> None:
        now = self._clock.time()
        for record in records:
            if record.phase == Phase.UNKNOWN and record.unknown_until is not None and record.unknown_until <= now:
                self._store.apply(record, lambda current: current.give_up(at=now))


def _matches(record: MessageRecord, report: DeliveryReport) -> bool:
    sender = listed_sender(record)
    return (
        report.to == record.to
        and report.text_digest == record.text_digest
        and (sender is None or report.sender == sender)
        and report.created_at is not None
        and report.created_at.timestamp() >= _earliest(record.created_at)
        and report.status is not MessageStatus.UNKNOWN
    )


def _earliest(intent: float) -> float:
    return floor(intent) - CLOCK_TOLERANCE


def listed_sender(record: MessageRecord) -> str | None:
    """The sender as the provider's list shows it; None for a pool, whose choice nobody knows beforehand."""
    return None if parse_sender(record.sender).kind is SenderKind.POOL else record.sender
