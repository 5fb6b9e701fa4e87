"""Where the connector is, and as whom it is called.

On loopback no identity is needed. Elsewhere the platform requires an identity token, which never travels over plain http.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from cli.errors import Misused, Unavailable

TOKEN_VARIABLE = "SMS_CLI_TOKEN"  # noqa: S105 - the variable's name
_GCLOUD = "gcloud"
_GCLOUD_SECONDS = 30
_MARGIN_SECONDS = 120.0
_ADVICE = f"log in with `gcloud auth login`, set GOOGLE_APPLICATION_CREDENTIALS, or put a token into {TOKEN_VARIABLE}"

TokenSource = Callable[[], str]


class IdentityToken(AuthBase):
    """Asks for a token when one is first needed, shortly before it expires (it lives an hour), and after `forget`."""

    def __init__(self, source: TokenSource, now: Callable[[], float] = time.time) -> None:
        self._source = source
        self._now = now
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = 0.0

    def forget(self) -> None:
        self._token = None

    def read(self) -> str:
        """Return the token. Raises Unavailable where there is none."""
        with self._lock:
            if self._token is None or self._now() > self._until:
                self._token = self._source()
                self._until = _expiry_of(self._token) - _MARGIN_SECONDS
            return self._token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.read()}"
        return request


def _expiry_of(token: str) -> float:
    """Return when a token expires, seconds since the epoch; never, where it does not say so."""
    from google.auth import jwt

    try:
        return float(jwt.decode(token, verify=False)["exp"])  # type: ignore[no-untyped-call]  # google-auth has types in part
    except (ValueError, KeyError):
        return math.inf


def check_url(url: str) -> str:
    """Return the base URL without its trailing slash. Raises Misused where a token would travel in the clear, or it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misused(f"--url: {url!r} is not an address such as https://connector-abc.a.run.app")
    if parts.scheme == "http" and not is_loopback(url):
        raise Misused(
            f"--url: {url!r} is plain http to another machine; use https, the request carries an identity token"
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_source(url: str, environ: Mapping[str, str]) -> TokenSource:
    """Return how to get a token for the service at `url`: given, of a service account, of gcloud, of the machine we run on."""
    given = environ.get(TOKEN_VARIABLE)
    if given:
        return lambda: given
    gcloud = shutil.which(_GCLOUD, path=environ.get("PATH"))
    if gcloud and not environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return lambda: _ask_gcloud(gcloud)
    return lambda: _ask_google_auth(url)


def _ask_gcloud(gcloud: str) -> str:
    command = (gcloud, "auth", "print-identity-token")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GCLOUD_SECONDS, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"gcloud gives no identity token: {_explain_gcloud(error)}; {_ADVICE}") from None
    return done.stdout.strip()


def _explain_gcloud(error: Exception) -> str:
    """Return what gcloud says after `ERROR:`, as one sentence."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not answer within {_GCLOUD_SECONDS} seconds"
    said = " ".join(str(getattr(error, "stderr", None) or error).split())
    return re.sub(r"^.*?ERROR: (?:\([\w.-]+\) )?", "", said)[:300].rstrip(". ")


def _ask_google_auth(url: str) -> str:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    try:
        token: str = id_token.fetch_id_token(Request(), url)  # type: ignore[no-untyped-call]  # google-auth has types in part
    except GoogleAuthError as error:
        raise Unavailable(f"no identity to call {url} with ({error}); {_ADVICE}") from None
    return token
