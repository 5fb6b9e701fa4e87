"""Reports that a provider gives once only (`Capabilities.consuming_reports`): whoever pulls them keeps them all, whatever was asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.store.message_store import MessageStore


def store_unsolicited_reports(
    store: MessageStore, reports: Iterable[DeliveryReport], *, awaited: Container[str | None], at: float
) -> None:
    """`awaited` are the provider's ids of messages that the caller sees to. A report about nobody's message is another application's
    of the same account."""
    for report in reports:
        if report.provider_message_id in awaited:
            continue
        owner = report.message_id or store.find_by_provider_id(report.provider_message_id)
        if owner is not None:
            store.record_event(owner, report, at=at, source="poll")
