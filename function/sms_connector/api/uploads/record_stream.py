"""From the bytes of an upload to checked records, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from msgspec import UNSET, structs

from sms_connector.api.routing import ParsedRequest
from sms_connector.api.schemas.base import value_or
from sms_connector.api.schemas.opt_out import MAX_RECORDS, OptOutImportQuery, RefusedOptOut
from sms_connector.api.schemas.request_body import CampaignBody, FileQuery
from sms_connector.api.uploads.content import Content, Located, RecordProblem
from sms_connector.api.uploads.csv_file import read_csv
from sms_connector.api.uploads.ndjson import read_ndjson
from sms_connector.api.uploads.text import FileForm, find_charset, read_content_type
from sms_connector.api.validation.drafts import RecordReader, Refused, check_rows
from sms_connector.campaigns.chunk import AcceptedRecord, Columns, Record, RefusedRecord
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.record_warnings import RecordWarnings


def read_form(sent: FileForm, chosen: CampaignBody | FileQuery | OptOutImportQuery) -> FileForm:
    """Return how a file is read, by its headers and the request. Raises InvalidRequest."""
    charset = sent.charset if chosen.charset is UNSET else find_charset(chosen.charset, "charset")
    return structs.replace(sent, delimiter=value_or(chosen.delimiter, None), charset=charset)


def read_upload(call: ParsedRequest, mapping: FieldMapping) -> Iterator[Located]:
    """Yield the records of the file that is the request's body, from its beginning."""
    call.stream.seek(0)
    return read_rows(call.stream, read_form(read_content_type(call.headers), call.query), mapping)


def read_rows(file: BinaryIO, form: FileForm, mapping: FieldMapping) -> Iterator[Located]:
    """Yield the records of CSV or NDJSON. Raises InvalidRequest where the content breaks."""
    content = Content(file, compressed=form.compressed)
    if form.format == "csv":
        return read_csv(content, mapping, delimiter=form.delimiter, charset=form.charset)
    return read_ndjson(content, charset=form.charset)


def check_records(
    raw: Iterable[Located], reader: RecordReader, columns: Columns, notes: RecordWarnings
) -> Iterator[Record]:
    """Yield each record, accepted or refused for its first problem. Fills `columns` and `notes`.

    A record keeps its sender where the campaign has more than one.
    """
    senders = reader.rules.senders
    keeps_sender = senders is not None and senders.only is None
    for record, checked in check_rows(raw, reader, notes):
        row = () if isinstance(record, RecordProblem) else columns.cells(record)
        if isinstance(checked, Refused):
            index, to, (problem, *_), key, reference, line = structs.astuple(checked)
            yield RefusedRecord(index, to, problem.field, problem.kind, problem.message, key, reference, row, line)
        else:
            draft, segments = checked.draft, checked.draft.segments
            yield AcceptedRecord(
                draft.index,
                draft.to,
                tuple(checked.values.values()),
                segments.count,
                segments.encoding,
                draft.key,
                draft.reference,
                row,
                draft.line,
                draft.sender if keeps_sender else None,
            )


MAX_REASON = 500


def read_opt_outs(
    rows: Iterable[Located], mapping: FieldMapping, parse: Callable[[str], str], *, reason: str
) -> tuple[list[tuple[str, str | None]], list[RefusedOptOut]]:
    """Return numbers with their reasons, and the records without a valid one. `parse` reads a number and raises
    InvalidValueError. Raises InvalidRequest for too many."""
    numbers: list[tuple[str, str | None]] = []
    refused: list[RefusedOptOut] = []
    for index, (line, record) in enumerate(rows):
        if index == MAX_RECORDS:
            raise InvalidRequest(FieldProblem("records", f"at most {MAX_RECORDS:,} are taken at once; split the file"))
        if isinstance(record, RecordProblem):
            refused.append(RefusedOptOut(index, None, ErrorKind.INVALID_REQUEST, record.message, line))
            continue
        written, own = record.get(mapping.to_field), record.get("reason")
        why = reason or (own.strip()[:MAX_REASON] if isinstance(own, str) else "")
        try:
            numbers.append((parse(mapping.apply(record).to.strip()), why or None))
        except InvalidValueError as error:
            shown = written if isinstance(written, str) else None
            refused.append(RefusedOptOut(index, shown, error.kind, error.problems[0].message, line))
    return numbers, refused
