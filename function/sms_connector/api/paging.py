"""Page tokens that belong to their list and filter: one of another list, or of another filter, is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.page import decode_token, encode_token

Cursor = tuple[float, str]


def read_token(token: str, *filtered: Hashable) -> Cursor | None:
    """Where the page begins; None for the first. `filtered`: the list, and what it is filtered by. Raises InvalidRequest."""
    if not token:
        return None
    try:
        key = decode_token(token)
    except InvalidValueError as error:
        raise InvalidRequest(FieldProblem("pageToken", str(error))) from None
    match key:
        case (mark, int() | float() as value, str() as document_id) if mark == _mark(filtered):
            return float(value), document_id
    message = "is of another list or filter; send it with the filter it was given for, or leave it out"
    raise InvalidRequest(FieldProblem("pageToken", message))


def write_token(cursor: Cursor | None, *filtered: Hashable) -> str | None:
    return None if cursor is None else encode_token((_mark(filtered), *cursor))


def _mark(filtered: tuple[Hashable, ...]) -> str:
    return hashlib.sha256(repr(filtered).encode()).hexdigest()[:12]
