"""What may be shown of URLs, headers and texts: enough to find a request at the provider, no person, no secret.

url      https://user:pw@api.example/Accounts/AC0123…/Messages/SM…?To=%2B15558675310
      →  https://api.example/Accounts/AC…cdef/Messages/SM…89ab?To=***
number   +15558675310  →  +155…10
header   Authorization: Basic …  →  ***
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from sms_connector.model import phone_number

MASK = "***"

# What a support case needs, and nothing that identifies a person or opens a door. Everything else is masked.
_SHOWN_HEADERS = frozenset(
    (
        "accept",
        "content-length",
        "content-type",
        "date",
        "host",
        "retry-after",
        "server",
        "twilio-request-id",
        "user-agent",
        "x-ms-request-id",
        "x-request-id",
    )
)

# Seven digits are the shortest numbers in use; separators are what people write between them. A date is no number.
_SEPARATORS = re.compile(r"[ ().-]")
_NUMBER = re.compile(r"(?<![\w+])(?!\d{4}-\d\d-\d\d)\+?\d(?:[ ().-]{0,2}\d){6,}(?!\w)")
# Account and message ids, GUIDs, keyed digests: sixteen characters or more of one word with a digit in it.
_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*\d)[A-Za-z0-9_-]{16,}(?![\w-])")
_URL = re.compile(r"\bhttps?://[^\s'\"<>]+")


def _mask_number(hit: re.Match[str]) -> str:
    return phone_number.mask(_SEPARATORS.sub("", hit[0]))


def _mask_token(hit: re.Match[str]) -> str:
    """The two letters that say the kind and the last four: `AC0123…cdef` → `AC…cdef`."""
    return f"{hit[0][:2]}…{hit[0][-4:]}"


def _mask_segment(segment: str) -> str:
    plain = unquote(segment)
    masked = _TOKEN.sub(_mask_token, _NUMBER.sub(_mask_number, plain))
    return segment if masked == plain else masked


def redact_url(url: str) -> str:
    """The URL without user info, query values, fragment, whole numbers or whole ids. Never raises."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(_mask_segment(segment) for segment in parts.path.split("/"))
    names = [pair.partition("=")[0] for pair in parts.query.split("&") if pair]
    query = "&".join(f"{redact_text(unquote(name))}={MASK}" for name in names)
    return f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")


def redact_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header names with the values that may be shown; every other value is `***`."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {name: redact_text(value) if name.lower() in _SHOWN_HEADERS else MASK for name, value in pairs}


def redact_text(text: str) -> str:
    """Free text with its URLs redacted and its phone numbers and long ids masked."""
    text = _URL.sub(lambda hit: redact_url(hit[0]), text)
    text = _NUMBER.sub(_mask_number, text)
    return _TOKEN.sub(_mask_token, text)
