"""The addresses that providers call, and the proof which message a callback is about.

`{public}/webhooks/{provider}/status/{token}?m={message id}&d={digest}`: the token belongs to the connection and keeps
other requests out of the queue; the digest belongs to the message, so that a callback can settle an unknown outcome
(sending.md section 3). Both are keyed with the `webhook-key` secret.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import msgspec

from sms_connector.errors import ErrorKind, NotSent
from sms_connector.ports import SecretSource

KEY_SECRETS = ("webhook-key", "webhook-key-previous")


class CallbackAddress(msgspec.Struct, frozen=True):
    """Makes and checks the addresses of one connection. `public_url` is SMS_WEBHOOK_URL without a trailing slash."""

    public_url: str
    provider: str
    connection: str
    secrets: SecretSource

    def of_message(self, message_id: str) -> str:
        """Raises NotSent without a key: a message sent with another one could never report back."""
        return f"{self.of_kind('status')}?m={message_id}&d={_digest(self._key(), 'message', message_id)}"

    def of_kind(self, kind: str) -> str:
        """Return the address as it is configured at the provider; `kind` is `status` or `inbound`."""
        token = _digest(self._key(), kind, self.connection)
        return f"{self.public_url}/webhooks/{self.provider}/{kind}/{token}"

    def accepts_token(self, kind: str, token: str) -> bool:
        """Compare with current and previous key, in constant time."""
        return self._is_ours(token, kind, self.connection)

    def message_of(self, url: str) -> str | None:
        """Return the message that a callback names, if the digest is ours."""
        query = parse_qs(urlsplit(url).query)
        message_id, digest = query.get("m", [""])[0], query.get("d", [""])[0]
        return message_id if message_id and self._is_ours(digest, "message", message_id) else None

    def _is_ours(self, digest: str, purpose: str, value: str) -> bool:
        keys = [key for name in KEY_SECRETS if (key := self.secrets.get(name))]
        known = [hmac.compare_digest(_digest(key, purpose, value).encode(), digest.encode()) for key in keys]
        return any(known)

    def _key(self) -> str:
        name = KEY_SECRETS[0]
        key = self.secrets.get(name)
        if not key:
            where = self.secrets.where(name)
            raise NotSent(
                f"secret {name} is missing: looked at {where}; write its value there", kind=ErrorKind.AUTHENTICATION
            )
        return key


def _digest(key: str, purpose: str, value: str) -> str:
    return hmac.new(key.encode(), f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()[:24]
