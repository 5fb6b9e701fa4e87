"""The form and signature of notifications: Standard Webhooks (`model/standard_webhooks.py`)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from sms_connector.model.standard_webhooks import read_key, signed_headers
from sms_connector.ports import SecretSource

# In `whsec_…` form, or any text. The previous one still signs while receivers change to the new one.
SECRETS = ("callback-secret", "callback-secret-previous")
FALLBACK = "webhook-key"
TYPE = "message.final"


def envelope(result: bytes, *, at: float, kind: str = TYPE) -> bytes:
    """Return the body: `result` is the data as JSON, `at` its time (epoch seconds)."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f'{{"type":"{kind}","timestamp":"{moment}","data":'.encode() + result + b"}"


class Signer(msgspec.Struct, frozen=True):
    """Reads the secrets at each use, so that a rotation is seen without a restart."""

    secrets: SecretSource

    def headers(self, id_: str, body: bytes, *, at: float) -> Mapping[str, str] | None:
        """Return the headers; None without a secret."""
        keys = self.keys()
        if not keys:
            return None
        return {"Content-Type": "application/json", **signed_headers(id_, body, keys=keys, at=at)}

    def keys(self) -> list[bytes]:
        """Return the current key first. Without a secret of its own one is derived from `webhook-key`: receivers get
        `whsec_` + base64(HMAC-SHA256(webhook-key, "callbacks")), never the key that protects our callback addresses."""
        own = [read_key(secret) for name in SECRETS if (secret := self.secrets.get(name))]
        key = self.secrets.get(FALLBACK)
        if own or not key:
            return own
        return [hmac.new(key.encode(), b"callbacks", hashlib.sha256).digest()]
