"""What a new key takes over from the one it replaces, as Infobip's description of keys says. The rest: tests/rotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sms_connector.local.secrets import FolderVersions
from sms_connector.ports import Secret, secret_digest
from sms_connector.provider import RotatedSecrets
from sms_connector.providers.infobip.rotation import KeyRotation
from tests.contract.providers.doubles import CannedTransport
from tests.providers.infobip import infobip_wire as wire

SCOPES = {"permissions": ["PUBLIC_API"], "scopeGuids": ["sms:manage", "account-management:manage"]}
LINKS = {"platform": [{"applicationId": "shop", "entityId": "promotion"}]}
NAME = f"sms-connector {secret_digest('api-key', Secret(wire.KEY))}"


@pytest.mark.parametrize(
    ("key", "copied"),
    [
        pytest.param(
            SCOPES | {"allowedIPs": ["203.0.113.0/24"]}, SCOPES | {"allowedIPs": ["203.0.113.0/24"]}, id="all"
        ),
        pytest.param(SCOPES | {"allowedIPs": [], "platform": []}, SCOPES, id="what is not empty"),
        pytest.param(SCOPES | LINKS, LINKS, id="links, which go with no permissions"),
    ],
)
def test_the_new_key_takes_over_what_the_old_one_has(
    tmp_path: Path, key: dict[str, Any], copied: dict[str, Any]
) -> None:
    versions = FolderVersions(tmp_path)
    (tmp_path / "api-key").write_text(wire.KEY)
    old = {"id": "OLD", "apiKeySecret": wire.KEY, "name": "by hand", "enabled": True} | key
    dead = {"id": "DEAD", "apiKeySecret": "x", "name": NAME, "enabled": True}
    transport = CannedTransport(
        wire.answer(200, {"apiKeys": [dead], "paging": {"totalPages": 2}}),
        wire.answer(200, {"apiKeys": [{"id": "OTHER", "name": "other"}, old], "paging": {"totalPages": 2}}),
        wire.answer(200, {}),
        wire.answer(200, {"id": "NEW", "apiKeySecret": "new"}),
        wire.answer(200, {"balance": 1.0}),
    )
    make, *_ = KeyRotation(wire.BASE_URL, transport).stages().stages
    make.act(RotatedSecrets(versions, {"api-key": secret_digest("api-key", versions.read("api-key"))}))
    _, _, disabled, made, checked = transport.requests
    assert (disabled.method, disabled.url.rpartition("/")[2]) == ("PUT", "DEAD")
    assert json.loads(disabled.body or b"") == {"enabled": False}
    assert (made.method, json.loads(made.body or b"")) == ("POST", {"name": NAME, **copied})
    assert not made.repeatable
    assert checked.authorization == "App new"
    assert versions.read("api-key") == "new"
