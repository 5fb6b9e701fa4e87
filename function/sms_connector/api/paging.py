"""Read and write page tokens. A token of another list or filter is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.page import decode_token, encode_token

Cursor = tuple[float, str]
Offset = tuple[int, int]
_OTHER = "is of another list or filter; send it with the filter it was given for, or leave it out"


def read_token(token: str, *filtered: Hashable) -> Cursor | None:
    """Return where the page begins, None for the first. `filtered`: the list and its filter. Raises InvalidRequest."""
    if not token:
        return None
    match _decode(token):
        case (list_digest, int() | float() as value, str() as document_id) if list_digest == _list_digest(filtered):
            return float(value), document_id
    raise InvalidRequest(FieldProblem("pageToken", _OTHER))


def write_token(cursor: Cursor | None, *filtered: Hashable) -> str | None:
    return None if cursor is None else encode_token((_list_digest(filtered), *cursor))


def read_offset(token: str, listed: str) -> Offset:
    """Return where a page begins in numbered parts: the part, and the offset in it. Raises InvalidRequest."""
    if not token:
        return 0, 0
    match _decode(token):
        case (list_digest, int() as part, int() as offset) if (
            list_digest == _list_digest((listed,)) and min(part, offset) >= 0 and max(part, offset) < 2**31
        ):
            return part, offset
    raise InvalidRequest(FieldProblem("pageToken", _OTHER))


def write_offset(offset: Offset | None, listed: str) -> str | None:
    return None if offset is None else encode_token((_list_digest((listed,)), *offset))


def _decode(token: str) -> object:
    try:
        return decode_token(token)
    except InvalidValueError as error:
        raise InvalidRequest(FieldProblem("pageToken", str(error))) from None


def _list_digest(filtered: tuple[Hashable, ...]) -> str:
    return hashlib.sha256(repr(filtered).encode()).hexdigest()[:12]
