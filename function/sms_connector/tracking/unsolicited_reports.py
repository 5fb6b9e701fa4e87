"""Store the reports that a provider gives only once (`Capabilities.consuming_reports`), whatever was asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.store.message_store import MessageStore


def store_unsolicited_reports(
    store: MessageStore, reports: Iterable[DeliveryReport], *, awaited: Container[str | None], at: float
) -> None:
    """Store all but the `awaited` ones (provider ids), which the caller applies. A report about no message of ours is another
    application's of the same account."""
    for report in reports:
        if report.provider_message_id in awaited:
            continue
        owner = report.message_id or store.find_by_provider_id(report.provider_message_id)
        if owner is not None:
            store.record_event(owner, report, at=at, source="poll")
