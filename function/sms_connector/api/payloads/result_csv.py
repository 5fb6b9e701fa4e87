"""Results as CSV: one row a record, in order, streamed. No cell begins as a formula does: a spreadsheet would carry it out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from sms_connector.api.payloads.campaign import write_result
from sms_connector.api.payloads.message import SendResult

if TYPE_CHECKING:
    from sms_connector.messaging.campaigns.results import Result

COLUMNS = (
    *("index", "id", "to", "status", "final", "providerMessageId", "segments", "encoding", "attempts", "sentAt"),
    *("updatedAt", "errorSource", "errorKind", "errorCode", "errorMessage", "errorField"),
)
ROWS_A_PIECE = 500
# owasp.org/www-community/attacks/CSV_Injection. A number in E.164 form is what it looks like, and harmless.
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"\+[0-9]+")


def write_csv(results: Iterable[Result]) -> Iterator[bytes]:
    """Pieces of the CSV (RFC 4180, UTF-8)."""
    buffer = io.StringIO()
    rows = csv.writer(buffer)
    rows.writerow(COLUMNS)
    for number, result in enumerate(results, 1):
        rows.writerow(list(map(_cell, _values(write_result(result)))))
        if number % ROWS_A_PIECE == 0:
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece


def _values(result: SendResult) -> list[Any]:
    error = result.error
    errors = [error.source, error.kind, error.code, error.message, error.field] if error is not None else [None] * 5
    return [
        result.index,
        result.id,
        result.to,
        result.status,
        result.final,
        result.provider_message_id,
        result.segments,
        result.encoding,
        result.attempts,
        result.sent_at,
        result.updated_at,
        *errors,
    ]


def _cell(value: Any) -> str:
    if value is None or value is UNSET:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
