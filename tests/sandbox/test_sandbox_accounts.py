from __future__ import annotations

import pytest
import requests

from sandbox import AdminClient
from sandbox.twilio.accounts import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    KEY_SECRET,
    KEY_SID,
    MAIN_KEY_SECRET,
    MAIN_KEY_SID,
)
from tests.sandbox.support import BASE, Api

MINE = (ACCOUNT_SID, AUTH_TOKEN)
STANDARD = (KEY_SID, KEY_SECRET)
MAIN = (MAIN_KEY_SID, MAIN_KEY_SECRET)
OTHER_SID, OTHER_TOKEN = "AC" + "2" * 32, "other"
CHILD_SID, CHILD_TOKEN = "AC" + "3" * 32, "child"


@pytest.fixture
def others(admin: AdminClient) -> None:
    admin.post("accounts", {"sid": OTHER_SID, "authToken": OTHER_TOKEN})
    admin.post("accounts", {"sid": CHILD_SID, "authToken": CHILD_TOKEN, "ownerSid": ACCOUNT_SID})


ACCOUNT, MESSAGES, BALANCE, KEYS = f"{BASE}.json", f"{BASE}/Messages.json", f"{BASE}/Balance.json", f"{BASE}/Keys.json"
CHILD_MESSAGES = f"/2010-04-01/Accounts/{CHILD_SID}/Messages.json"
CALLS: list[tuple[str, str, tuple[str, str] | None, int, int | None]] = [
    ("the account's token", MESSAGES, MINE, 200, None),
    ("no credentials", MESSAGES, None, 401, 20003),
    ("a wrong token", MESSAGES, (ACCOUNT_SID, "wrong"), 401, 20003),
    ("a wrong account", MESSAGES, ("AC" + "9" * 32, AUTH_TOKEN), 401, 20003),
    ("somebody else's account", MESSAGES, (OTHER_SID, OTHER_TOKEN), 401, 20003),
    ("an account that does not exist", f"/2010-04-01/Accounts/AC{'9' * 32}/Messages.json", MINE, 401, 20003),
    ("a sub-account, as its parent", CHILD_MESSAGES, MINE, 200, None),
    ("a sub-account, as itself", CHILD_MESSAGES, (CHILD_SID, CHILD_TOKEN), 200, None),
    ("the parent, as its sub-account", MESSAGES, (CHILD_SID, CHILD_TOKEN), 401, 20003),
    ("a standard key sends and lists", MESSAGES, STANDARD, 200, None),
    ("a standard key sees the balance", BALANCE, STANDARD, 200, None),
    ("a standard key does not see the account", ACCOUNT, STANDARD, 403, 20003),
    ("a standard key does not see keys", KEYS, STANDARD, 403, 20003),
    ("a standard key does not list accounts", "/2010-04-01/Accounts.json", STANDARD, 403, 20003),
    ("a main key sees the account", ACCOUNT, MAIN, 200, None),
    ("a main key sees keys", KEYS, MAIN, 200, None),
    ("a key with a wrong secret", MESSAGES, (KEY_SID, "wrong"), 401, 20003),
    ("a key that does not exist", MESSAGES, ("SK" + "9" * 32, KEY_SECRET), 401, 20003),
]


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(("path", "auth", "status", "code"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_who_may_call_what(api: Api, path: str, auth: tuple[str, str] | None, status: int, code: int | None) -> None:
    # A fresh session where nothing is to be sent: the client of these tests would add its own credentials.
    answer = requests.get(api.url + path, auth=auth or (lambda request: request), timeout=10)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if code is not None:
        assert set(answer.json()) == {"code", "message", "more_info", "status"}
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("header", ["Bearer x", "Basic !!!", "Basic", "", "Basic dXNlcg=="])
def test_authorization_that_says_nothing(api: Api, header: str) -> None:
    answer = requests.get(api.url + BALANCE, headers={"Authorization": header}, timeout=10)
    assert (answer.status_code, answer.json()["message"]) == (401, "Authenticate")


def test_account_and_balance(api: Api) -> None:
    account = api.send("GET", ACCOUNT).json()
    assert (account["sid"], account["status"], account["type"]) == (ACCOUNT_SID, "active", "Full")
    assert api.send("GET", BALANCE).json() == {"account_sid": ACCOUNT_SID, "balance": "100.00", "currency": "USD"}


@pytest.mark.usefixtures("others")
def test_the_account_list_has_sub_accounts_but_no_strangers(api: Api) -> None:
    listed = api.send("GET", "/2010-04-01/Accounts.json").json()["accounts"]
    assert [account["sid"] for account in listed] == [ACCOUNT_SID, CHILD_SID]


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_an_inactive_account_can_only_be_looked_at(api: Api, admin: AdminClient, status: str) -> None:
    admin.post("accounts", {"sid": ACCOUNT_SID, "status": status})
    assert api.send("GET", ACCOUNT).json()["status"] == status
    for answer in (api.create(), api.send("GET", BALANCE)):
        assert (answer.status_code, answer.json()["code"]) == (401, 20005)


def test_a_key_lives_from_its_creation_to_its_deletion(api: Api) -> None:
    made = api.send("POST", KEYS, data={"FriendlyName": "one"}).json()
    address, auth = f"{BASE}/Keys/{made['sid']}.json", (made["sid"], made["secret"])
    assert api.send("GET", BALANCE, auth=auth).status_code == 200
    assert "secret" not in api.send("GET", address).json()
    assert api.send("POST", address, data={"FriendlyName": "two"}).json()["friendly_name"] == "two"
    assert made["sid"] in [key["sid"] for key in api.send("GET", KEYS).json()["keys"]]
    assert api.send("DELETE", address).status_code == 204
    assert api.send("GET", BALANCE, auth=auth).status_code == 401
    assert api.send("GET", address).status_code == 404


def test_rotation_of_the_auth_token(api: Api) -> None:
    def works(token: str) -> bool:
        return api.send("GET", BALANCE, auth=(ACCOUNT_SID, token)).status_code == 200

    second = api.send("POST", "/v1/AuthTokens/Secondary").json()["secondary_auth_token"]
    assert works(AUTH_TOKEN)
    assert works(second)
    promoted = api.send("POST", "/v1/AuthTokens/Promote")
    assert promoted.status_code == 200
    assert promoted.json()["auth_token"] == second
    assert works(second)
    assert not works(AUTH_TOKEN)


def test_a_secondary_token_can_be_taken_back(api: Api) -> None:
    second = api.send("POST", "/v1/AuthTokens/Secondary").json()["secondary_auth_token"]
    assert api.send("DELETE", "/v1/AuthTokens/Secondary").status_code == 204
    assert api.send("GET", BALANCE, auth=(ACCOUNT_SID, second)).status_code == 401
    assert api.send("POST", "/v1/AuthTokens/Promote").status_code == 404


def test_a_standard_key_cannot_rotate(api: Api) -> None:
    assert api.send("POST", "/v1/AuthTokens/Secondary", auth=STANDARD).status_code == 403
