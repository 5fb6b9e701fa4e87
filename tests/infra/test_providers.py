"""The table of providers: each entry holds together, and what is missing of a login is known."""

from __future__ import annotations

import re

import pytest

from providers import PROVIDERS, Provider, SecretSpec

EITHER = Provider(
    (
        SecretSpec("username", ""),
        SecretSpec("password", ""),
        SecretSpec("client-id", ""),
        SecretSpec("client-secret", ""),
        SecretSpec("webhook-username", ""),
        SecretSpec("webhook-password", ""),
    ),
    logins=(("username", "password"), ("client-id", "client-secret")),
    pairs=(("webhook-username", "webhook-password"),),
)


@pytest.mark.parametrize(
    ("present", "lacking"),
    [
        ((), {"username", "password"}),
        (("username",), {"password"}),
        (("client-secret",), {"client-id"}),
        (("username", "password"), set()),
        (("client-id", "client-secret"), set()),
        (("username", "client-id", "client-secret"), set()),
        (("username", "password", "client-id"), {"client-secret"}),
        (("username", "password", "webhook-password"), {"webhook-username"}),
    ],
)
def test_what_a_login_lacks(present: tuple[str, ...], lacking: set[str]) -> None:
    """Of several the one that is begun; the first, where none is."""
    assert EITHER.lacking(present) == lacking


def test_a_provider_without_alternatives_lacks_nothing_but_what_is_required() -> None:
    assert Provider((SecretSpec("api-key", "", required=True),)).lacking(()) == set()


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_entry_holds_together(name: str) -> None:
    provider = PROVIDERS[name]
    names = [spec.name for spec in provider.secrets]
    assert len(names) == len(set(names))
    assert {each for group in (*provider.logins, *provider.pairs) for each in group} <= set(names)
    assert {spec.previous for spec in provider.secrets} - {""} <= set(names)
    assert not provider.url or provider.url.startswith("https://")
    for option, allowed in provider.options.items():
        assert re.fullmatch("[a-z][A-Za-z]*", option)
        assert all(allowed.takes(value) and re.fullmatch(allowed.form, value) for value in allowed.values)
