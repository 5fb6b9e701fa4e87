"""Read and write page tokens. A token of another list or filter is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Annotated, Any, TypeVar

import msgspec

from sms_connector.api.problem_list import reading
from sms_connector.api.routing import ParsedRequest
from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.page import decode_token, encode_token
from sms_connector.model.typed import convert

Cursor = tuple[float, str]
# A place in numbered parts: the part, and the offset in it.
Offset = tuple[Annotated[int, msgspec.Meta(ge=0, lt=2**31)], Annotated[int, msgspec.Meta(ge=0, lt=2**31)]]
_OTHER = "is of another list or filter; send it with the filter it was given for, or leave it out"

T = TypeVar("T")


def read_page(
    call: ParsedRequest, fetch: Callable[..., tuple[T, Cursor | None]], *filtered: Hashable
) -> tuple[T, str | None]:
    """Return the page that the query asks for, and the next one's token. `filtered`: the list and its filter."""
    after = read_token(call.query.page_token, Cursor, *filtered)
    found, cursor = fetch(limit=call.query.page_size, after=after)
    return found, write_token(cursor, *filtered)


def read_token(token: str, kind: Any, *filtered: Hashable) -> Any:
    """Return where the page begins, a `kind` of place, None for the first. Raises InvalidRequest."""
    if not token:
        return None
    with reading("pageToken"):
        list_digest, *key = decode_token(token) or (None,)
    try:
        if list_digest == _list_digest(filtered):
            return convert(key, kind)
    except msgspec.ValidationError:
        pass
    raise InvalidRequest(FieldProblem("pageToken", _OTHER))


def write_token(key: Cursor | Offset | None, *filtered: Hashable) -> str | None:
    return None if key is None else encode_token((_list_digest(filtered), *key))


def _list_digest(filtered: tuple[Hashable, ...]) -> str:
    return hashlib.sha256(repr(filtered).encode()).hexdigest()[:12]
