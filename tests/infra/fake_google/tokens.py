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
    body = signed.partition(".")[2]
    return _decode(body) if body and hmac.compare_digest(signature, _sign(signed)) else None


def _decode(part: str) -> dict[str, str]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(part + "=="))
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _sign(text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(_KEY, text.encode(), hashlib.sha256)).decode().rstrip("=")
