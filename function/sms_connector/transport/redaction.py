"""What may be shown of a URL: enough to find a request at the provider, no person, no secret.

https://user:pw@api.example/Accounts/AC0123…/Messages/SM…?To=%2B15558675310
→  https://api.example/Accounts/AC…cdef/Messages/SM…89ab?To=***
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from sms_connector.model import phone_number

MASK = "***"
# Seven digits are the shortest numbers in use; separators are what people write between them. A date is no number.
_SEPARATORS = re.compile(r"[ ().-]")
_NUMBER = re.compile(r"(?<![\w+])(?!\d{4}-\d\d-\d\d)\+?\d(?:[ ().-]{0,2}\d){6,}(?!\w)")
# Account and message ids, GUIDs, keyed digests: sixteen characters or more of one word with a digit in it.
_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*\d)[A-Za-z0-9_-]{16,}(?![\w-])")


def redact_url(url: str) -> str:
    """The URL without user info, query values, fragment, whole numbers or whole ids. Never raises."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(map(_mask, parts.path.split("/")))
    query = "&".join(f"{_mask(pair.partition('=')[0])}={MASK}" for pair in parts.query.split("&") if pair)
    return f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")


def _mask(segment: str) -> str:
    plain = unquote(segment)
    masked = _TOKEN.sub(_mask_token, _NUMBER.sub(_mask_number, plain))
    return segment if masked == plain else masked


def _mask_number(hit: re.Match[str]) -> str:
    return phone_number.mask(_SEPARATORS.sub("", hit[0]))


def _mask_token(hit: re.Match[str]) -> str:
    """The two letters that say the kind and the last four: `AC0123…cdef` → `AC…cdef`."""
    return f"{hit[0][:2]}…{hit[0][-4:]}"
