"""A campaign and its parts as the ledger keeps them.

    campaigns/{campaign}                  message and options, progress of the intake, totals of complete chunks
    chunks/{campaign}-{chunk}             up to 250 records: recipients and values; refused records with their reasons
    progress/{campaign}-{chunk}           the chunk's worker, its state, and counts by status
    blocks/{campaign}-{chunk}-{block}     up to 25 messages, a second's worth: intents and outcomes (`blocks`)
    statusEvents/{message}:{status}:…     a report about one message, not merged into its block yet (`status_events`)

A message's id names its location, `msg_{campaign}-{chunk}-{position}`, so that no look-up is needed to find it.
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
from sms_connector.store.message_record import RETENTION_SECONDS, MessageRecord

CAMPAIGNS, CHUNKS, PROGRESS = "campaigns", "chunks", "progress"
CHUNK_RECORDS = 250
# The last chunk holds about a quarter of a second's worth of calls: a node ends at most that much later than the
# others.
LEAST_CHUNK_RECORDS = 6
BLOCK_RECORDS = 25

_MESSAGE_ID = re.compile(r"msg_(?P<campaign>c[0-9a-f]{20})-(?P<chunk>\d{1,6})-(?P<position>\d{1,3})")


class CampaignState(StrEnum):
    """`accepting`: records are being taken in; `running`: workers carry chunks out; `done`: nothing is left to do."""

    ACCEPTING = "accepting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELED = "canceled"


class MessageLocation(msgspec.Struct, frozen=True):
    """The location of a campaign's message: the chunk's number and the position among the chunk's valid records."""

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
        """Return None for a message that is not a campaign's."""
        match = _MESSAGE_ID.fullmatch(message_id)
        return cls(f"cmp_{match['campaign']}", int(match["chunk"]), int(match["position"])) if match else None


def chunk_id(campaign: str, chunk: int) -> str:
    return f"{campaign}-{chunk:06d}"


def block_id(campaign: str, chunk: int, block: int) -> str:
    return f"{campaign}-{chunk:06d}-{block:02d}"


class SenderLoad(msgspec.Struct, array_like=True):
    """What one sender has to send."""

    messages: int = 0
    segments: int = 0


class Campaign(msgspec.Struct, rename="camel"):
    """Times are epoch seconds. `counts` are the totals of complete chunks (`aggregated` of them), by status. `senders`
    is empty where all messages have the one of the options."""

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
    senders: dict[str, SenderLoad] = msgspec.field(default_factory=dict)
    encodings: dict[str, int] = msgspec.field(default_factory=dict)
    chunks: int = 0
    aggregated: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    state_reason: str | None = None
    running_since: float | None = None
    sent_before: int = 0  # how many were sent when it last began to run
    done_at: float | None = None
    version: Version | Absent | None = None

    @property
    def valid(self) -> int:
        return self.total - self.refused

    @property
    def loads(self) -> dict[str, SenderLoad]:
        """What each sender has to send."""
        only = self.options.sender
        return self.senders if only is None else {only: SenderLoad(self.valid, self.segments)}

    @property
    def keep_until(self) -> float:
        """Return when its parts expire: a day after the campaign."""
        return self._expires_at + 86_400

    @property
    def _expires_at(self) -> float:
        """Return when it expires: the retention counts from `sendAt`."""
        begins_at = self.options.send_at.timestamp() if self.options.send_at else self.updated_at
        return max(begins_at, self.updated_at) + RETENTION_SECONDS

    def aggregate(self, progress: Progress) -> None:
        """Add a complete chunk to the totals."""
        counts = Counter(self.counts)
        counts.update(progress.counts)
        self.counts, self.aggregated, progress.state = dict(counts), self.aggregated + 1, AGGREGATED

    def remove_from_totals(self, progress: Progress) -> None:
        """Take a chunk out of the totals, because one of its messages has changed: it counts by itself again."""
        counts = Counter(self.counts)
        counts.subtract(progress.counts)
        self.counts, self.aggregated, progress.state = dict(+counts), self.aggregated - 1, COMPLETE

    def to_write(self) -> Write:
        return Write(CAMPAIGNS, self.id, document_data(self) | {"expiresAt": self._expires_at}, self.version)

    @classmethod
    def of(cls, document: Document) -> Campaign:
        return read_document(document, cls)


# The states of a chunk: "pending" until it is begun, "running" until every call was made (with a living holder: now).
# Then: messages are still polled; only late events may come; all are final; its counts are in the campaign's totals.
SENT, UNTRACKED, COMPLETE, AGGREGATED = "sent", "untracked", "complete", "aggregated"


class Progress(msgspec.Struct, rename="camel"):
    """The progress of a chunk. `counts` are the messages of its released blocks, by status; `open_messages` of them are
    not final, and `tracked` of those are still polled."""

    campaign: str
    chunk: int
    valid: int
    state: str = "pending"
    holder: str = ""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    open_messages: int = 0
    tracked: int = 0
    taken_back: bool = False  # the provider was asked to cancel its scheduled messages
    version: Version | Absent | None = None

    @property
    def id(self) -> str:
        return chunk_id(self.campaign, self.chunk)

    def to_write(self, *, expires_at: float) -> Write:
        return Write(PROGRESS, self.id, document_data(self) | {"expiresAt": expires_at}, self.version)

    @classmethod
    def of(cls, document: Document) -> Progress:
        return read_document(document, cls)

    def recount(self, before: Tally, after: Tally) -> None:
        """Replace one tally of some messages by another."""
        counts = Counter(self.counts)
        counts.update(after.counts)
        counts.subtract(before.counts)
        self.counts = {status: count for status, count in counts.items() if count}
        self.open_messages += after.open_messages - before.open_messages
        self.tracked += after.tracked - before.tracked
        if self.state in (SENT, UNTRACKED, COMPLETE):
            self.state = self._state_when_sent()

    def finish_chunk(self) -> None:
        """Release the chunk after its worker's attempt."""
        self.holder = ""
        self.state = self._state_when_sent() if sum(self.counts.values()) == self.valid else "running"

    def _state_when_sent(self) -> str:
        if self.tracked:
            return SENT
        return UNTRACKED if self.open_messages else COMPLETE


class Tally(msgspec.Struct, frozen=True):
    """Counts of some messages."""

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
            tracked += not record.final and not record.is_used_up
        return cls(counts, open_messages, tracked)
