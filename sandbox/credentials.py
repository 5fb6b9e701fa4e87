"""Credentials in a request, as most providers take them."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=1024)
def read_basic(header: str) -> tuple[str, str]:
    """Return user and password of an Authorization header (RFC 7617), both empty where it has none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def basic_header(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def is_one_of(given: str, secrets: Iterable[str | None]) -> bool:
    """Compare with every secret, in constant time for each."""
    return any(secret is not None and hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets)
