from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox import AdminClient
from sandbox.infobip.account import API_KEY, PASSWORD, SENDING_KEY, USERNAME
from tests.sandbox.infobip.conftest import TO, InfobipApi

KEYS = "/settings/2/api-keys"


@pytest.fixture
def owner(infobip: InfobipApi) -> InfobipApi:
    """The same API for a user of the account; a header of the session's own would go before the user."""
    other = InfobipApi(infobip.url)
    del other.session.headers["Authorization"]
    other.session.auth = (USERNAME, PASSWORD)
    return other


def created(owner: InfobipApi, **body: Any) -> dict[str, Any]:
    answer = owner.call("POST", KEYS, json={"name": "new"} | body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def sends(url: str, secret: str) -> int:
    client = InfobipApi(url)
    client.session.headers["Authorization"] = f"App {secret}"
    return client.send(TO).status_code


def test_a_key_is_made_used_and_revoked(owner: InfobipApi) -> None:
    key = created(owner, scopeGuids=["sms:message:send"])
    assert (key["name"], key["enabled"], key["scopeGuids"]) == ("new", True, ["sms:message:send"])
    assert sends(owner.url, key["apiKeySecret"]) == 200
    one = f"{KEYS}/{key['id']}"
    assert owner.call("GET", one).json() == key
    revoked = owner.call("PUT", one, json={"enabled": False}).json()
    assert revoked == {**key, "enabled": False}
    assert sends(owner.url, key["apiKeySecret"]) == 401
    assert sends(owner.url, API_KEY) == 200
    owner.call("PUT", one, json={"enabled": True, "name": "renamed"})
    assert sends(owner.url, key["apiKeySecret"]) == 200
    assert owner.call("GET", one).json()["name"] == "renamed"


def test_keys_are_listed(owner: InfobipApi) -> None:
    created(owner, name="second")
    everything = owner.call("GET", KEYS).json()
    assert sorted(key["name"] for key in everything["apiKeys"]) == ["main", "second", "sending"]
    assert everything["paging"] == {
        "page": 0,
        "pageSize": 100,
        "orderDirection": "asc",
        "totalCount": 3,
        "totalPages": 1,
    }
    named = owner.call("GET", KEYS, params={"name": "main"}).json()["apiKeys"]
    assert [key["apiKeySecret"] for key in named] == [API_KEY]
    last = owner.call("GET", KEYS, params={"page": 1, "size": 2}).json()
    assert (len(last["apiKeys"]), last["paging"]["totalPages"]) == (1, 2)


def test_a_key_is_valid_for_a_year_or_as_asked(owner: InfobipApi, admin: AdminClient) -> None:
    later, usual = created(owner, validFrom="2027-06-01T00:00:00"), created(owner)
    assert later["validFrom"] == "2027-06-01T00:00:00"
    assert sends(owner.url, later["apiKeySecret"]) == 401
    admin.advance(366 * 86_400)
    assert sends(owner.url, usual["apiKeySecret"]) == 401


def test_keys_manage_no_keys(infobip: InfobipApi) -> None:
    answers: list[requests.Response] = [
        infobip.call("GET", KEYS),
        infobip.call("POST", KEYS, json={"name": "x"}),
        infobip.call("PUT", f"{KEYS}/{API_KEY[:32].upper()}", json={"enabled": False}),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]


def test_unless_they_are_let(infobip: InfobipApi, admin: AdminClient) -> None:
    admin.post("infobip/account", {"keysManageKeys": True})
    secret = infobip.call("POST", KEYS, json={"name": "second"}).json()["apiKeySecret"]
    infobip.call("PUT", f"{KEYS}/{API_KEY[:32].upper()}", json={"enabled": False})
    assert infobip.call("GET", KEYS).status_code == 401
    infobip.session.headers["Authorization"] = f"App {secret}"
    assert len(infobip.call("GET", KEYS).json()["apiKeys"]) == 3
    infobip.session.headers["Authorization"] = f"App {SENDING_KEY}"
    assert infobip.call("GET", KEYS).status_code == 403


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param({}, "name", id="no name"),
        pytest.param({"name": "x", "scopeGuids": "all"}, "scopeGuids", id="scopes that are none"),
        pytest.param({"name": "x", "enabled": "no"}, "enabled", id="enabled that is none"),
    ],
)
def test_keys_that_are_refused(owner: InfobipApi, body: dict[str, Any], name: str) -> None:
    answer = owner.call("POST", KEYS, json=body)
    assert (answer.status_code, answer.json()["violations"][0]["property"]) == (400, name)
    assert owner.call("GET", f"{KEYS}/UNKNOWN").status_code == 404


def test_forty_keys_a_day(owner: InfobipApi, admin: AdminClient) -> None:
    for _ in range(40):
        created(owner)
    assert owner.call("POST", KEYS, json={"name": "x"}).status_code == 429
    admin.advance(86_400)
    created(owner)
