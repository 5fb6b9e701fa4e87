"""From the bytes of an upload to checked records, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import msgspec
from msgspec import structs

from sms_connector.api.schemas.base import value_or
from sms_connector.api.schemas.opt_out import MAX_RECORDS, OptOutImportQuery
from sms_connector.api.schemas.request_body import CampaignBody, FileQuery
from sms_connector.api.uploads.content import Content, Located, RecordProblem
from sms_connector.api.uploads.csv_file import read_csv
from sms_connector.api.uploads.ndjson import read_ndjson
from sms_connector.api.uploads.text import ContentType, Format, find_charset
from sms_connector.api.validation.drafts import RecordReader, Refused, check_rows
from sms_connector.campaigns.chunk import AcceptedRecord, Columns, Record, RefusedRecord
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.record_warnings import RecordWarnings


class FileForm(msgspec.Struct, frozen=True):
    """The form of a file. `delimiter` is the name of one, None: detected; `charset` None: by its beginning, else
    UTF-8."""

    format: Format
    compressed: bool = False
    delimiter: str | None = None
    charset: str | None = None


def read_form(format_: Format, sent: ContentType, chosen: CampaignBody | FileQuery | OptOutImportQuery) -> FileForm:
    """Return how a file in `format_` is read, by its headers and the request. Raises InvalidRequest."""
    charset = find_charset(chosen.charset, "charset") if chosen.charset else sent.charset
    return FileForm(format_, sent.compressed, value_or(chosen.delimiter, None), charset)


def read_rows(file: BinaryIO, form: FileForm, mapping: FieldMapping) -> Iterator[Located]:
    """Yield the records of CSV or NDJSON. Raises InvalidRequest where the content breaks."""
    content = Content(file, compressed=form.compressed)
    if form.format == "csv":
        return read_csv(content, mapping, delimiter=form.delimiter, charset=form.charset)
    return read_ndjson(content, charset=form.charset)


def check_records(
    raw: Iterable[Located], reader: RecordReader, columns: Columns, notes: RecordWarnings
) -> Iterator[Record]:
    """Yield each record, accepted or refused for its first problem. Fills `columns` and `notes`."""
    for record, checked in check_rows(raw, reader, notes):
        row = () if isinstance(record, RecordProblem) else columns.cells(record)
        if isinstance(checked, Refused):
            index, to, (problem, *_), key, reference, line = structs.astuple(checked)
            yield RefusedRecord(index, to, problem.field, problem.kind, problem.message, key, reference, row, line)
        else:
            draft, values, _ = checked
            segments = draft.segments
            yield AcceptedRecord(
                draft.index,
                draft.to,
                tuple(values.values()),
                segments.count,
                segments.encoding,
                draft.key,
                draft.reference,
                row,
                draft.line,
            )


MAX_REASON = 500


class CheckedOptOut(msgspec.Struct, frozen=True):
    """`problem`: why the record has no valid number; `number` is then as it was written."""

    index: int
    line: int | None
    number: str | None
    reason: str | None = None
    problem: FieldProblem | None = None


def check_opt_outs(
    rows: Iterable[Located], mapping: FieldMapping, parse: Callable[[str], str], *, reason: str
) -> Iterator[CheckedOptOut]:
    """Yield each record, checked. `parse` reads a number and raises InvalidValueError. Raises InvalidRequest for too
    many."""
    for index, (line, record) in enumerate(rows):
        if index == MAX_RECORDS:
            raise InvalidRequest(FieldProblem("records", f"at most {MAX_RECORDS:,} are taken at once; split the file"))
        if isinstance(record, RecordProblem):
            problem = FieldProblem(f"records[{index}]", record.message, ErrorKind.INVALID_REQUEST, line)
            yield CheckedOptOut(index, line, None, problem=problem)
            continue
        written = record.get(mapping.to_field)
        own = record.get("reason")
        why = reason or (own.strip()[:MAX_REASON] if isinstance(own, str) else "")
        try:
            yield CheckedOptOut(index, line, parse(mapping.apply(record).to.strip()), why or None)
        except InvalidValueError as error:
            shown = written if isinstance(written, str) else None
            yield CheckedOptOut(index, line, shown, problem=error.problems[0])
