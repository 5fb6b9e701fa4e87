"""From the bytes of a campaign's body to checked records, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from sms_connector.api.payloads.content import Content
from sms_connector.api.payloads.drafts import RecordReader, Refused
from sms_connector.api.payloads.record_formats import DELIMITERS, Flaw, Format, RawRecord, read_csv, read_ndjson
from sms_connector.errors import FieldProblem, Kind
from sms_connector.messaging.campaigns.chunk import AcceptedRecord, Record, RefusedRecord
from sms_connector.messaging.campaigns.columns import Columns
from sms_connector.model.segments import Encoding


def read_rows(
    file: BinaryIO, form: Format, reader: RecordReader, columns: Columns, *, compressed: bool, delimiter: str | None
) -> Iterator[Record]:
    """Records of NDJSON or CSV. `delimiter` is the name of one. Raises InvalidRequest where the content breaks."""
    content = Content(file, compressed=compressed)
    if form == "csv":
        rows = read_csv(content, reader.mapping, DELIMITERS[delimiter] if delimiter else None)
        return check_records(rows, reader, columns)
    return check_records(read_ndjson(content), reader, columns)


def check_records(raw: Iterable[RawRecord], reader: RecordReader, columns: Columns) -> Iterator[Record]:
    """Each record, accepted or refused with the first thing that is wrong with it. `columns` learns theirs."""
    for index, record in enumerate(raw):
        if isinstance(record, Flaw):
            yield RefusedRecord(index, None, f"records[{index}]", Kind.INVALID_REQUEST, record.message)
            continue
        checked = reader.check(index, record, f"records[{index}].")
        row = columns.cells(record)
        if isinstance(checked, Refused):
            yield _refuse(checked, checked.problems[0], row)
        elif checked.segments.encoding is Encoding.UCS_2 and "\x00" in checked.text:
            problem = FieldProblem(
                f"records[{index}]", "has a NUL character (U+0000); take it out", Kind.INVALID_MESSAGE
            )
            yield _refuse(Refused(index, checked.to, (problem,), checked.key, checked.reference), problem, row)
        else:
            to, values, _, segments, key, reference, _ = checked
            sent = tuple(values.values())
            yield AcceptedRecord(index, to, sent, segments.count, segments.encoding, key, reference, row)


def _refuse(refused: Refused, problem: FieldProblem, row: tuple[str, ...]) -> RefusedRecord:
    told = problem.field, problem.kind, problem.message
    return RefusedRecord(refused.index, refused.to, *told, refused.key, refused.reference, row)
