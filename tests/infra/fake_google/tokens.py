"""Identity tokens the fake issues and recognises: the form of a JWT, signed with a key of this process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

_KEY = secrets.token_bytes(32)


def issue(email: str, audience: str) -> str:
    head = _encode({"alg": "HS256", "typ": "JWT"})
    body = _encode({"iss": "https://accounts.google.com", "aud": audience, "email": email, "email_verified": True})
    return f"{head}.{body}.{_sign(f'{head}.{body}')}"


def read(token: str) -> dict[str, str] | None:
    """The claims of a token of ours; None for anything else."""
    signed, _, signature = token.rpartition(".")
    if not signed or not hmac.compare_digest(signature, _sign(signed)):
        return None
    claims: dict[str, str] = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    return claims


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _sign(text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(_KEY, text.encode(), hashlib.sha256)).decode().rstrip("=")
