"""Standard Webhooks in both directions: github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping

from sandbox.credentials import is_one_of

PREFIX = "whsec_"
# The specification names no number; its libraries take five minutes.
TOLERANCE_SECONDS = 300.0


def sign(secret: str, id_: str, timestamp: str, body: bytes) -> str:
    key = b64decode(secret.removeprefix(PREFIX))
    signed = f"{id_}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def signature_problem(headers: Mapping[str, str], body: bytes, *, secrets: Iterable[str], now: float) -> str | None:
    """Return what is wrong with a request's signature; None if one of the secrets made it."""
    id_, timestamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (id_ and timestamp and given):
        return "webhook-id, webhook-timestamp and webhook-signature are needed"
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is not within five minutes of now"
    expected = [sign(secret, id_, timestamp, body) for secret in secrets]
    return None if any(is_one_of(each, expected) for each in given.split(" ")) else "no webhook-signature matches"
