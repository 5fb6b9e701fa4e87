"""The credentials for LINK: user name and password (HTTP Basic), or a client of OAuth 2.

SMS REST API MT/DLR 1.18, "Authentication". OAuth came with edition 2: `POST {base}/auth/token`, a form with grant_type,
client_id and client_secret, is answered with an access_token that calls carry as Bearer
(https://developers.melroselabs.com/docs/adapter-link-mobility-sms-rest-api; a client in use does the same). How long it
lives is in no document that could be read: `expires_in` is taken where it comes (RFC 6749, section 5.1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from sms_connector.errors import ErrorKind, NotSent, ProviderRefused
from sms_connector.ports import Clock, Secret, SecretSource
from sms_connector.providers.common import (
    WEBHOOK_SECRETS,
    basic,
    decode,
    missing,
    not_from_provider,
    required,
    webhook_basic_problems,
)
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane

# These are names, not values.
USERNAME, PASSWORD = "username", "password"
CLIENT_ID, CLIENT_SECRET = "client-id", "client-secret"
SECRET_NAMES = (USERNAME, PASSWORD, CLIENT_ID, CLIENT_SECRET, *WEBHOOK_SECRETS)

# A token is renewed this long before its end, and held this long where its answer names no end.
EARLY_SECONDS, UNTOLD_SECONDS = 60.0, 300.0
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class _Granted(msgspec.Struct, frozen=True):
    """The answer of the token endpoint, as far as it is read."""

    access_token: str
    expires_in: Any = None


class _Token(msgspec.Struct, frozen=True):
    value: Secret
    ends_at: float
    client: tuple[Secret, Secret]


_granted = msgspec.json.Decoder(_Granted)


class Credentials:
    """Makes the value of the Authorization header. `send` is the transport's. Thread-safe."""

    def __init__(
        self, secrets: SecretSource, *, base_url: str, send: Callable[[HttpRequest], HttpResponse], clock: Clock
    ) -> None:
        self._secrets = secrets
        self._url = f"{base_url}/auth/token"
        self._send = send
        self._clock = clock
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def authorization(self) -> Secret:
        """Raises CredentialsMissing; with OAuth 2 also ProviderRefused and NotSent of the token's own call."""
        if not self.uses_oauth:
            return basic(required(self._secrets, USERNAME), required(self._secrets, PASSWORD))
        client = (required(self._secrets, CLIENT_ID), required(self._secrets, CLIENT_SECRET))
        with self._lock:
            token = self._token
            if token is None or token.client != client or token.ends_at <= self._clock.time():
                token = self._token = self._fetch(client)
        return token.value

    def forget(self, authorization: str) -> bool:
        """Drop the token of a call that was answered 401. Return False where it was none."""
        with self._lock:
            if self._token is not None and self._token.value == authorization:
                self._token = None
        return self.uses_oauth

    @property
    def uses_oauth(self) -> bool:
        return bool(self._secrets.get(CLIENT_ID))

    @property
    def needed(self) -> Sequence[str]:
        return (CLIENT_ID, CLIENT_SECRET) if self.uses_oauth else (USERNAME, PASSWORD)

    def problems(self) -> list[str]:
        secrets = self._secrets
        lines = [missing(secrets, name) for name in self.needed if not secrets.get(name)]
        if not self.uses_oauth and len(lines) == len(self.needed):
            lines.append(f"instead of both: {CLIENT_ID!r} and {CLIENT_SECRET!r} of OAuth 2")
        return lines + webhook_basic_problems(secrets)

    def _fetch(self, client: tuple[Secret, Secret]) -> _Token:
        """Fetch a token. A repetition is harmless: it grants another one."""
        fields = {"grant_type": "client_credentials", "client_id": client[0], "client_secret": client[1]}
        form = urlencode(fields).encode()
        response = self._send(HttpRequest("POST", self._url, _FORM, form, lane=Lane.SEND, repeatable=True))
        if response.status in (400, 401, 403):
            raise ProviderRefused(
                f"no token was granted for the secrets {CLIENT_ID} and {CLIENT_SECRET}; check them",
                kind=ErrorKind.AUTHENTICATION,
                code=response.status,
                status=response.status,
            )
        if not 200 <= response.status < 300:
            raise not_from_provider("LINK Mobility", response, repeatable=True)
        granted = decode(_granted, response.body)
        if granted is None or not granted.access_token.isascii() or not granted.access_token.isprintable():
            raise NotSent(f"{self._url} answered {response.status} without a token that can be used")
        lives = granted.expires_in if isinstance(granted.expires_in, int | float) else UNTOLD_SECONDS
        ends_at = self._clock.time() + max(lives - EARLY_SECONDS, 1.0)
        return _Token(Secret(f"Bearer {granted.access_token}"), ends_at, client)
