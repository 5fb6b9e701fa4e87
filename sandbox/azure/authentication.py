"""HMAC-SHA256 of Azure Communication Services, as the resource checks it.

String to sign and headers: `HMACCredentialsPolicy` of azure-communication-sms 1.1.0, and
learn.microsoft.com/azure/communication-services/tutorials/hmac-header-tutorial.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime

from sandbox.wire import Request

# The margin is not in the documents; the text is that of the service, kept by public code that handles its errors.
MARGIN_SECONDS = 300
LATE = (
    "The time difference between the originating client and the server is greater than the allowed margin of 5 minutes."
)
SIGNED = "x-ms-date;host;x-ms-content-sha256"
AUTHORIZATION = re.compile(r"HMAC-SHA256 SignedHeaders=([\w;-]+)&Signature=([A-Za-z0-9+/=]+)")
DENIED = "Denied by the resource provider."


def denial(request: Request, keys: Iterable[str], *, now: float) -> str | None:
    """Return why the request is not authenticated, None if it is. Both keys of the resource are valid at any time."""
    found = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    date = request.headers.get("x-ms-date", "")
    content = request.headers.get("x-ms-content-sha256", "")
    if found is None or found[1].lower() != SIGNED:
        return DENIED
    if content != content_hash(request.body):
        return (
            "Request 'x-ms-content-sha256' differs from generated content hash."  # an example of the REST description
        )
    seconds = http_epoch(date)
    if seconds is None or abs(seconds - now) > MARGIN_SECONDS:
        return LATE
    target = request.path + (f"?{request.query}" if request.query else "")
    signed = f"{request.method}\n{target}\n{date};{request.headers.get('Host', '')};{content}"
    if not any(hmac.compare_digest(sign(key, signed), found[2]) for key in keys):
        return DENIED
    return None


def sign(key: str, text: str) -> str:
    return b64encode(hmac.new(b64decode(key), text.encode(), hashlib.sha256).digest()).decode()


def content_hash(body: bytes) -> str:
    return b64encode(hashlib.sha256(body).digest()).decode()


def http_epoch(date: str) -> float | None:
    """Return the seconds of an RFC 1123 date, None if it is none."""
    try:
        return datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
