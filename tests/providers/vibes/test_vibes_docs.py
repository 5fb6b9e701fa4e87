"""The page people read says what the code does."""

from __future__ import annotations

import re

import pytest

from sms_connector.providers.vibes.provider import CAPABILITIES, VibesProvider
from sms_connector.providers.vibes.statuses import CODES, to_status
from tests.sandbox.support import ROOT

PAGE = (ROOT / "docs" / "providers" / "vibes.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_statuses() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| `(\w+)` \|", section("Statuses"), re.MULTILINE)
    told = {word: status for words, status in rows for word in re.findall(r"`([^`]+)`", words)}
    assert len(told) == 6
    for word, status in told.items():
        stage, _, error = word.partition(" ")
        assert to_status(stage, is_error=bool(error)) == status, word


def test_the_codes_and_their_kinds() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| `(\w+)` \|", section("Errors"), re.MULTILINE)
    told = {int(code): kind for codes, kind in rows for code in codes.split(", ")}
    assert told.pop(401) == "AUTHENTICATION"
    assert len(told) > 7
    assert {code: str(CODES[code].kind) for code in told} == told


@pytest.mark.parametrize("name", [*VibesProvider.secret_names, *VibesProvider.options])
def test_every_secret_and_option(name: str) -> None:
    assert f"`{name}`" in section("Connect")


@pytest.mark.parametrize("number", [CAPABILITIES.text_limit, CAPABILITIES.recipients_per_call])
def test_every_limit(number: int) -> None:
    assert f"{number} " in section("What it can do")
