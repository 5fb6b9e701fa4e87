"""Rotate Twilio's credentials: auth tokens and API keys.

Tokens: https://www.twilio.com/docs/iam/api/authtoken. A secondary token authenticates calls at once; callbacks are
signed with the primary until the secondary is promoted, and the old primary dies at that moment. So the old token is
among those that verify callbacks before any node uses the new one.

Keys: https://www.twilio.com/docs/iam/api-keys/key-resource-v2010. A key is two secrets. Between their new versions a
node could pair the new SID with the old secret, so the secret holds both (`SK…:secret`, see `credentials`) until every
node has the new SID too.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import msgspec

from sms_connector.errors import ErrorKind, ProviderRefused
from sms_connector.provider import CredentialRotation, RotatedSecrets, RotationStage
from sms_connector.providers.common import basic
from sms_connector.providers.twilio import credentials, wire
from sms_connector.providers.twilio.credentials import (
    ACCOUNT_SID,
    API_KEY_SECRET,
    API_KEY_SID,
    AUTH_TOKEN,
    AUTH_TOKEN_PREVIOUS,
)
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport

PUBLIC_TOKENS = "https://accounts.twilio.com"
_HEADERS = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class _SecondaryToken(msgspec.Struct):
    secondary_auth_token: str


class _NewKey(msgspec.Struct):
    sid: str
    secret: str


class _Key(msgspec.Struct):
    sid: str
    friendly_name: str | None = None


class _Keys(msgspec.Struct):
    keys: list[_Key]


_token_decoder = msgspec.json.Decoder(_SecondaryToken)
_new_key_decoder = msgspec.json.Decoder(_NewKey)
_keys_decoder = msgspec.json.Decoder(_Keys)


class TwilioRotations(msgspec.Struct, frozen=True):
    """`root` is the address of the API with its version segment. `connection` names the keys that are made: another
    connection may use the same account."""

    root: str
    transport: Transport
    connection: str

    def all(self) -> tuple[CredentialRotation, CredentialRotation]:
        token = CredentialRotation(
            (AUTH_TOKEN, AUTH_TOKEN_PREVIOUS),
            (
                RotationStage("keep the old token for callbacks", self._keep_token, spreads=(AUTH_TOKEN_PREVIOUS,)),
                RotationStage("make a secondary token", self._make_token, spreads=(AUTH_TOKEN,)),
                RotationStage("promote it", self._promote, overlaps=True),
                RotationStage("disable the old version", lambda secrets: secrets.disable_older(AUTH_TOKEN)),
            ),
        )
        key = CredentialRotation(
            (API_KEY_SECRET, API_KEY_SID),
            (
                RotationStage("make a key", self._make_key, spreads=(API_KEY_SECRET,)),
                RotationStage("name it", _name_key, spreads=(API_KEY_SID,)),
                RotationStage("part its secret", _part_secret, spreads=(API_KEY_SECRET,), overlaps=True),
                RotationStage("delete the old key", self._delete_keys),
            ),
        )
        return token, key

    # --- the auth token -----------------------------------------------------------------------------------------------

    def _keep_token(self, secrets: RotatedSecrets) -> None:
        if not secrets.is_changed(AUTH_TOKEN):
            secrets.add(AUTH_TOKEN_PREVIOUS, secrets.read(AUTH_TOKEN))

    def _make_token(self, secrets: RotatedSecrets) -> None:
        """A token of an attempt that died before it was kept is used by nobody: it is deleted."""
        if secrets.is_changed(AUTH_TOKEN):
            return
        sid, old = secrets.read(ACCOUNT_SID), secrets.read(AUTH_TOKEN)
        url = f"{self._tokens}/v1/AuthTokens/Secondary"
        try:
            self._call("DELETE", url, (sid, old))
        except ProviderRefused as error:
            if error.status != 404:
                raise
        made = wire.decode(_token_decoder, self._call("POST", url, (sid, old)), repeatable=False)
        self._check(sid, (sid, made.secondary_auth_token))
        secrets.add(AUTH_TOKEN, made.secondary_auth_token)

    def _promote(self, secrets: RotatedSecrets) -> None:
        sid, new = secrets.read(ACCOUNT_SID), secrets.read(AUTH_TOKEN)
        try:
            self._call("POST", f"{self._tokens}/v1/AuthTokens/Promote", (sid, new))
        except ProviderRefused as error:
            if error.status != 404 or self._is_good(sid, secrets.read(AUTH_TOKEN_PREVIOUS)):
                raise  # a 404 after the old token has died: it was promoted before
        self._check(sid, (sid, new))

    @property
    def _tokens(self) -> str:
        base = self.root.removesuffix("/2010-04-01")
        return PUBLIC_TOKENS if base == wire.DEFAULT_BASE_URL else base

    # --- an API key ---------------------------------------------------------------------------------------------------

    def _make_key(self, secrets: RotatedSecrets) -> None:
        if secrets.is_changed(API_KEY_SECRET):
            return
        sid, manager = secrets.read(ACCOUNT_SID), self._manager(secrets)
        self._delete_unused(secrets)
        form = urlencode({"FriendlyName": self._key_name(secrets)}).encode()
        response = self._call("POST", self._keys(sid), manager, form)
        made = wire.decode(_new_key_decoder, response, repeatable=False)
        self._check(sid, (made.sid, made.secret))
        secrets.add(API_KEY_SECRET, f"{made.sid}:{made.secret}")

    def _delete_unused(self, secrets: RotatedSecrets) -> None:
        """Delete keys of attempts that died before they were kept."""
        sid, manager = secrets.read(ACCOUNT_SID), self._manager(secrets)
        kept = {secrets.read(API_KEY_SID), *secrets.older(API_KEY_SID)}
        listed = wire.decode(_keys_decoder, self._call("GET", self._keys(sid), manager), repeatable=True)
        for key in listed.keys:
            if key.friendly_name == self._key_name(secrets) and key.sid not in kept:
                self._delete_key(secrets, key.sid)

    def _key_name(self, secrets: RotatedSecrets) -> str:
        """Return a name that only keys of this very rotation have."""
        old = f"{self.connection}:{secrets.read(API_KEY_SID)}"
        return f"sms-connector {hashlib.sha256(old.encode()).hexdigest()[:16]}"

    def _delete_keys(self, secrets: RotatedSecrets) -> None:
        for old in secrets.older(API_KEY_SID):
            self._delete_key(secrets, old)
        secrets.disable_older(API_KEY_SID, API_KEY_SECRET)

    def _delete_key(self, secrets: RotatedSecrets, key: str) -> None:
        sid, manager = secrets.read(ACCOUNT_SID), self._manager(secrets)
        try:
            self._call("DELETE", self._keys(sid).replace("Keys.json", f"Keys/{key}.json"), manager)
        except ProviderRefused as error:
            if error.status != 404:
                raise

    def _manager(self, secrets: RotatedSecrets) -> tuple[str, str]:
        """Return who may manage keys: the account's token, where the connection has it; else the key, if it is a main
        one."""
        token = secrets.versions.read(AUTH_TOKEN)
        if token:
            return secrets.read(ACCOUNT_SID), token
        return credentials.key_of(secrets.versions.read(API_KEY_SID), secrets.read(API_KEY_SECRET))

    def _keys(self, sid: str) -> str:
        return f"{self.root}/Accounts/{sid}/Keys.json?PageSize=1000"

    # --- calls --------------------------------------------------------------------------------------------------------

    def _check(self, sid: str, who: tuple[str, str]) -> None:
        """Raise ProviderRefused if the credential does not work. A standard key may read messages, nothing else."""
        self._call("GET", f"{self.root}/Accounts/{sid}/Messages.json?PageSize=1", who)

    def _is_good(self, sid: str, token: str) -> bool:
        try:
            self._check(sid, (sid, token))
        except ProviderRefused as error:
            if error.kind is not ErrorKind.AUTHENTICATION:
                raise
            return False
        return True

    def _call(self, method: str, url: str, who: tuple[str, str], form: bytes | None = None) -> HttpResponse:
        request = HttpRequest(
            method,
            url,
            _HEADERS,
            form if form is not None else (b"" if method == "POST" else None),
            basic(*who),
            repeatable=method == "GET",
            read_provider_error=wire.read_provider_error,
        )
        response = self.transport.send(request)
        if not 200 <= response.status < 300:
            wire.raise_for(response, repeatable=True)
        return response


def _name_key(secrets: RotatedSecrets) -> None:
    secrets.add(API_KEY_SID, credentials.key_of(None, secrets.read(API_KEY_SECRET))[0])


def _part_secret(secrets: RotatedSecrets) -> None:
    secrets.add(API_KEY_SECRET, credentials.key_of(secrets.read(API_KEY_SID), secrets.read(API_KEY_SECRET))[1])
