"""NDJSON and CSV as records, one at a time. What is wrong with one record is a `Flaw` in its place; what makes the rest
unreadable refuses the body, with the line.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NoReturn

import msgspec

from sms_connector.api.payloads.content import MAX_RECORD_BYTES, Content, broken
from sms_connector.errors import FieldProblem, InvalidRequest, Kind
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.invalid_value import quote
from sms_connector.model.template import normalize_name

Format = Literal["ndjson", "csv"]
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_decode = msgspec.json.Decoder(Any).decode
# Python's own limit of a value is half of ours of a record, and one for the whole process. `Content` refuses long before this one.
csv.field_size_limit(2 * MAX_RECORD_BYTES)


class Flaw(msgspec.Struct, frozen=True):
    """A place that holds no record."""

    message: str


RawRecord = dict[str, Any] | Flaw


def read_ndjson(content: Content) -> Iterator[RawRecord]:
    """A JSON object a line; empty lines are left out."""
    for line_number, line in enumerate(content.buffered(), 1):
        content.mark()
        if line_number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.isspace() and line:
            yield _read_line(line, line_number)


def _read_line(line: bytes, number: int) -> RawRecord:
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken(f"line {number} is not JSON: {_reason(error)}; send one JSON object a line") from None
    if not isinstance(record, dict):
        return Flaw(f"must be an object (line {number})")
    # Each key has a colon of its own: more of them may mean that the decoder has dropped one of two equal keys.
    if line.count(b":") > len(record):
        _refuse_duplicates(line, number)
    return record


def _reason(error: Exception) -> str:
    """Without the words of the body."""
    if isinstance(error, msgspec.DecodeError):
        return str(error).removeprefix("JSON is malformed: ")
    return "it is nested too deeply" if isinstance(error, RecursionError) else "it is not UTF-8"


def _refuse_duplicates(line: bytes, number: int) -> None:
    def check(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise broken(f"line {number} has {quote(name)} twice in one object; send it once")

    json.loads(line, object_pairs_hook=check)


def read_csv(content: Content, mapping: FieldMapping, delimiter: str | None) -> Iterator[RawRecord]:
    """A header, then a record a row; empty rows are left out. `delimiter` None: the one that the header has most of."""
    text = io.TextIOWrapper(content.buffered(), "utf-8-sig", newline="")
    row_number = 0
    try:
        rows, header = _open_rows(text, delimiter)
        _check_header(header, mapping)
        optional = _find_optional(header, mapping)
        for row in rows:
            content.mark()
            if row:
                row_number += 1
                record = _to_record(header, row, rows.line_num + 1)
                yield _without_blanks(record, optional) if isinstance(record, dict) else record
    except UnicodeDecodeError:
        raise broken(f"the body is not UTF-8 (after row {row_number}); save it as UTF-8") from None
    except csv.Error as error:
        raise broken(f"the body is not CSV after row {row_number}: {error}; check the quotes") from None


def _open_rows(text: io.TextIOWrapper, delimiter: str | None) -> tuple[Any, list[str]]:
    """The rows after the header (`csv.reader` has no public type), and the header."""
    first = text.readline()
    chosen = delimiter or max(DELIMITERS.values(), key=first.count)
    header = next(csv.reader([first], delimiter=chosen, strict=True), [])
    rows = csv.reader(text, delimiter=chosen, strict=True)
    return rows, [name.strip() for name in header]


def _check_header(header: list[str], mapping: FieldMapping) -> None:
    if not any(header):
        raise InvalidRequest(
            FieldProblem("", "the CSV has no header; name the columns in its first row", Kind.MISSING_VALUE)
        )
    names = [normalize_name(name) for name in header]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise broken(f"the CSV's header names {quote(twice)} twice; name each column once")
    problems = [
        FieldProblem(
            f"mapping.{name}", f"the CSV has no column {quote(field)}; it has {_list(header)}", Kind.UNKNOWN_FIELD
        )
        for name, field in mapping.wanted_fields()
        if normalize_name(field) not in names
    ]
    if problems:
        raise InvalidRequest(*problems)


def _list(header: list[str]) -> str:
    shown = ", ".join(quote(name) for name in header[:10])
    return shown if len(header) <= 10 else f"{shown} and {len(header) - 10} more"


def _to_record(header: list[str], row: list[str], line: int) -> RawRecord:
    if len(row) > len(header):
        return Flaw(
            f"the row has {len(row)} values, the header {len(header)} names; quote values with a delimiter (line {line})"
        )
    return dict(zip(header, row, strict=False))


def _find_optional(header: list[str], mapping: FieldMapping) -> list[str]:
    fields = {normalize_name(mapping.key_field), normalize_name(mapping.reference_field)}
    return [name for name in header if normalize_name(name) in fields]


def _without_blanks(record: dict[str, Any], optional: Sequence[str]) -> dict[str, Any]:
    """A blank cell is no key and no reference: CSV has no other way to say it."""
    for name in optional:
        if not record.get(name, name).strip():
            record[name] = None
    return record


def refuse_form(content_type: str) -> NoReturn:
    """For a body in none of our forms."""
    raise InvalidRequest(
        FieldProblem(
            "Content-Type",
            f"{quote(content_type)} is none we read; send application/json, application/x-ndjson or text/csv, in UTF-8",
        )
    )
