"""Names: deterministic, within the services' limits, and never the same for two owners."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naming import ACCOUNT_LIMIT, FUNCTION_LIMIT, ConnectionNames, StackNames, fit, function_address, slug

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
ROLES = ("connector", "worker", "webhook", "rotator", "tasks", "check", "scheduler", "push")


@given(NAMES, st.sampled_from(ROLES))
def test_names_have_the_services_form(connection: str, role: str) -> None:
    names = ConnectionNames(connection)
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?", names.function(role))
    assert re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", names.account(role))
    assert re.fullmatch(r"[a-z][-a-z0-9]{2,61}[a-z0-9]", names.database)
    assert names.queue("chunks") == f"{connection}-chunks", "the functions know this name"


@given(st.lists(st.tuples(NAMES, st.sampled_from(ROLES)), min_size=2, max_size=20, unique=True))
def test_two_owners_never_share_a_name(owners: list[tuple[str, str]]) -> None:
    assert len({ConnectionNames(c).account(r) for c, r in owners}) == len(owners)
    assert len({ConnectionNames(c).function(r) for c, r in owners}) == len(owners)


@given(NAMES)
def test_a_function_has_a_predictable_address(connection: str) -> None:
    """It is given only while its first label is at most 63 long."""
    label = function_address(ConnectionNames(connection).function("connector"), "1234567890123", "us-central1")
    assert len(label.removeprefix("https://").partition(".")[0]) <= 63


@pytest.mark.parametrize(
    ("stack", "expected", "why"),
    [
        ("dev", "dev", "as it is"),
        ("Prod.EU_1", "prod-eu-1", "stack names may hold capitals, dots and underscores"),
        ("--x--", "x", "a name ends with a letter or digit"),
    ],
)
def test_slugs(stack: str, expected: str, why: str) -> None:
    assert slug(stack) == expected, why
    assert StackNames("demo-project", stack).repository == f"sms-connector-{expected}"


def test_a_long_name_is_cut_with_a_digest_of_the_whole() -> None:
    one, other = "a" * 60 + "x", "a" * 60 + "y"
    assert fit(one, ACCOUNT_LIMIT) != fit(other, ACCOUNT_LIMIT)
    assert len(fit(one, FUNCTION_LIMIT)) == FUNCTION_LIMIT
    assert fit("short", 30) == "short"
