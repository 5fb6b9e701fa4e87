"""Scheduled bulks: read, reschedule, pause, resume and cancel them.

UNVERIFIED: the 404 for a bulk that was not scheduled, until when a bulk can be changed, and the status of a canceled
message.
"""

from __future__ import annotations

from typing import Any

from sandbox.infobip.errors import InfobipError
from sandbox.infobip.logs import Query
from sandbox.infobip.models import CANCELED, PAUSED, PENDING, Book, Bulk, date_text
from sandbox.infobip.validation import read_fields, read_send_at

CHANGES = (PENDING, PAUSED, CANCELED)


def find_bulk(book: Book, query: Query) -> Bulk:
    bulk_id = query.one("bulkId")
    if not bulk_id or len(bulk_id) > 100:
        raise InfobipError(400, [("bulkId", "size must be between 1 and 100")])
    found = [message.bulk for message in book.by_bulk.get(bulk_id, ()) if message.bulk.scheduled]
    if not found:
        raise InfobipError(404)
    return found[-1]


def time_document(bulk: Bulk) -> dict[str, Any]:
    return {"bulkId": bulk.id, "sendAt": date_text(bulk.send_at)}


def status_document(bulk: Bulk, now: float) -> dict[str, Any]:
    return {"bulkId": bulk.id, "status": bulk.status(now)}


def reschedule(bulk: Bulk, body: bytes, *, now: float) -> None:
    fields = read_fields(body)
    moment = read_send_at(fields, now=now)
    if moment is None:
        fields.note("sendAt", "must not be null")
    _require_waiting(bulk, now)
    if fields.violations or moment is None:
        raise InfobipError(400, fields.violations)
    bulk.send_at = max(moment, now)
    bulk.changes += 1


def change_status(bulk: Bulk, body: bytes, *, now: float) -> None:
    """Pause, cancel or resume a bulk. One that is resumed after its time goes out at once."""
    fields = read_fields(body)
    status = fields.text("status", required=True)
    if status not in CHANGES:
        fields.note("status", f"must be one of {', '.join(CHANGES)}")
    _require_waiting(bulk, now)
    if fields.violations:
        raise InfobipError(400, fields.violations)
    bulk.held, bulk.held_at = ("" if status == PENDING else status), now
    bulk.send_at = max(bulk.send_at, now) if status == PENDING else bulk.send_at
    bulk.changes += 1


def _require_waiting(bulk: Bulk, now: float) -> None:
    if bulk.status(now) not in (PENDING, PAUSED):
        raise InfobipError(400, [("bulkId", f"the bulk is {bulk.status(now)}")])
