"""Reports that a provider gives once only (`Capabilities.consuming_reports`): whoever pulls them keeps them all, whatever was asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sms_connector.messaging.message_store import MessageStore
from sms_connector.model.delivery_report import DeliveryReport


def keep_unawaited(
    store: MessageStore, reports: Iterable[DeliveryReport], *, awaited: Container[str | None], at: float
) -> None:
    """`awaited` are the provider's ids of messages that the caller sees to. A report about nobody's message is another application's
    of the same account."""
    for report in reports:
        if report.provider_message_id in awaited:
            continue
        made = report.created_at or report.updated_at
        since = made.timestamp() if made is not None else at
        owner = report.message_id or store.claimed(report.provider_message_id, since=since)
        if owner is not None:
            store.tell(owner, report, at=at)
