"""The access key of a Communication Services resource, and the requests it signs.

HMAC-SHA256 over verb, path and query, date, host and digest of the body: `HMACCredentialsPolicy` of
azure-communication-sms 1.1.0, and
https://learn.microsoft.com/azure/communication-services/tutorials/hmac-header-tutorial. The service takes a date at
most 5 minutes off (its own words in a 401: "the allowed margin of 5 minutes"), so each attempt is signed anew.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import urlsplit

from sms_connector.errors import CredentialsMissing
from sms_connector.ports import Secret, SecretSource
from sms_connector.providers.common import missing

# A name, not a value.
ACCESS_KEY = "access-key"
SECRET_NAMES: tuple[str, ...] = (ACCESS_KEY,)


def problems(secrets: SecretSource) -> list[str]:
    """Return what is wrong with the key: where it was looked for, what is allowed; never a value."""
    value = secrets.get(ACCESS_KEY)
    if not value:
        return [missing(secrets, ACCESS_KEY)]
    if _decoded(value) is not None:
        return []
    where = f"secret {ACCESS_KEY!r} is not base64 (looked at {secrets.where(ACCESS_KEY)})"
    if "accesskey=" in value.lower():
        return [f"{where}; it looks like a connection string: write only what follows 'accesskey='"]
    return [f"{where}; copy Key 1 or Key 2 of the resource, Settings, Keys"]


def sign(secrets: SecretSource, method: str, url: str, body: bytes, *, at: float) -> tuple[Mapping[str, str], Secret]:
    """Return the headers and the Authorization of one attempt at `at` (epoch seconds). Raises CredentialsMissing."""
    value = secrets.get(ACCESS_KEY)
    key = _decoded(value) if value else None
    if key is None:
        raise CredentialsMissing("; ".join(problems(secrets)))
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    date, digest = formatdate(at, usegmt=True), b64encode(hashlib.sha256(body).digest()).decode()
    signed = f"{method}\n{target}\n{date};{parts.netloc};{digest}"
    signature = b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    authorization = Secret(f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}")
    return {"x-ms-date": date, "x-ms-content-sha256": digest}, authorization


def _decoded(value: str) -> bytes | None:
    try:
        return b64decode(value, validate=True)
    except (Base64Error, ValueError):
        return None
