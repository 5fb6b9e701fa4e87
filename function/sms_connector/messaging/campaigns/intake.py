"""Taking a campaign's records in: a stream in, chunks out, with memory for one batch of chunks only.

A record that is wrong is its own error and stops no other. A body that breaks takes everything with it: what was written is
deleted again, by us or, where we died over it, by the ticker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sms_connector.errors import Kind, PreconditionFailed
from sms_connector.messaging.campaigns.campaign import (
    CAMPAIGNS,
    CHUNK_RECORDS,
    CHUNKS,
    PROGRESS,
    Campaign,
    CampaignState,
    Progress,
    chunk_id,
)
from sms_connector.messaging.campaigns.chunk import CHUNK_BYTES, AcceptedRecord, Chunk, Record
from sms_connector.ports import MUST_BE_ABSENT, Clock, Ledger, Task, TaskQueue, Write

MAX_RECORDS = 1_000_000
# Chunks are written in groups, as large as Firestore takes in one commit (10 MiB) with room to spare.
GROUP_CHUNKS = 16
GROUP_BYTES = 4_000_000


class Intake:
    """`take` writes all of a campaign, or nothing."""

    def __init__(self, ledger: Ledger, queue: TaskQueue, *, clock: Clock) -> None:
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def open(self, campaign: Campaign) -> None:
        """The campaign's document is there first, so that what follows is never without an owner."""
        [version] = self._ledger.commit([campaign.to_write(expect=MUST_BE_ABSENT)])
        campaign.version = version

    def fill(self, campaign: Campaign, records: Iterable[Record]) -> None:
        """Write the records in chunks. Raises what `records` raises; then `discard` must follow."""
        group: list[Chunk] = []
        chunk = Chunk(campaign.id, 0)
        encodings: Counter[str] = Counter()
        for record in records:
            if len(chunk.accepted) + len(chunk.refused) >= CHUNK_RECORDS or chunk.size >= CHUNK_BYTES:
                group.append(chunk)
                chunk = Chunk(campaign.id, chunk.number + 1)
                group = self._write_full(campaign, group)
            self._count(campaign, record, encodings)
            chunk.add(record)
        if chunk.accepted or chunk.refused:
            group.append(chunk)
        self._write(campaign, group)
        campaign.encodings = dict(encodings)

    def start(self, campaign: Campaign) -> None:
        """All records are there: workers may begin."""
        now = self._clock.time()
        campaign.state = CampaignState.RUNNING if campaign.valid else CampaignState.DONE
        campaign.updated_at = campaign.running_since = now
        campaign.done_at = None if campaign.valid else now
        campaign.holder = ""
        [version] = self._ledger.commit([campaign.to_write()])
        campaign.version = version
        enqueue_chunks(self._queue, campaign.id, range(campaign.chunks))

    def discard(self, campaign: Campaign) -> None:
        """Leave nothing of it."""
        discard(self._ledger, campaign.id, campaign.chunks + GROUP_CHUNKS)

    def _count(self, campaign: Campaign, record: Record, encodings: Counter[str]) -> None:
        if campaign.total >= MAX_RECORDS:
            raise PreconditionFailed(
                f"a campaign holds at most {MAX_RECORDS:,} records; send the rest as another one",
                kind=Kind.INVALID_REQUEST,
            )
        campaign.total += 1
        if isinstance(record, AcceptedRecord):
            campaign.segments += record.segments
            encodings[record.encoding] += 1
        else:
            campaign.refused += 1

    def _write_full(self, campaign: Campaign, group: list[Chunk]) -> list[Chunk]:
        if len(group) < GROUP_CHUNKS and sum(chunk.size for chunk in group) < GROUP_BYTES:
            return group
        self._write(campaign, group)
        return []

    def _write(self, campaign: Campaign, group: Sequence[Chunk]) -> None:
        expires_at = campaign.updated_at + 31 * 86_400
        writes: list[Write] = []
        for chunk in group:
            progress = Progress(campaign.id, chunk.number, len(chunk.accepted))
            progress.state = "pending" if chunk.accepted else "sent"
            writes.append(chunk.to_write(expires_at=expires_at))
            writes.append(progress.to_write(expires_at=expires_at, expect=MUST_BE_ABSENT))
        if writes:
            self._ledger.commit(writes)
        campaign.chunks += len(group)


def enqueue_chunks(queue: TaskQueue, campaign: str, numbers: Iterable[int]) -> None:
    """One task a chunk; workers take them in parallel, each at its node's rate."""
    tasks = [Task("chunks", "/tasks/chunk", {"campaign": campaign, "chunk": number}) for number in numbers]
    for start in range(0, len(tasks), 500):
        queue.enqueue(tasks[start : start + 500])


def discard(ledger: Ledger, campaign: str, chunks: int) -> None:
    """Delete a campaign whose intake broke: its chunks, then itself."""
    ids = [chunk_id(campaign, number) for number in range(chunks)]
    for start in range(0, len(ids), 200):
        part = ids[start : start + 200]
        ledger.commit([Write(collection, id_, None) for id_ in part for collection in (CHUNKS, PROGRESS)])
    ledger.commit([Write(CAMPAIGNS, campaign, None)])
