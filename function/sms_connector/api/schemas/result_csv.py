"""Results as CSV: one row a record, in order, streamed. No cell begins as a formula does: a spreadsheet would carry it
out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sms_connector.api.schemas.campaign import write_result
from sms_connector.api.schemas.message import SendResult

if TYPE_CHECKING:
    from sms_connector.campaigns.results import Line

# Fields of a result, and of its error.
COLUMNS = (
    *("index", "id", "to", "status", "final", "providerMessageId", "segments", "encoding", "attempts", "sentAt"),
    *("updatedAt", "errorSource", "errorKind", "errorCode", "errorMessage", "errorField", "key", "reference", "line"),
)
ROWS_A_PIECE = 500
# owasp.org/www-community/attacks/CSV_Injection. A number in E.164 form is what it looks like, and harmless.
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"\+[0-9]+")


def write_csv(lines: Iterable[Line], columns: Sequence[str]) -> Iterator[bytes]:
    """Pieces of the CSV (RFC 4180, UTF-8): our columns, then those of the caller's records."""
    buffer = io.StringIO()
    rows = csv.writer(buffer)
    rows.writerow([*COLUMNS, *map(_cell, name_columns(columns))])
    for number, (result, row) in enumerate(lines, 1):
        own = [*row, *[""] * (len(columns) - len(row))]
        rows.writerow(list(map(_cell, [*_values(write_result(result)), *own])))
        if number % ROWS_A_PIECE == 0:
            yield _take(buffer)
    yield _take(buffer)


def name_columns(columns: Iterable[str]) -> list[str]:
    """Name the caller's columns; one with a name of ours, in any case, gets `file.` before it."""
    taken = {name.lower() for name in COLUMNS}
    names = []
    for column in columns:
        name = column
        while name.lower() in taken:
            name = f"file.{name}"
        taken.add(name.lower())
        names.append(name)
    return names


def _take(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece


def _values(result: SendResult) -> list[Any]:
    flat = msgspec.to_builtins(result)
    errors = {f"error{name[:1].upper()}{name[1:]}": value for name, value in (flat.pop("error") or {}).items()}
    return list(map((flat | errors).get, COLUMNS))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
