"""Basic and TSA digest authentication, and the signature of callbacks.

developer.telesign.com/enterprise/docs/authentication and …/authenticate-callbacks; the string to sign is held against the
official SDK in the tests. The documents tell no number for the tolerance of dates, the length of nonces and how long one is
remembered: those below are UNVERIFIED.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from sandbox.credentials import is_one_of, read_basic
from sandbox.telesign.codes import TelesignError
from sandbox.wire import Request

DATE_TOLERANCE_SECONDS = 900.0
NONCE_LENGTHS = range(4, 129)
METHOD = "HMAC-SHA256"


@dataclass(slots=True)
class Nonces:
    """The nonces of the last `DATE_TOLERANCE_SECONDS` to twice that; an older request is refused for its date."""

    recent: set[str] = field(default_factory=set)
    older: set[str] = field(default_factory=set)
    turned_at: float = 0.0

    def take(self, nonce: str, now: float) -> bool:
        """Return False if it was used."""
        if now - self.turned_at > DATE_TOLERANCE_SECONDS:
            self.recent, self.older, self.turned_at = set(), self.recent, now
        if nonce in self.recent or nonce in self.older:
            return False
        self.recent.add(nonce)
        return True


def authenticate(request: Request, *, customer_id: str, api_keys: list[str], nonces: Nonces, now: float) -> None:
    """Raises TelesignError unless one of the keys is used. `now`: the real time, epoch seconds."""
    header = request.headers.get("Authorization")
    if not header:
        raise TelesignError(10009)
    scheme, _, value = header.partition(" ")
    if scheme == "Basic":
        return _check_basic(header, customer_id=customer_id, api_keys=api_keys)
    given_id, colon, signature = value.partition(":")
    if scheme != "TSA" or not colon:
        raise TelesignError(10028)
    if given_id != customer_id:
        raise TelesignError(10015)
    _check_digest(request, signature, api_keys=api_keys, now=now)
    if not nonces.take(request.headers["x-ts-nonce"], now):
        raise TelesignError(10002)
    return None


def _check_basic(header: str, *, customer_id: str, api_keys: list[str]) -> None:
    user, key = read_basic(header)
    if not user:
        raise TelesignError(10028)
    if user != customer_id:
        raise TelesignError(10015)
    if not is_one_of(key, api_keys):
        raise TelesignError(10022)


def _check_digest(request: Request, signature: str, *, api_keys: list[str], now: float) -> None:
    headers = request.headers
    if headers.get("x-ts-auth-method") != METHOD:
        raise TelesignError(10006)
    date = headers.get("x-ts-date") or headers.get("Date")
    if not date:
        raise TelesignError(10007)
    try:
        sent_at = parsedate_to_datetime(date).timestamp()
    except ValueError:
        raise TelesignError(10005) from None
    if abs(now - sent_at) > DATE_TOLERANCE_SECONDS:
        raise TelesignError(10004)
    if len(headers.get("x-ts-nonce", "")) not in NONCE_LENGTHS:
        raise TelesignError(10003)
    signed = string_to_sign(request)
    if not is_one_of(signature, [sign(key, signed) for key in api_keys]):
        raise TelesignError(10008, signature_string=signed.decode("utf-8", "replace"))


def string_to_sign(request: Request) -> bytes:
    headers = request.headers
    content_type = headers.get("Content-Type", "")
    dates = ("", f"\nx-ts-date:{headers['x-ts-date']}") if "x-ts-date" in headers else (headers.get("Date", ""), "")
    head = f"{request.method}\n{content_type}\n{dates[0]}\nx-ts-auth-method:{METHOD}{dates[1]}"
    body = b"\n" + request.body if content_type and request.body else b""
    return f"{head}\nx-ts-nonce:{headers['x-ts-nonce']}".encode() + body + f"\n{request.path}".encode()


def sign(api_key: str, signed: bytes) -> str:
    """Return the signature of a request's string to sign, or of a callback's body."""
    return b64encode(hmac.new(b64decode(api_key), signed, hashlib.sha256).digest()).decode()
