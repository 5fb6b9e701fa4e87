"""Accept a campaign's records: a stream in, chunks out, with memory for two groups of chunks.

An invalid record is its own error and stops no other. A body that breaks is refused as a whole: what was written is
deleted again, here or, if this node dies, by a maintenance run.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil

import msgspec

from sms_connector.campaigns.chunk import AcceptedRecord, Chunk, Columns, Record, RefusedRecord
from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.forecast import Ahead, Forecast, Forecaster, ahead_of
from sms_connector.errors import Conflict, ErrorKind, FieldProblem, InvalidRequest, PreconditionFailed
from sms_connector.model.record_warnings import WARNINGS_SHOWN, RecordWarnings
from sms_connector.model.send_request import SendOptions
from sms_connector.ports import MUST_BE_ABSENT, Clock, Ledger, TaskQueue, Write
from sms_connector.store.campaign_record import (
    CAMPAIGNS,
    CHUNK_RECORDS,
    CHUNKS,
    COMPLETE,
    LEAST_CHUNK_RECORDS,
    PROGRESS,
    Campaign,
    CampaignState,
    Progress,
    SenderLoad,
    chunk_id,
)
from sms_connector.store.node_lease import NodeLease

MAX_RECORDS = 1_000_000
# Chunks are written in groups, as large as Firestore takes in one commit (10 MiB) with room to spare.
GROUP_CHUNKS = 16
GROUP_BYTES = 4_000_000
# Records held back at most, to cut the end of a campaign for many nodes.
MAX_TAIL = 20_000
REFUSALS_SHOWN = 100


class CampaignOrder(msgspec.Struct, frozen=True):
    """A checked order; its records come apart from it, and are noted in `columns` and `notes` as they are read. The
    same `nonce` makes the same campaign."""

    text: str
    placeholders: int
    options: SendOptions
    nonce: str
    request_id: str
    source: str | None = None
    name: str | None = None
    reference: str | None = None
    mapping: dict[str, str] = msgspec.field(default_factory=dict)
    origin: str | None = None
    columns: Columns = msgspec.field(default_factory=Columns)
    notes: RecordWarnings = msgspec.field(default_factory=RecordWarnings)


class Totals(msgspec.Struct):
    """Counts of the accepted records. `senders` has those whose sender was chosen for each."""

    total: int = 0
    refused: int = 0
    segments: int = 0
    senders: dict[str, SenderLoad] = msgspec.field(default_factory=dict)
    encodings: Counter[str] = msgspec.field(default_factory=Counter)
    refusals: list[RefusedRecord] = msgspec.field(default_factory=list)

    def add(self, record: Record) -> None:
        if self.total >= MAX_RECORDS:
            problem = f"a campaign holds at most {MAX_RECORDS:,} records; send the rest as another one"
            raise InvalidRequest(FieldProblem("records", problem))
        self.total += 1
        if isinstance(record, AcceptedRecord):
            self.segments += record.segments
            self.encodings[record.encoding] += 1
            if record.sender is not None:
                load = self.senders.setdefault(record.sender, SenderLoad())
                load.messages += 1
                load.segments += record.segments
        else:
            self.refused += 1
            if len(self.refusals) < REFUSALS_SHOWN:
                self.refusals.append(record)

    def counting(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self.add(record)
            yield record

    def loads(self, only: str | None) -> dict[str, SenderLoad]:
        """Return what each sender has to send; `only` is the sender of records that name none."""
        return self.senders if only is None else {only: SenderLoad(self.total - self.refused, self.segments)}

    def require_records(self) -> None:
        """Raises InvalidRequest without any record."""
        if not self.total:
            problem = FieldProblem("records", "is empty; send at least one record", ErrorKind.MISSING_VALUE)
            raise InvalidRequest(problem)


class Intake(msgspec.Struct, frozen=True):
    """`accept` stores a campaign completely or not at all; `forecast` stores nothing. Without a `queue` no campaign is
    accepted."""

    ledger: Ledger
    queue: TaskQueue | None
    lease: NodeLease
    campaigns: Campaigns
    forecaster: Forecaster
    clock: Clock

    def require_queue(self) -> None:
        """Raises PreconditionFailed without a queue."""
        if self.queue is None:
            raise PreconditionFailed(
                "campaigns need a queue, and none is configured: set SMS_QUEUE", kind=ErrorKind.UNSUPPORTED
            )

    def forecast(self, order: CampaignOrder, records: Iterable[Record]) -> tuple[Totals, Forecast]:
        """Return what the campaign would be. Raises what `records` raises, and InvalidRequest for too many or no
        records."""
        totals = Totals()
        for record in records:
            totals.add(record)
        totals.require_records()
        return totals, self._forecast(order, totals, self._ahead(order))

    def accept(self, order: CampaignOrder, records: Iterable[Record]) -> Campaign:
        """Return the running campaign. Raises as `forecast` does, and PreconditionFailed if its forecast says that it
        can't be sent as it is; then nothing is stored."""
        self.require_queue()
        with self.lease.held() as holder:
            campaign = self._open(order, holder)
            if campaign.state is CampaignState.ACCEPTING:
                self._fill_or_discard(campaign, order, records)
                self._start(campaign)
            if campaign.holder:
                self.campaigns.enqueue_left(campaign.id)
        return self.campaigns.read(campaign.id)

    # --- the campaign's document --------------------------------------------------------------------------------------

    def _open(self, order: CampaignOrder, holder: str) -> Campaign:
        """Write the campaign's document first, so that its chunks always have an owner. The rest of an earlier attempt
        is deleted; if that was complete, return it."""
        now = self.clock.time()
        campaign = Campaign(
            id=campaign_id(order.nonce),
            state=CampaignState.ACCEPTING,
            text=order.text,
            options=order.options,
            request_id=order.request_id,
            created_at=now,
            updated_at=now,
            source=order.source,
            name=order.name,
            reference=order.reference,
            mapping=order.mapping,
            origin=order.origin,
            holder=holder,
            version=MUST_BE_ABSENT,
        )
        try:
            [campaign.version] = self.ledger.commit([campaign.to_write()])
        except Conflict:
            left = self.campaigns.read(campaign.id)
            if left.state is not CampaignState.ACCEPTING:
                return left
            discard(self.ledger, left)
            [campaign.version] = self.ledger.commit([campaign.to_write()])
        return campaign

    def _fill_or_discard(self, campaign: Campaign, order: CampaignOrder, records: Iterable[Record]) -> None:
        try:
            ahead = self._ahead(order)

            def check(so_far: Totals) -> None:
                """Stop writing as soon as the forecast refuses for good."""
                order.notes.refuse_duplicates(enough=WARNINGS_SHOWN)
                forecast = self._forecast(order, so_far, ahead)
                _refuse(forecast if forecast.for_good else None)

            totals = self._fill(campaign, records, check)
            totals.require_records()
            order.notes.refuse_duplicates()
            _refuse(self._forecast(order, totals, ahead))
        except BaseException:
            discard(self.ledger, campaign)
            raise
        campaign.total, campaign.refused = totals.total, totals.refused
        campaign.segments, campaign.encodings = totals.segments, dict(totals.encodings)
        campaign.senders = totals.senders
        campaign.columns = order.columns.names
        campaign.duplicates, campaign.warnings = order.notes.duplicates, order.notes.to_json()

    def _start(self, campaign: Campaign) -> None:
        """Let workers begin. This node stays the holder until each chunk has its task."""
        now = self.clock.time()
        campaign.state = CampaignState.RUNNING if campaign.valid else CampaignState.DONE
        campaign.updated_at = campaign.running_since = now
        campaign.done_at = None if campaign.valid else now
        [campaign.version] = self.ledger.commit([campaign.to_write()])

    def _ahead(self, order: CampaignOrder) -> Ahead:
        return ahead_of(self.campaigns, order.options, self.forecaster.sender_rate)

    def _forecast(self, order: CampaignOrder, totals: Totals, ahead: Ahead) -> Forecast:
        return self.forecaster.forecast(
            totals.loads(order.options.sender),
            one_text=not order.placeholders,
            options=order.options,
            now=self.clock.time(),
            ahead=ahead,
        )

    # --- its records --------------------------------------------------------------------------------------------------

    def _fill(self, campaign: Campaign, records: Iterable[Record], check: Callable[[Totals], None]) -> Totals:
        """Write the records in chunks, a group while the next one is read. `check` is called before each."""
        totals, nodes = Totals(), self.forecaster.pace.nodes
        written: Future[None] | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="intake") as writer:
            for group in _groups(cut(campaign.id, totals.counting(records), nodes=nodes)):
                check(totals)
                if written is not None:
                    written.result()
                campaign.chunks += len(group)
                written = writer.submit(self._write, campaign, group)
            if written is not None:
                written.result()
        return totals

    def _write(self, campaign: Campaign, group: Sequence[Chunk]) -> None:
        writes: list[Write] = []
        for chunk in group:
            state = "pending" if chunk.accepted else COMPLETE
            progress = Progress(campaign.id, chunk.number, len(chunk.accepted), state, version=MUST_BE_ABSENT)
            writes += [each.to_write(expires_at=campaign.keep_until) for each in (chunk, progress)]
        self.ledger.commit(writes)


