"""Messages in the ledger: created as intents, changed only by changes that can be applied again.

A callback may change a document while its sender still holds the record. So every change is a function of a record: when the
ledger has moved on, the change is applied to what is there now, and the holder's record becomes that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Protocol

from sms_connector.errors import Conflict
from sms_connector.messaging.record import COLLECTION, MessageRecord, from_document
from sms_connector.ports import MUST_BE_ABSENT, Ledger, Query, Write

COMMIT_LIMIT = 250  # a final message may bring an announcement: two writes each, at most 500 in a commit


class Announcer(Protocol):
    """Tells callers' callback addresses what became of messages (`callbacks_out`)."""

    def writes(self, records: Sequence[MessageRecord]) -> list[Write]: ...

    def enqueue(self, ids: Sequence[str]) -> None: ...


Change = Callable[[MessageRecord], object]


class MessageStore:
    """The only writer of the `messages` collection."""

    def __init__(self, ledger: Ledger, announcer: Announcer | None = None) -> None:
        self._ledger = ledger
        self._announcer = announcer

    def create(self, records: Sequence[MessageRecord]) -> None:
        """Write the intents, all or none. Raises Conflict where one of them is there already."""
        for record in records:
            record.version = MUST_BE_ABSENT
        self._commit(records)

    def get(self, ids: Sequence[str]) -> list[MessageRecord | None]:
        return [from_document(document) if document else None for document in self._ledger.get(COLLECTION, ids)]

    def find(self, query: Query) -> list[MessageRecord]:
        return [from_document(document) for document in self._ledger.find(query)]

    def claimed(self, provider_message_id: str, *, since: float) -> str | None:  # noqa: ARG002  # blocks are found by time
        """Which message of ours, sent around `since` or later, has that id of the provider's."""
        found = self._ledger.find(Query(COLLECTION, (("providerMessageId", "==", provider_message_id),), limit=1))
        return found[0].id if found else None

    def save(self, changes: Sequence[tuple[MessageRecord, Change]]) -> None:
        """The records were changed already by their changes; make that durable, on top of whatever has happened since."""
        for start in range(0, len(changes), COMMIT_LIMIT):
            part = changes[start : start + COMMIT_LIMIT]
            try:
                self._commit([record for record, _ in part])
            except Conflict:
                for record, change in part:
                    self._save_one(record, change)

    def apply(self, record: MessageRecord, change: Change) -> None:
        """Change one record and make it durable."""
        change(record)
        self._save_one(record, change)

    def _save_one(self, record: MessageRecord, change: Change) -> None:
        while True:
            try:
                return self._commit([record])
            except Conflict:
                [current] = self.get([record.id])
                if current is None:
                    return None
                change(current)
                become(record, current)

    def _commit(self, records: Sequence[MessageRecord]) -> None:
        announced = self.announce(records)
        writes: list[Write] = [record.to_write() for record in records]
        versions = self._ledger.commit([*writes, *announced])
        for record, version in zip(records, versions, strict=False):
            record.version = version
        self.announced(announced)

    def announce(self, records: Sequence[MessageRecord]) -> list[Write]:
        """What tells the caller's callback of those that have become final: part of the same commit."""
        return self._announcer.writes(records) if self._announcer is not None else []

    def announced(self, writes: Sequence[Write]) -> None:
        """The commit went through."""
        if self._announcer is not None and writes:
            self._announcer.enqueue([write.id for write in writes])


def become(record: MessageRecord, other: MessageRecord) -> None:
    """The holder's record takes over what the ledger knows."""
    for field in fields(MessageRecord):
        if field.name != "replayed":
            setattr(record, field.name, getattr(other, field.name))
