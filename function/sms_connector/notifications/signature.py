"""The form and signature of notifications: Standard Webhooks.

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
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from sms_connector.ports import SecretSource

# In `whsec_…` form, or any text. The previous one still signs while receivers change to the new one.
SECRETS = ("callback-secret", "callback-secret-previous")
FALLBACK = "webhook-key"
PREFIX = "whsec_"
TYPE = "message.final"


class Signer(msgspec.Struct, frozen=True):
    """Reads the secrets at each use, so that a rotation is seen without a restart."""

    secrets: SecretSource

    def envelope(self, result: bytes, *, at: float) -> bytes:
        """Return the body: `result` is the data as JSON, `at` its time (epoch seconds)."""
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return f'{{"type":"{TYPE}","timestamp":"{moment}","data":'.encode() + result + b"}"

    def headers(self, id_: str, body: bytes, *, at: float) -> Mapping[str, str] | None:
        """Return the headers; None without a secret."""
        keys = self.keys()
        if not keys:
            return None
        signed = f"{id_}.{int(at)}.".encode() + body
        signatures = (b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
        return {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(int(at)),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }

    def keys(self) -> list[bytes]:
        """Return the current key first. Without a secret of its own one is derived from `webhook-key`: receivers get
        `whsec_` + base64(HMAC-SHA256(webhook-key, "callbacks")), never the key that protects our callback addresses."""
        own = [_read(secret) for name in SECRETS if (secret := self.secrets.get(name))]
        key = self.secrets.get(FALLBACK)
        if own or not key:
            return own
        return [hmac.new(key.encode(), b"callbacks", hashlib.sha256).digest()]


def _read(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except Base64Error:
        return secret.encode()
