"""Read CSV from spreadsheets, a row at a time.

The delimiter is the one with which the first row has the columns that the mapping names. Read as well: Excel's `sep=;`
line, blank lines and rows of delimiters only, line breaks in cells, marks and invisible characters before and in names,
any line end.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import msgspec

from sms_connector.api.problem_list import find_repeated
from sms_connector.api.uploads.content import MAX_RECORD_BYTES, Content, Located, RecordProblem, broken
from sms_connector.api.uploads.text import open_text, wrong_bytes
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.invalid_value import quote
from sms_connector.model.template import normalize_name, strip_invisible

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_MARKS = "".join(DELIMITERS.values())
# A header may have line breaks in its cells, but ends somewhere: with a wrong delimiter a quote may never close.
_HEADER_LINES = 100
_SEPARATOR = re.compile(r'"?sep=(.)"?\1*', re.IGNORECASE)
# Python's own limit of a value is half of ours of a record, and one for the whole process. `Content` refuses long
# before this one.
csv.field_size_limit(2 * MAX_RECORD_BYTES)


class _Table(msgspec.Struct, frozen=True):
    """The file's delimiter, the cells of its header, and the number of lines up to the header's end."""

    delimiter: str
    header: list[str]
    lines: int


def read_csv(
    content: Content, mapping: FieldMapping, *, delimiter: str | None, charset: str | None
) -> Iterator[Located]:
    """Yield each row as a record with its line. `delimiter` is one of DELIMITERS, None: detected."""
    file, encoding = open_text(content, charset)
    text = io.TextIOWrapper(file, encoding, newline="")
    head: list[str] = []
    try:
        for line in islice(text, _HEADER_LINES):
            head.append(line)
            content.mark(len(head) + 1)
    except UnicodeDecodeError as error:
        raise wrong_bytes(error, encoding, before=len(head)) from None
    table = _open_table(head, mapping, DELIMITERS[delimiter] if delimiter else None)
    rows = csv.reader(chain(head[table.lines :], text), delimiter=table.delimiter, strict=True)
    try:
        yield from _read_rows(rows, table, mapping, content)
    except UnicodeDecodeError as error:
        raise wrong_bytes(error, encoding, before=table.lines + rows.line_num) from None


def _read_rows(rows: Any, table: _Table, mapping: FieldMapping, content: Content) -> Iterator[Located]:
    names, width = _name_columns(table.header, mapping), len(table.header)
    optional = [name for name in names if name in (mapping.key_field, mapping.reference_field)]
    line = table.lines + 1
    try:
        for row in rows:
            following = table.lines + rows.line_num + 1
            content.mark(following)
            if row and (row[0].strip() or any(map(str.strip, row))):
                problem_text = _check_width(row, width) if len(row) > width else None
                record = dict(zip(names, row, strict=False))
                yield line, problem_text or (_blank_to_none(record, optional) if optional else record)
            line = following
    except csv.Error as error:
        raise broken(f"line {line} is not CSV: {error}; check the quotes") from None


def _blank_to_none(record: Mapping[str, str], optional: Sequence[str]) -> dict[str, Any]:
    """Read blank cells as absent key and reference: CSV can't express absence otherwise."""
    blank = [name for name in optional if name in record and not record[name].strip()]
    return {**record, **dict.fromkeys(blank)}


def _check_width(row: Sequence[str], width: int) -> RecordProblem | None:
    """Cells without a column must be blank."""
    if not any(map(str.strip, row[width:])):
        return None
    return RecordProblem(f"the row has {len(row)} values, the header {width} names; quote values with a delimiter")


def _open_table(head: list[str], mapping: FieldMapping, delimiter: str | None) -> _Table:
    """Find the header, and the delimiter by which it has most of the mapped columns."""
    skipped, named = _find_header(head)
    candidates = [delimiter or named] if delimiter or named else list(DELIMITERS.values())
    wanted = {normalize_name(field) for _, field in mapping.wanted_fields()}
    tables: list[_Table] = []
    broken_by: csv.Error | None = None
    for candidate in candidates:
        rows = csv.reader(head[skipped:], delimiter=str(candidate), strict=True)
        try:
            found = (row for row in rows if any(normalize_name(cell).strip(_MARKS) for cell in row))
            tables += [_Table(str(candidate), row, skipped + rows.line_num) for row in islice(found, 1)]
        except csv.Error as error:
            broken_by = error
    if broken_by and not tables:
        raise broken(f"the CSV's header (line {skipped + 1}) can't be read: {broken_by}; check its quotes")
    if not tables:
        message = "the CSV has no header; name the columns in its first row"
        raise InvalidRequest(FieldProblem("", message, ErrorKind.MISSING_VALUE))
    table = max(tables, key=lambda each: (len(wanted & set(map(normalize_name, each.header))), len(each.header)))
    _check_header(table, mapping)
    return table


def _find_header(head: list[str]) -> tuple[int, str | None]:
    """Return the number of lines before the header, and the delimiter that Excel's `sep=` line names.

    In front of the header's names marks are dropped: they would hide its first quote.
    """
    separator = None
    for number, line in enumerate(head):
        shown = strip_invisible(line).lstrip(" \u00a0")
        found = _SEPARATOR.fullmatch(shown.strip(" \r\n"))
        if shown.strip() and not found:
            head[number] = shown
            return number, separator
        separator = found[1] if found else separator
    return len(head), separator


def _check_header(table: _Table, mapping: FieldMapping) -> None:
    names = [normalize_name(name) for name in table.header]
    for twice in find_repeated(filter(None, names)):
        raise broken(f"the CSV's header names {quote(twice)} twice; name each column once")
    missing = [(name, field) for name, field in mapping.wanted_fields() if normalize_name(field) not in names]
    if missing:
        read = next((name for name, mark in DELIMITERS.items() if mark == table.delimiter), table.delimiter)
        others = ", ".join(name for name in DELIMITERS if name != read)
        has = f"it has {_list(names)}, read with delimiter={read} (others: {others})"
        raise InvalidRequest(
            *(
                FieldProblem(f"mapping.{name}", f"the CSV has no column {quote(field)}; {has}", ErrorKind.UNKNOWN_FIELD)
                for name, field in missing
            )
        )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(quote(name) for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _name_columns(header: Sequence[str], mapping: FieldMapping) -> list[str]:
    """Name each column as the mapping does, so that a record's values are found at once; unnamed ones at the end are
    dropped."""
    fields = [mapping.key_field, mapping.reference_field, *(field for _, field in mapping.wanted_fields())]
    wanted = {normalize_name(field): field for field in fields}
    names = [wanted.get(name, name) for name in map(normalize_name, header)]
    while names and not names[-1]:
        names.pop()
    return names
