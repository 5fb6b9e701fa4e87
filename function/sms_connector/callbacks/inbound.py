"""Inbound messages: kept once, applied to consent, and tied to the message they answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from sms_connector.model.consent_words import ConsentWords, classify
from sms_connector.model.inbound_message import InboundMessage, Keyword
from sms_connector.model.person import person_key
from sms_connector.model.phone_number import SenderKind, kind_of, parse_sender
from sms_connector.ports import MUST_BE_ABSENT, Json, Ledger, Operator, Query, Write
from sms_connector.ports.ledger_access import Cursor, page, read_document, repeat_on_conflict
from sms_connector.store.message_record import RETENTION_SECONDS, MessageRecord
from sms_connector.store.message_store import MessageStore
from sms_connector.store.opt_outs import ConsentChange, OptOuts

COLLECTION = "inboundMessages"
# How many messages to a person are examined for the one that is answered.
LATEST: Final = 10
CONSENT: Final = (Keyword.STOP, Keyword.START)


class StoredInbound(msgspec.Struct, frozen=True, rename="camel"):
    """An inbound message as it is listed. `received_at` is epoch seconds."""

    id: str
    sender: str = msgspec.field(name="from")
    to: str
    text: str
    received_at: float = msgspec.field(name="createdAt")
    media_urls: tuple[str, ...]
    keyword: str | None
    in_reply_to: str | None
    provider_message_id: str


class InboundMessages(msgspec.Struct, frozen=True):
    """The inbound messages of this connection, newest first."""

    ledger: Ledger

    def list(
        self, *, limit: int, after: Cursor | None = None, sender: str | None = None
    ) -> tuple[list[StoredInbound], Cursor | None]:
        """Return a page, and where the next one begins."""
        where: tuple[tuple[str, Operator, str], ...] = (("person", "==", person_key(sender)),) if sender else ()
        query = Query(COLLECTION, where, order_by="createdAt", descending=True, limit=limit, after=after)
        return page(self.ledger, query, lambda document: read_document(document, StoredInbound))


class InboundOutbox(Protocol):
    """Takes notifications of inbound messages (`notifications.delivery.NotificationOutbox`)."""

    def write_inbound(self, inbound_id: str) -> list[Write]: ...

    def enqueue(self, ids: Sequence[str]) -> None: ...


class Inbox(msgspec.Struct, frozen=True):
    """Accepts inbound messages. `words` are the provider's documented keywords, `stop_words` the connection's own."""

    ledger: Ledger
    store: MessageStore
    opt_outs: OptOuts
    words: ConsentWords
    stop_words: tuple[str, ...] = ()
    outbox: InboundOutbox | None = None

    @repeat_on_conflict
    def accept(self, message: InboundMessage) -> bool:
        """Keep it, and apply STOP and START. Return False if it was accepted before: then nothing changes.

        The message and the change of consent are one commit.
        """
        document_id = inbound_id(message.provider_message_id)
        if self.ledger.get(COLLECTION, [document_id])[0] is not None:
            return False
        keyword = message.keyword or classify(
            message.text, self.words, our_kind=kind_of(message.to), extra_stop=self.stop_words
        )
        kept = Write(COLLECTION, document_id, self._document(message, keyword), MUST_BE_ABSENT)
        announced = self.outbox.write_inbound(document_id) if self.outbox is not None else []
        self.ledger.commit([kept, *announced, *self._consent(message, keyword)])
        if self.outbox is not None and announced:
            self.outbox.enqueue([write.id for write in announced])
        return True

    def _consent(self, message: InboundMessage, keyword: Keyword | None) -> list[Write]:
        """Return the change of consent, also for a sender that can't be a recipient."""
        if keyword not in CONSENT or not message.sender.strip():
            return []
        change = ConsentChange(
            opted_out=keyword is Keyword.STOP,
            source="inbound",
            at=message.received_at.timestamp(),
            reason=message.text.strip()[:40],
            message=inbound_id(message.provider_message_id),
        )
        return [self.opt_outs.write_of(message.sender, change)]

    def _document(self, message: InboundMessage, keyword: Keyword | None) -> Json:
        at = message.received_at.timestamp()
        return {
            "from": message.sender,
            "person": person_key(message.sender),
            "to": message.to,
            "text": message.text,
            "createdAt": at,
            "mediaUrls": list(message.media_urls),
            "keyword": None if keyword is None else str(keyword),
            "inReplyTo": self._answered(message),
            "providerMessageId": message.provider_message_id,
            "expiresAt": at + RETENTION_SECONDS,
        }

    def _answered(self, message: InboundMessage) -> str | None:
        """Return our message it answers: the one the provider names, else the latest from the number that was written
        to."""
        at = message.received_at.timestamp()
        if message.in_reply_to and (named := self.store.find_by_provider_id(message.in_reply_to)):
            return named
        found = self.store.find_by_person(person_key(message.sender), until=at, limit=LATEST)
        sent = [record for record in found if record.provider_message_id is not None]
        return next((record.id for record in sent if _could_be_from(record, message.to)), None)


def inbound_id(provider_message_id: str) -> str:
    """Return the same id for a repeated message."""
    return "inb_" + hashlib.sha256(provider_message_id.encode()).hexdigest()[:26]


def _could_be_from(record: MessageRecord, number: str) -> bool:
    """Return whether the message may come from that number: a pool chooses one of its numbers for each recipient."""
    return person_key(record.sender) == person_key(number) or parse_sender(record.sender).kind is SenderKind.POOL
