"""What came in: kept by the webhook's events, listed here."""

from __future__ import annotations

from dataclasses import dataclass

from sms_connector.ports import Document, Ledger, Operator, Query

COLLECTION = "inboundMessages"


@dataclass(frozen=True, slots=True)
class StoredInbound:
    """An inbound message as it is listed. `received_at` is epoch seconds."""

    id: str
    sender: str
    to: str
    text: str
    received_at: float
    media_urls: tuple[str, ...]
    keyword: str | None
    in_reply_to: str | None
    provider_message_id: str


class InboundMessages:
    """The inbound messages of this connection, newest first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def list(
        self, *, limit: int, after: tuple[float, str] | None = None, sender: str | None = None
    ) -> tuple[list[StoredInbound], tuple[float, str] | None]:
        """The second value is where the next page begins."""
        where: tuple[tuple[str, Operator, str], ...] = (("from", "==", sender),) if sender else ()
        query = Query(COLLECTION, where, order_by="createdAt", descending=True, limit=limit + 1, after=after)
        found = [_read(document) for document in self._ledger.find(query)]
        more = (found[limit - 1].received_at, found[limit - 1].id) if len(found) > limit else None
        return found[:limit], more


def _read(document: Document) -> StoredInbound:
    data = document.data
    return StoredInbound(
        id=document.id,
        sender=data["from"],
        to=data["to"],
        text=data["text"],
        received_at=data["createdAt"],
        media_urls=tuple(data.get("mediaUrls", ())),
        keyword=data.get("keyword"),
        in_reply_to=data.get("inReplyTo"),
        provider_message_id=data["providerMessageId"],
    )
