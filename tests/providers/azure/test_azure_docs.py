"""The page people read says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sms_connector.model.status import MessageStatus
from sms_connector.providers.azure.credentials import SECRET_NAMES
from sms_connector.providers.azure.provider import CAPABILITIES
from sms_connector.providers.azure.statuses import CODES, CONSENT_WORDS, STATUSES

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "azure.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_status_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", section("Statuses"), re.MULTILINE)
    assert {word: status for word, status, _ in rows} == {word: str(status) for word, status in STATUSES.items()}
    special = {
        str(code): meaning.status for code, meaning in CODES.items() if meaning.status is not MessageStatus.FAILED
    }
    noted = next(note for word, _, note in rows if word == "Failed")
    assert set(re.findall(r"\d{4}", noted)) == set(special)


def test_every_code_and_its_kind() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| `(\w+)` \|", section("Errors"), re.MULTILINE)
    told = {int(code): kind for codes, kind in rows for code in codes.split(", ")}
    assert told == {code: str(meaning.kind) for code, meaning in CODES.items()}


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_every_secret(name: str) -> None:
    assert f"`{name}`" in section("Connect")


@pytest.mark.parametrize("number", [CAPABILITIES.recipients_per_call, CAPABILITIES.text_limit, 200, 6_000, 600])
def test_every_limit(number: int) -> None:
    assert f"{number:,}".replace(",", " ") in section("What it can do")


def test_the_words() -> None:
    words = (*CONSENT_WORDS.stop, *CONSENT_WORDS.start, *CONSENT_WORDS.help)
    assert all(word in section("Callbacks") for word in words)
