"""Records from a file: CSV as spreadsheets write it, or one JSON object a line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.errors import Misused

Record = dict[str, Any]
DELIMITERS = (",", ";", "\t", "|")
# The record's own idempotency key.
KEY_FIELD = "key"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_csv(path: Path, encoding: str | None = None) -> list[Record]:
    """Rows by the names in the first line. The delimiter is whichever of `, ; tab |` cuts that line into most fields."""
    text = _read_text(path, encoding)
    delimiter = _find_delimiter(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Misused(f"{path}, line {reader.line_num}: {error}") from None
    if not rows:
        raise Misused(f"{path} is empty: its first line has to name the fields")
    names = _check_names(path, [name.strip() for name in rows[0][1]])
    return [_to_record(path, line, names, cells=row) for line, row in rows[1:]]


def read_ndjson(path: Path, encoding: str | None = None) -> list[Record]:
    """One JSON object a line; empty lines don't count."""
    lines = enumerate(_read_text(path, encoding).splitlines(), start=1)
    return [_to_object(path, number, line) for number, line in lines if line.strip()]


def _read_text(path: Path, encoding: str | None) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Misused(f"{path} can't be read: {error.strerror}") from None
    found = find_encoding(raw, encoding)
    try:
        return raw.decode(found)
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, raw[: error.start].count(b"\n") + 1, found) from None


def find_encoding(beginning: bytes, named: str | None) -> str:
    """The one that was named, else what the file's mark says, else UTF-8. Raises Misused where Python knows no such one."""
    found = named or next((name for mark, name in _MARKS if beginning.startswith(mark)), "utf-8")
    try:
        codecs.lookup(found)
    except LookupError:
        raise Misused(f"--encoding: Python knows no {found!r}; try cp1252 or latin-1") from None
    return found


def wrong_encoding(path: Path, line: int, encoding: str) -> Misused:
    return Misused(f"{path}, line {line}: not {encoding}; save it as UTF-8, or name its encoding: --encoding cp1252")


def _find_delimiter(header: str) -> str:
    return max(DELIMITERS, key=lambda each: len(next(csv.reader([header], delimiter=each), [])))


def _check_names(path: Path, names: Sequence[str]) -> Sequence[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Misused(f"{path}, line 1: there are two fields named {', '.join(map(repr, twice))}")
    return names


def _to_record(path: Path, line: int, names: Sequence[str], *, cells: Sequence[str]) -> Record:
    if len(cells) > len(names):
        raise Misused(
            f"{path}, line {line}: {len(cells)} fields, but the first line names {len(names)}; quote the delimiter"
        )
    record: Record = dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=True))
    if not record.get(KEY_FIELD, KEY_FIELD).strip():
        record[KEY_FIELD] = None  # CSV has no other way to say it
    return record


def _to_object(path: Path, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Misused(f"{path}, line {number}: not JSON: {error}") from None
    if not isinstance(record, dict):
        raise Misused(f"{path}, line {number}: a JSON object is needed")
    return record
