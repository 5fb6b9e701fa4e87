"""Rotate the API key, where it may manage keys itself.

`/settings/2/api-keys` takes Basic, IBSSO and OAuth 2 by its description, and callers whose role may make keys; where a
key is refused, an operator rotates. No call deletes a key: it is disabled. 40 keys a day can be made.
https://www.infobip.com/docs/api/platform/account-management/create-api-key
"""

from __future__ import annotations

from typing import Any

import msgspec

from sms_connector.errors import NotSent, ProviderRefused, UnsupportedOperation
from sms_connector.ports import SecretVersions, secret_digest
from sms_connector.provider import CredentialRotation, RotatedSecrets, RotationStage
from sms_connector.providers.common import decode
from sms_connector.providers.infobip.wire import API_KEY, JSON, NAME, authorization, checked
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport

_KEYS, _SECRET = "/settings/2/api-keys", "apiKeySecret"
# A key is linked to applications and entities, or it has permissions and scopes (same source).
_LINKED, _SCOPED = ("allowedIPs", "platform"), ("allowedIPs", "permissions", "scopeGuids")


class _Page(msgspec.Struct, rename="camel"):
    api_keys: list[dict[str, Any]]
    paging: dict[str, Any] = {}


_page_decoder = msgspec.json.Decoder(_Page)
_key_decoder = msgspec.json.Decoder(dict[str, Any])


class KeyRotation(msgspec.Struct, frozen=True):
    base_url: str
    transport: Transport

    def stages(self) -> CredentialRotation:
        make = RotationStage("make a key", self._make_key, spreads=(API_KEY,))
        check = RotationStage("check it again", lambda secrets: self._check(secrets.read(API_KEY)), overlaps=True)
        end = RotationStage("disable the old key", self._disable_old)
        return CredentialRotation((API_KEY,), (make, check, end), self._is_allowed)

    def _is_allowed(self, versions: SecretVersions) -> bool:
        """Return whether the key may list keys, and finds itself there."""
        key = versions.read(API_KEY)
        try:
            return key is not None and any(each.get(_SECRET) == key for each in self._list(key))
        except UnsupportedOperation:
            return False

    def _make_key(self, secrets: RotatedSecrets) -> None:
        """The new key's name says which one it replaces: one of that name is of an attempt that died, and not used."""
        if secrets.is_changed(API_KEY):
            return
        key = secrets.read(API_KEY)
        keys, name = self._list(key), f"sms-connector {secret_digest(API_KEY, key)}"
        self._disable(key, [each for each in keys if each.get("name") == name])
        old = next(each for each in keys if each.get(_SECRET) == key)
        copied = {field: old[field] for field in (_LINKED if old.get("platform") else _SCOPED) if old.get(field)}
        made = decode(_key_decoder, self._manage(key, "POST", body={"name": name, **copied}).body) or {}
        if not isinstance(new := made.get(_SECRET), str):
            raise NotSent(f"{NAME}'s answer holds no new API key")
        self._check(new)
        secrets.add(API_KEY, new)

    def _check(self, key: str) -> None:
        self._call(key, "GET", "/account/1/balance")

    def _disable_old(self, secrets: RotatedSecrets) -> None:
        key, old = secrets.read(API_KEY), secrets.older(API_KEY)
        self._disable(key, [each for each in self._list(key) if each.get(_SECRET) in old])
        secrets.disable_older(API_KEY)

    def _disable(self, key: str, keys: list[dict[str, Any]]) -> None:
        for each in keys:
            if each.get("enabled", True):
                self._manage(key, "PUT", f"/{each['id']}", {"enabled": False})

    def _list(self, key: str, page: int = 0) -> list[dict[str, Any]]:
        answer = decode(_page_decoder, self._manage(key, "GET", f"?page={page}&size=100").body)
        if answer is None:
            raise NotSent(f"{NAME}'s list of API keys can't be read")
        return answer.api_keys + (self._list(key, page + 1) if page + 1 < answer.paging.get("totalPages", 1) else [])

    def _manage(self, key: str, method: str, path: str = "", body: object = None) -> HttpResponse:
        """Raises UnsupportedOperation where the key may not."""
        try:
            return self._call(key, method, _KEYS + path, body)
        except ProviderRefused as error:
            if error.status not in (401, 403):
                raise
            raise UnsupportedOperation(f"{NAME} does not let the API key manage keys: {error}") from error

    def _call(self, key: str, method: str, path: str, body: object = None) -> HttpResponse:
        content = None if body is None else msgspec.json.encode(body)
        url, repeatable = self.base_url + path, method != "POST"
        request = HttpRequest(method, url, JSON, content, authorization(key), repeatable=repeatable)
        return checked(self.transport.send(request))
