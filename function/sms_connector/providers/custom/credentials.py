"""The credentials of a custom channel: the secret that signs both directions, and a key where one is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from sms_connector.model.standard_webhooks import read_key, signed_headers
from sms_connector.ports import Secret, SecretSource
from sms_connector.providers.common import required
from sms_connector.transport.http import HttpRequest

# These are names, not values.
SIGNING_SECRET = "signing-secret"  # noqa: S105
SIGNING_SECRET_PREVIOUS = "signing-secret-previous"  # noqa: S105
API_KEY = "api-key"
SECRET_NAMES = (SIGNING_SECRET, SIGNING_SECRET_PREVIOUS, API_KEY)
NEEDED = (SIGNING_SECRET,)


def problems(secrets: SecretSource) -> list[str]:
    """Return a secret that is nothing but its prefix: anyone can sign with an empty key."""
    secret = secrets.get(SIGNING_SECRET)
    if secret is None or read_key(secret):
        return []
    where = f"looked at {secrets.where(SIGNING_SECRET)}"
    return [f"secret {SIGNING_SECRET!r} is empty ({where}); write whsec_ and the base64 of 32 random bytes"]


def keys(secrets: SecretSource) -> Sequence[bytes]:
    """Return the keys that sign, and that a callback may be signed with, the current one first. Raises
    CredentialsMissing."""
    previous = secrets.get(SIGNING_SECRET_PREVIOUS)
    return [read_key(secret) for secret in (required(secrets, SIGNING_SECRET), previous) if secret]


def signed(request: HttpRequest, id_: str, secrets: SecretSource, *, at: float) -> HttpRequest:
    """Sign an attempt with every key, so that the endpoint may change to the new one at any time."""
    headers = signed_headers(id_, request.body or b"", keys=keys(secrets), at=at)
    key = secrets.get(API_KEY)
    authorization = Secret(f"Bearer {key}") if key else None
    return replace(request, headers={**request.headers, **headers}, authorization=authorization)
