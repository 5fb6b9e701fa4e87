"""Page tokens: where the next page begins, in an opaque form."""

from __future__ import annotations

import base64
import json

from sms_connector.errors import FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, quote

# What the next page begins after, e.g. the time and the id of the last message of this one.
PageKey = tuple[str | int | float | bool | None, ...]

_LONGEST = 1024


def encode_token(key: PageKey) -> str:
    """Return the token for `key`: URL-safe, at most 1 024 characters. A key too long for that raises ValueError."""
    content = json.dumps(key, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    token = base64.urlsafe_b64encode(content).decode().rstrip("=")
    if len(token) > _LONGEST:
        raise ValueError(f"a page key of {len(content)} bytes is too long for a token")
    return token


def decode_token(token: str) -> PageKey:
    """Return the key that `encode_token` was given. Raises InvalidValueError for anything else."""
    try:
        return _decode(token)
    except (ValueError, RecursionError):
        message = (
            f"{quote(token)} is not a page token; send the nextPageToken of the page before, or none for the first page"
        )
        raise InvalidValueError(FieldProblem("", message)) from None


def _decode(token: str) -> PageKey:
    if len(token) > _LONGEST:
        raise ValueError("longer than any token")
    content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    items = json.loads(content)
    if not isinstance(items, list) or any(isinstance(item, (list, dict)) for item in items):
        raise ValueError("not a list of plain values")
    key = tuple(items)
    if encode_token(key) != token:
        raise ValueError("another spelling of a token")
    return key
