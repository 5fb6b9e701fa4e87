"""API keys, as `/settings/2/api-keys` manages them. To revoke one is to disable it: there is no call that deletes."""

from __future__ import annotations

import math
import uuid
from random import Random
from typing import Any

from sandbox.infobip.account import ACCOUNT_ID, SCOPES, YEAR_SECONDS, Account, Key
from sandbox.infobip.errors import InfobipError
from sandbox.infobip.logs import Query
from sandbox.infobip.models import date_text
from sandbox.infobip.validation import read_date, read_fields

MOST_KEYS = 100


def create_key(account: Account, body: bytes, *, dice: Random, now: float) -> dict[str, Any]:
    secret = f"{dice.getrandbits(128):032x}-{uuid.UUID(int=dice.getrandbits(128), version=4)}"
    key = Key(f"{dice.getrandbits(128):032X}", secret, "", SCOPES, now, now + YEAR_SECONDS)
    _change(key, body, named=True)
    account.key_creations.take(now)
    account.keys[key.id] = key
    return key_document(key)


def update_key(account: Account, key_id: str, body: bytes) -> dict[str, Any]:
    """Change what is given, `enabled` among it."""
    key = find_key(account, key_id)
    _change(key, body, named=False)
    return key_document(key)


def list_keys(account: Account, query: Query) -> dict[str, Any]:
    page, size = int(query.one("page") or 0), min(int(query.one("size") or MOST_KEYS), MOST_KEYS)
    name = query.one("name")
    keys = [key for _, key in sorted(account.keys.items()) if name in (None, key.name)]
    paging = {"page": page, "pageSize": size, "orderDirection": "asc", "totalCount": len(keys)}
    shown = [key_document(key) for key in keys[page * size : (page + 1) * size]]
    return {"apiKeys": shown, "paging": {**paging, "totalPages": math.ceil(len(keys) / size)}}


def find_key(account: Account, key_id: str) -> Key:
    if key_id not in account.keys:
        raise InfobipError(404)
    return account.keys[key_id]


def key_document(key: Key) -> dict[str, Any]:
    """Return a key; Infobip shows its secret each time."""
    return {
        "id": key.id,
        "apiKeySecret": key.secret,
        "accountId": ACCOUNT_ID,
        "name": key.name,
        "allowedIPs": [],
        "validFrom": date_text(key.valid_from)[:19],
        "validTo": date_text(key.valid_to)[:19],
        "enabled": key.enabled,
        "permissions": ["PUBLIC_API"],
        "scopeGuids": list(key.scopes),
    }


def _change(key: Key, body: bytes, *, named: bool) -> None:
    fields = read_fields(body)
    name, enabled = fields.text("name", required=named), fields.flag("enabled", default=key.enabled)
    scopes = fields.texts("scopeGuids")
    # Times are UTC and come without a zone.
    times = [fields.text(each) for each in ("validFrom", "validTo")]
    starts, ends = (read_date(f"{text}+00:00") if text else None for text in times)
    if fields.violations:
        raise InfobipError(400, fields.violations)
    key.name, key.enabled, key.scopes = name or key.name, enabled, scopes or key.scopes
    key.valid_from, key.valid_to = starts or key.valid_from, ends or key.valid_to
