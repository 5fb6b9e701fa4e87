"""The credentials for Telesign, and what is signed with them.

A customer ID and an API key, by HTTP Basic or, by default, by a digest
(developer.telesign.com/enterprise/docs/authentication; the string to sign is that of the official SDK, telesign 4.1.1,
`RestClient.generate_telesign_headers`):

    METHOD \\n Content-Type \\n Date \\n x-ts-auth-method:HMAC-SHA256 \\n x-ts-nonce:{nonce} [\\n body] \\n path

The key signs callbacks too, over the body alone: …/docs/authenticate-callbacks.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import urlsplit
from uuid import uuid4

from msgspec.structs import replace

from sms_connector.errors import CredentialsMissing
from sms_connector.ports import Secret, SecretSource
from sms_connector.provider import RawCallback
from sms_connector.providers.common import basic, required
from sms_connector.transport.http import HttpRequest

# These are names, not values.
CUSTOMER_ID = "customer-id"
API_KEY = "api-key"
API_KEY_PREVIOUS = "api-key-previous"
SECRET_NAMES = (CUSTOMER_ID, API_KEY, API_KEY_PREVIOUS)
NEEDED = (CUSTOMER_ID, API_KEY)

METHOD = "HMAC-SHA256"
# Both are always sent, and some platforms rewrite the first one on its way in.
SIGNATURE_HEADERS = ("authorization", "x-ts-authorization")


def with_basic(request: HttpRequest, secrets: SecretSource) -> HttpRequest:
    return replace(request, authorization=basic(required(secrets, CUSTOMER_ID), required(secrets, API_KEY)))


def with_digest(request: HttpRequest, secrets: SecretSource, *, at: float) -> HttpRequest:
    """Sign a request for one attempt: its nonce is good once, its date (`at`, epoch seconds) for some minutes."""
    customer_id, key = required(secrets, CUSTOMER_ID), read_key(required(secrets, API_KEY), secrets)
    date, nonce = formatdate(at, usegmt=True), str(uuid4())
    content_type = request.headers.get("Content-Type", "")
    head = f"{request.method}\n{content_type}\n{date}\nx-ts-auth-method:{METHOD}\nx-ts-nonce:{nonce}\n".encode()
    body = request.body + b"\n" if request.body and content_type else b""
    signature = _sign(key, head + body + (urlsplit(request.url).path or "/").encode())
    headers = {**request.headers, "Date": date, "x-ts-auth-method": METHOD, "x-ts-nonce": nonce}
    return replace(request, headers=headers, authorization=Secret(f"TSA {customer_id}:{signature}"))


def is_signed(callback: RawCallback, secrets: SecretSource) -> bool:
    """Check a callback's signature against the current and the previous key, in constant time.

    The header has the signature alone or behind `TSA {customer id}:`; the documents show both.
    """
    keys = [read_key(required(secrets, API_KEY), secrets), *_previous_keys(secrets)]
    given = [_signature(callback.headers, name).encode("utf-8", "replace") for name in SIGNATURE_HEADERS]
    expected = [_sign(key, callback.body).encode() for key in keys]
    matches = [hmac.compare_digest(one, each) for one in expected for each in given]
    return any(matches)


def problems(secrets: SecretSource) -> list[str]:
    """Return what is wrong with the key's form: Telesign's are base64."""
    try:
        if key := secrets.get(API_KEY):
            read_key(key, secrets)
    except CredentialsMissing as error:
        return [str(error)]
    return []


def read_key(text: str, secrets: SecretSource) -> bytes:
    """Return the key's bytes. Raises CredentialsMissing."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        where = f"looked at {secrets.where(API_KEY)}"
        raise CredentialsMissing(
            f"secret {API_KEY!r} is not base64 ({where}); copy the API key from Telesign's portal as it is"
        ) from None


def _previous_keys(secrets: SecretSource) -> list[bytes]:
    """Return the key before; none for what was never one: before the first rotation that secret holds anything."""
    try:
        key = b64decode(secrets.get(API_KEY_PREVIOUS) or "", validate=True)
    except ValueError:
        return []
    return [key] if key else []


def _sign(key: bytes, signed: bytes) -> str:
    return b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _signature(headers: Mapping[str, str], name: str) -> str:
    value = next((value for key, value in headers.items() if key.lower() == name), "")
    return value.rpartition(":")[2].rpartition(" ")[2]
