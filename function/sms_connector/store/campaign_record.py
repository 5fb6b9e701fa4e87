"""A campaign and its parts as the ledger keeps them.

    campaigns/{campaign}                  what is sent to whom, how far the intake came, sums of what is over
    chunks/{campaign}-{chunk}             up to 250 records: recipients and values; refused records with their reasons
    progress/{campaign}-{chunk}           who carries the chunk out, how far, and what became of its records (counts)
    blocks/{campaign}-{chunk}-{block}     up to 25 messages, a second's worth: intents and outcomes (`blocks`)
    news/{message}:{status}:{which}       what a callback told of one message, written once and never read before (`news`)

A message's id names its place, `msg_{campaign}-{chunk}-{position}`, so that nothing has to be looked up to find it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from sms_connector.model.record_warnings import KeptWarning
from sms_connector.model.send_request import SendOptions
from sms_connector.ports import Absent, Document, Version, Write
from sms_connector.ports.ledger_access import document_data, read_document
from sms_connector.store.message_record import MessageRecord

CAMPAIGNS, CHUNKS, PROGRESS = "campaigns", "chunks", "progress"
CHUNK_RECORDS = 250
# A campaign's last chunk holds about a quarter of a second's worth of calls: so much later than the others a node may end.
LEAST_CHUNK_RECORDS = 6
BLOCK_RECORDS = 25
RETENTION_SECONDS = 30 * 24 * 3600.0

_MESSAGE_ID = re.compile(r"msg_(?P<campaign>c[0-9a-f]{20})-(?P<chunk>\d{1,6})-(?P<position>\d{1,3})")


class CampaignState(StrEnum):
    """`accepting`: records are being taken in; `running`: workers carry chunks out; `done`: nothing is left to do."""

    ACCEPTING = "accepting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELED = "canceled"


class MessageLocation(msgspec.Struct, frozen=True):
    """Where a campaign's message is: the chunk's number and the position of its record among the chunk's valid ones."""

    campaign: str
    chunk: int
    position: int

    @property
    def message_id(self) -> str:
        return f"msg_{self.campaign.removeprefix('cmp_')}-{self.chunk}-{self.position}"

    @property
    def block_id(self) -> str:
        return block_id(self.campaign, self.chunk, self.position // BLOCK_RECORDS)

    @classmethod
    def of(cls, message_id: str) -> MessageLocation | None:
        """None for a message that is not a campaign's."""
        match = _MESSAGE_ID.fullmatch(message_id)
        return cls(f"cmp_{match['campaign']}", int(match["chunk"]), int(match["position"])) if match else None


def chunk_id(campaign: str, chunk: int) -> str:
    return f"{campaign}-{chunk:06d}"


def block_id(campaign: str, chunk: int, block: int) -> str:
    return f"{campaign}-{chunk:06d}-{block:02d}"


class Campaign(msgspec.Struct, rename="camel"):
    """Times are epoch seconds. `counts` are the sums of chunks that are over (`aggregated` of them), by status."""

    id: str
    state: CampaignState
    text: str
    options: SendOptions
    request_id: str
    created_at: float
    updated_at: float
    source: str | None = None
    name: str | None = None
    reference: str | None = None
    mapping: dict[str, str] = msgspec.field(default_factory=dict)
    origin: str | None = None  # the campaign whose records are sent again
    retries: list[str] = msgspec.field(default_factory=list)  # campaigns made of its records
    columns: list[str] = msgspec.field(default_factory=list)  # of the records' rows
    warnings: list[KeptWarning] = msgspec.field(default_factory=list)
    duplicates: int = 0
    holder: str = ""
    total: int = 0
    refused: int = 0
    segments: int = 0
    encodings: dict[str, int] = msgspec.field(default_factory=dict)
    chunks: int = 0
    aggregated: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    state_reason: str | None = None
    running_since: float | None = None
    sent_before: int = 0  # how many were sent when it last began to run
    done_at: float | None = None
    version: Version | None = None

    @property
    def valid(self) -> int:
        return self.total - self.refused

    @property
    def keep_until(self) -> float:
        """When its parts may go: a day after itself."""
        return self._expires_at + 86_400

    @property
    def _expires_at(self) -> float:
        """What is to be sent later has all its time from then on."""
        begins_at = self.options.send_at.timestamp() if self.options.send_at else self.updated_at
        return max(begins_at, self.updated_at) + RETENTION_SECONDS

    def aggregate(self, progress: Progress) -> None:
        """A chunk that is over becomes part of the sums."""
        counts = Counter(self.counts)
        counts.update(progress.counts)
        self.counts, self.aggregated, progress.state = dict(counts), self.aggregated + 1, AGGREGATED

    def remove_from_totals(self, progress: Progress) -> None:
        """One of its messages moves on after all: it counts by itself again."""
        counts = Counter(self.counts)
        counts.subtract(progress.counts)
        self.counts, self.aggregated, progress.state = dict(+counts), self.aggregated - 1, COMPLETE

    def to_write(self, *, expect: Version | Absent | None = None) -> Write:
        data = document_data(self) | {"expiresAt": self._expires_at}
        return Write(CAMPAIGNS, self.id, data, self.version if expect is None else expect)

    @classmethod
    def of(cls, document: Document) -> Campaign:
        return read_document(document, cls)


# Every call was made: messages are still asked after; only late news may come; all are final.
SENT, UNTRACKED, COMPLETE, AGGREGATED = "sent", "untracked", "complete", "aggregated"
CHUNK_STATES = {
    "pending": "nobody has begun",
    "running": "begun; with a living holder: carried out at this moment",
    SENT: "every call was made, and some messages are still asked after",
    UNTRACKED: "nobody asks any more; late news may come",
    COMPLETE: "all messages are final",
    AGGREGATED: "its counts are in the campaign's own",
}


class Progress(msgspec.Struct, rename="camel"):
    """How far a chunk is. `counts` are its messages by status, as far as its worker has given them away; `open_messages` of
    them are not final, and `tracked` of those are still asked after. `state` is one of `CHUNK_STATES`."""

    campaign: str
    chunk: int
    valid: int
    state: str = "pending"
    holder: str = ""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    open_messages: int = 0
    tracked: int = 0
    taken_back: bool = False  # the provider was asked to cancel what it held of a canceled campaign
    version: Version | None = None

    @property
    def id(self) -> str:
        return chunk_id(self.campaign, self.chunk)

    def to_write(self, *, expires_at: float, expect: Version | Absent | None = None) -> Write:
        data = document_data(self) | {"expiresAt": expires_at}
        return Write(PROGRESS, self.id, data, self.version if expect is None else expect)

    @classmethod
    def of(cls, document: Document) -> Progress:
        return msgspec.convert({**document.data, "version": document.version}, cls)

    def recount(self, before: Tally, after: Tally) -> None:
        """Some of the chunk's messages have moved on."""
        counts = Counter(self.counts)
        counts.update(after.counts)
        counts.subtract(before.counts)
        self.counts = {status: count for status, count in counts.items() if count}
        self.open_messages += after.open_messages - before.open_messages
        self.tracked += after.tracked - before.tracked
        if self.state in (SENT, UNTRACKED, COMPLETE):
            self.state = self._state_when_sent()

    def finish_chunk(self) -> None:
        """Its worker is done with it, for now or for good."""
        self.holder = ""
        self.state = self._state_when_sent() if sum(self.counts.values()) == self.valid else "running"

    def _state_when_sent(self) -> str:
        if self.tracked:
            return SENT
        return UNTRACKED if self.open_messages else COMPLETE


class Tally(msgspec.Struct, frozen=True):
    """What some messages amount to."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    open_messages: int = 0
    tracked: int = 0

    @classmethod
    def of(cls, records: Iterable[MessageRecord]) -> Tally:
        counts: Counter[str] = Counter()
        open_messages = tracked = 0
        for record in records:
            counts[str(record.status)] += 1
            open_messages += not record.final
            tracked += not record.final and record.attempts < record.attempts_allowed
        return cls(counts, open_messages, tracked)