def _refuse(forecast: Forecast | None) -> None:
    if forecast is not None and forecast.refusal is not None:
        raise PreconditionFailed(f"nothing was kept: {forecast.refusal}", kind=ErrorKind.QUEUE_FULL)


def _groups(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    group: list[Chunk] = []
    size = 0
    for chunk in chunks:
        group.append(chunk)
        size += chunk.size
        if len(group) == GROUP_CHUNKS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def cut(campaign: str, records: Iterable[Record], *, nodes: int) -> Iterator[Chunk]:
    """Yield chunks in order, cut so that all nodes end together, whichever takes which.

    Each holds a node's share of the rest, at most CHUNK_RECORDS. Only chunks near the end are smaller: the last records
    are held back until there are no more.
    """
    held: deque[Record] = deque()
    tail = min(nodes * CHUNK_RECORDS, MAX_TAIL) if nodes > 1 else 0
    chunk = Chunk(campaign, 0)
    for record in records:
        held.append(record)
        if len(held) > tail:
            chunk.add(held.popleft())
            if chunk.full:
                yield chunk
                chunk = Chunk(campaign, chunk.number + 1)
    while held or chunk.count:
        share = ceil((chunk.count + len(held)) / nodes)
        chunk.most = min(CHUNK_RECORDS, max(LEAST_CHUNK_RECORDS, share))
        while held and not chunk.full:
            chunk.add(held.popleft())
        yield chunk
        chunk = Chunk(campaign, chunk.number + 1)


def campaign_id(nonce: str) -> str:
    return "cmp_c" + hashlib.sha256(nonce.encode()).hexdigest()[:20]


def discard(ledger: Ledger, campaign: Campaign) -> None:
    """Delete a campaign whose intake broke: its parts, then itself. Do nothing if another node owns it by now."""
    campaign.holder = ""
    try:
        [campaign.version] = ledger.commit([campaign.to_write()])
    except Conflict:
        return
    # From the end, so that the rest of a deletion that breaks off is found by its beginning.
    for start in reversed(range(0, _chunks_begun(ledger, campaign), 200)):
        ids = [chunk_id(campaign.id, number) for number in range(start, start + 200)]
        ledger.commit([Write(collection, id_, None) for id_ in ids for collection in (CHUNKS, PROGRESS)])
    ledger.commit([Write(CAMPAIGNS, campaign.id, None, campaign.version)])


def _chunks_begun(ledger: Ledger, campaign: Campaign) -> int:
    """Return how many chunks may exist: they were written in order."""
    count = campaign.chunks + GROUP_CHUNKS
    while any(ledger.get(PROGRESS, [chunk_id(campaign.id, number) for number in range(count, count + GROUP_CHUNKS)])):
        count += GROUP_CHUNKS
    return count
