"""Blocks: up to 25 messages of a chunk in one document.

While a block is `owned`, only the worker of its chunk writes it (`ChunkStore`): intents shortly before the calls,
outcomes when the block is complete. So a message costs a quarter of a write, and a worker that dies leaves unknown only
the few messages it was calling. After that, status events are merged into it (`merge_events`), guarded by the
document's version. A chunk's counts are those of its blocks that are not owned: a block and its part of the counts
change in one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from sms_connector.model.person import person_key
from sms_connector.ports import MUST_BE_ABSENT, Absent, Document, Json, Ledger, Version, Write
from sms_connector.ports.ledger_access import document_data, read_document
from sms_connector.store.campaign_record import MessageLocation
from sms_connector.store.message_record import RETENTION_SECONDS, MessageRecord

BLOCKS = "blocks"
# Fields that the messages of a block share: stored once. A message from another sender than its first keeps its own.
_SHARED = ("campaign", "interval", "attemptsAllowed", "from", "callbackUrl")


class Block(msgspec.Struct, rename="camel"):
    """The messages of a block by position. `created_at` is the time of its latest intent."""

    id: str
    campaign: str
    created_at: float
    sender: str = msgspec.field(name="from")
    interval: float
    attempts_allowed: int
    callback_url: str | None
    owned: bool = False
    records: dict[int, MessageRecord] = msgspec.field(default_factory=dict)
    version: Version | Absent | None = MUST_BE_ABSENT

    @property
    def chunk_id(self) -> str:
        return self.id.rpartition("-")[0]

    def open(self) -> list[MessageRecord]:
        return [record for record in self.records.values() if not record.final]

    def to_write(self, *, owned: bool = False) -> Write:
        return Write(BLOCKS, self.id, self._to_document(owned), self.version)

    def _to_document(self, owned: bool) -> Json:
        items = {str(position): self._item(record) for position, record in sorted(self.records.items())}
        data = document_data(replace(self, records={}, created_at=self._latest_intent(), owned=owned))
        del data["records"]
        data |= {
            "items": items,
            "people": sorted({person_key(record.to) for record in self.records.values()}),
            "references": sorted({each.reference for each in self.records.values() if each.reference}),
            "providerMessageIds": [id_ for each in self.records.values() if (id_ := each.provider_message_id)],
            "expiresAt": max([self.created_at, *(each.begins_at for each in self.records.values())])
            + RETENTION_SECONDS,
        }
        # When a maintenance run has to check its messages; those of an owned block are its worker's.
        times = [record.next_check_at for record in self.records.values() if record.next_check_at is not None]
        return data | {"nextCheckAt": min(times)} if times and not owned else data

    def _item(self, record: MessageRecord) -> Json:
        own = {"from": record.sender} if record.sender != self.sender else {}
        return {name: value for name, value in record.to_data().items() if name not in (*_SHARED, "expiresAt")} | own

    def _latest_intent(self) -> float:
        return max([self.created_at, *(record.created_at for record in self.records.values())])

    @classmethod
    def of(cls, document: Document) -> Block:
        data = dict(document.data)
        items = data.pop("items")
        block = read_document(Document(document.id, data, document.version), cls)
        shared = {name: data[name] for name in _SHARED if name in data}
        chunk = int(document.id.rsplit("-", 2)[1])
        for position, item in items.items():
            message_id = MessageLocation(block.campaign, chunk, int(position)).message_id
            block.records[int(position)] = read_document(Document(message_id, shared | item, 0), MessageRecord)
        return block


def records_of(blocks: Iterable[Block]) -> list[MessageRecord]:
    return [record for block in blocks for record in block.records.values()]


def by_chunk(blocks: Iterable[Block]) -> list[list[Block]]:
    of_chunks: dict[str, list[Block]] = {}
    for block in blocks:
        of_chunks.setdefault(block.chunk_id, []).append(block)
    return list(of_chunks.values())


def read_blocks(ledger: Ledger, ids: Iterable[str]) -> dict[str, Block]:
    """Return the existing blocks, by id."""
    wanted: Sequence[str] = list(ids)
    documents = ledger.get(BLOCKS, wanted) if wanted else []
    return {document.id: Block.of(document) for document in documents if document is not None}
