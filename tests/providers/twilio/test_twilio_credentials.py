"""Which secrets Twilio takes, what is said of wrong ones, and what is made of right ones."""

from __future__ import annotations

import pytest

from sms_connector.errors import ErrorKind, NotSent
from sms_connector.providers.twilio.credentials import Credentials, problems
from tests.contract.providers.doubles import CannedSecrets, leaks
from tests.providers.twilio.twilio_wire import ACCOUNT, SECRETS, TOKEN

KEY = {"api-key-sid": "SK00000000000000000000000000000002", "api-key-secret": "keySecret0123456789"}


def test_the_reference_vector_of_basic_authentication() -> None:
    account = Credentials(CannedSecrets(dict(SECRETS))).read()
    assert account.authorization == (
        "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg=="
    )
    assert (account.sid, account.by_api_key) == (ACCOUNT, False)


def test_an_api_key_is_preferred_and_the_path_still_names_the_account() -> None:
    account = Credentials(CannedSecrets({**SECRETS, **KEY})).read()
    token_alone = Credentials(CannedSecrets(dict(SECRETS))).read()
    assert (account.sid, account.by_api_key) == (ACCOUNT, True)
    assert account.authorization != token_alone.authorization


def test_unchanged_secrets_make_the_header_once() -> None:
    credentials = Credentials(CannedSecrets(dict(SECRETS)))
    assert credentials.read() is credentials.read()


def test_nothing_shows_the_header() -> None:
    secrets = CannedSecrets(dict(SECRETS))
    account = Credentials(secrets).read()
    assert str(account.authorization) not in repr(account)
    assert leaks([repr(account)], secrets.without("account-sid")) == []


MISSING = "secret {0!r} is missing (looked at /secrets/{0}); "


@pytest.mark.parametrize(
    ("secrets", "callbacks", "expected", "why"),
    [
        (SECRETS, True, [], "account and token"),
        ({"account-sid": ACCOUNT, **KEY}, False, [], "account and API key; nothing to verify"),
        (
            {"account-sid": ACCOUNT, **KEY},
            True,
            [
                MISSING.format("auth-token")
                + "an API key authenticates calls, but only the auth token verifies callbacks"
            ],
            "callbacks need the token beside the key",
        ),
        ({**SECRETS, **KEY, "auth-token-previous": "e" * 32, "signing-key": "s"}, True, [], "everything there is"),
        (
            {},
            False,
            [
                MISSING.format("account-sid") + "it is 'AC' and 32 hexadecimal digits",
                MISSING.format("auth-token")
                + "give it, or 'api-key-sid' and 'api-key-secret' (looked at /secrets/api-key-sid)",
            ],
            "all at once",
        ),
        (
            {"auth-token": TOKEN},
            False,
            [MISSING.format("account-sid") + "it is 'AC' and 32 hexadecimal digits"],
            "no SID",
        ),
        (
            {**SECRETS, "api-key-sid": KEY["api-key-sid"]},
            False,
            [MISSING.format("api-key-secret") + "'api-key-sid' is of no use without it"],
            "half a key is a mistake even beside a token",
        ),
        (
            {**SECRETS, "api-key-secret": "x"},
            False,
            [MISSING.format("api-key-sid") + "'api-key-secret' is of no use without it"],
            "the other half",
        ),
        (
            {"account-sid": "AC123", "auth-token": TOKEN},
            False,
            ["secret 'account-sid' is not 'AC' and 32 hexadecimal digits (looked at /secrets/account-sid)"],
            "cut short",
        ),
        (
            {"account-sid": KEY["api-key-sid"], "auth-token": TOKEN},
            False,
            [
                "secret 'account-sid' is not 'AC' and 32 hexadecimal digits (looked at /secrets/account-sid); "
                "it looks like a value for 'api-key-sid'"
            ],
            "the key's SID in the account's place",
        ),
        (
            {"account-sid": ACCOUNT, "auth-token": f"{TOKEN} "},
            False,
            [
                "secret 'auth-token' is not printable ASCII characters without spaces or line ends "
                "(looked at /secrets/auth-token)"
            ],
            "copied with a space",
        ),
    ],
)
def test_problems(secrets: dict[str, str], callbacks: bool, expected: list[str], why: str) -> None:
    assert problems(CannedSecrets(dict(secrets)), callbacks=callbacks) == expected, why


@pytest.mark.parametrize("name", ["account-sid", "auth-token", "api-key-sid", "api-key-secret", "auth-token-previous"])
def test_a_malformed_value_is_never_told(name: str) -> None:
    secrets = CannedSecrets({**SECRETS, **KEY, name: "not a secret value\n"})
    told = problems(secrets)
    assert len(told) == 1
    assert leaks(told, secrets) == []


def test_reading_incomplete_secrets_says_what_is_missing() -> None:
    with pytest.raises(NotSent, match=r"'auth-token' is missing \(looked at /secrets/auth-token\)") as caught:
        Credentials(CannedSecrets({"account-sid": ACCOUNT})).read()
    assert caught.value.kind is ErrorKind.AUTHENTICATION


def test_callbacks_may_be_signed_with_the_previous_token_while_a_rotation_overlaps() -> None:
    given = {"auth-token-previous": "b", "signing-key": "c", "auth-token": "a"}
    assert Credentials(CannedSecrets(given)).callback_secrets() == ["a", "b", "c"]
