"""The signature of Standard Webhooks, for notifications and for custom channels.

    webhook-id         the same in every attempt
    webhook-timestamp  of this attempt, in seconds: a receiver refuses what is older than some minutes
    webhook-signature  `v1,` and the base64 of an HMAC-SHA256 over `{id}.{timestamp}.{body}`; one a key, current first

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
# The specification leaves the number to the receiver; its libraries take five minutes.
TOLERANCE_SECONDS = 300.0
# More signatures than keys of a rotation are nonsense, and each costs a comparison.
MOST_SIGNATURES = 10


def read_key(secret: str) -> bytes:
    """Return the key of a secret in `whsec_…` form, or of any text."""
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except Base64Error:
        return secret.encode()


def signed_headers(id_: str, body: bytes, *, keys: Sequence[bytes], at: float) -> Mapping[str, str]:
    """Return the three headers; `at` is the time of the attempt (epoch seconds)."""
    timestamp = str(int(at))
    signatures = " ".join(_sign(key, id_, timestamp, body) for key in keys)
    return {ID: id_, TIMESTAMP: timestamp, SIGNATURE: signatures}


def is_signed(headers: Mapping[str, str], body: bytes, *, keys: Sequence[bytes], at: float) -> bool:
    """Check the signature of a request that came at `at` (epoch seconds) against every key, in constant time. Header
    names are lower-case."""
    id_, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    given = headers.get(SIGNATURE, "").split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]
    if not (id_ and timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(at - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = [_sign(key, id_, timestamp, body).encode() for key in keys if key]  # anyone can sign with an empty one
    matches = [hmac.compare_digest(one, each.encode("utf-8", "replace")) for one in expected for each in given]
    return any(matches)


def _sign(key: bytes, id_: str, timestamp: str, body: bytes) -> str:
    signed = f"{id_}.{timestamp}.".encode("utf-8", "replace") + body
    return f"v1,{b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
