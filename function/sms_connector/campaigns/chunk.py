"""A chunk of a campaign: up to 250 records as they came in, checked; and those that were refused, with the reason.

A record is kept as its recipient and the values of the placeholders: that is smaller than its text, and no message's
whole text is in the ledger. Beside them are the cells of its row as the caller's file has them (`Columns`), for the
results as CSV.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sms_connector.errors import ErrorKind
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft
from sms_connector.model.template import Template
from sms_connector.ports import MUST_BE_ABSENT, Ledger, Write
from sms_connector.ports.ledger_access import read_document
from sms_connector.store.campaign_record import CHUNK_RECORDS, CHUNKS, Campaign, chunk_id

# Firestore's limit is 1 MiB for a document; the values of 250 records with long texts could be more.
CHUNK_BYTES = 600_000
# More than spreadsheets have, as a rule: names that differ in each record must not add up.
MAX_COLUMNS = 200
MAX_NAME = 200
# A row with more characters is kept without its cells: some hundreds have to fit one document.
MAX_ROW = 16_000


class AcceptedRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A checked record: `values` in the order of the template's placeholders. `index` is its position in the campaign,
    `line` that in the caller's file; `sender` is None where it is that of the whole campaign. `gc=False`: a million of
    them are made, and none holds a cycle."""

    index: int
    to: str
    values: tuple[str, ...]
    segments: int
    encoding: str
    key: str | None = None
    reference: str | None = None
    row: tuple[str, ...] = ()
    line: int | None = None
    sender: str | None = None


class RefusedRecord(msgspec.Struct, frozen=True, array_like=True):
    """A record that can't be sent: its recipient as written, and the problem with its field."""

    index: int
    to: str | None
    field: str
    kind: ErrorKind
    message: str
    key: str | None = None
    reference: str | None = None
    row: tuple[str, ...] = ()
    line: int | None = None


Record = AcceptedRecord | RefusedRecord


class Chunk(msgspec.Struct):
    """Records in their order, at most `most`. `positions` count the accepted ones alone."""

    campaign: str
    number: int
    accepted: list[AcceptedRecord] = msgspec.field(default_factory=list)
    refused: list[RefusedRecord] = msgspec.field(default_factory=list)
    size: int = 0
    most: int = CHUNK_RECORDS

    @property
    def count(self) -> int:
        return len(self.accepted) + len(self.refused)

    @property
    def full(self) -> bool:
        return self.count >= self.most or self.size >= CHUNK_BYTES

    def add(self, record: Record) -> None:
        # `size` is an upper bound: a character is at most four bytes in UTF-8, and six as an escape.
        if isinstance(record, AcceptedRecord):
            self.accepted.append(record)
            texts = (*record.values, *record.row, record.key or "", record.reference or "")
            self.size += 80 + 6 * len("".join(texts))
        else:
            self.refused.append(record)
            texts = (*record.row, record.message, record.field, record.key or "", record.reference or "")
            self.size += 120 + 6 * sum(map(len, texts))

    def to_write(self, *, expires_at: float) -> Write:
        data = {
            "campaign": self.campaign,
            "number": self.number,
            "accepted": msgspec.to_builtins(self.accepted),
            "refused": msgspec.to_builtins(self.refused),
            "expiresAt": expires_at,
        }
        return Write(CHUNKS, chunk_id(self.campaign, self.number), data, MUST_BE_ABSENT)

    @classmethod
    def read(cls, ledger: Ledger, campaign: str, number: int) -> Chunk | None:
        [document] = ledger.get(CHUNKS, [chunk_id(campaign, number)])
        return read_document(document, cls) if document is not None else None

    def drafts(self, campaign: Campaign) -> Iterator[Draft]:
        """Yield the drafts in order, rendered and measured."""
        template, sender = Template.parse(campaign.text), campaign.options.sender or ""
        for kept in self.accepted:
            text = template.render(dict(zip(template.placeholders, kept.values, strict=True)))
            segments, labels = measure(text), (kept.key, kept.reference, kept.line)
            yield Draft(kept.index, kept.to, kept.sender or sender, text, segments, *labels)


class Columns:
    """The columns of a caller's records, for the results as CSV: `names` in the order in which records brought them."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self._known = tuple(names)

    def cells(self, record: Mapping[str, object]) -> tuple[str, ...]:
        """Return the record's values as text, in the order of the names, without lists and objects; nothing for a row
        that is too long."""
        names = tuple(record)
        values = tuple(record.values()) if names == self._known[: len(names)] else self._arrange(record)
        row = tuple([value if isinstance(value, str) else _to_text(value) for value in values])
        return row if len("".join(row)) <= MAX_ROW else ()

    def _arrange(self, record: Mapping[str, object]) -> tuple[object, ...]:
        new = [name for name in record if name and name not in self._known and len(name) <= MAX_NAME]
        self.names += new[: MAX_COLUMNS - len(self.names)]
        self._known = tuple(self.names)
        return tuple(record.get(name) for name in self._known)


def _to_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, int | float) else ""
