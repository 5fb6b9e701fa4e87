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
    call: ParsedRequest,
    fetch: Callable[..., tuple[T, Cursor | Offset | None]],
    *filtered: Hashable,
    kind: Any = Cursor,
) -> tuple[T, str | None]:
    """Return the page that the query asks for, and the next one's token. Raises InvalidRequest.

    `filtered`: the list and its filter; `kind`: how `fetch` takes and returns the place where a page begins.
    """
    listed = hashlib.sha256(repr(filtered).encode()).hexdigest()[:12]
    after = _read_token(call.query.page_token, kind, listed)
    found, following = fetch(limit=call.query.page_size, after=after)
    return found, None if following is None else encode_token((listed, *following))


def _read_token(token: str, kind: Any, listed: str) -> Any:
    """Return where the page begins, None for the first."""
    if not token:
        return None
    with reading("pageToken"):
        list_digest, *place = decode_token(token) or (None,)
    try:
        if list_digest == listed:
            return convert(place, kind)
    except msgspec.ValidationError:
        pass
    raise InvalidRequest(FieldProblem("pageToken", _OTHER))
