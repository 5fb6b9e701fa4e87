"""The page people read says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.providers.infobip.provider import CAPABILITIES, InfobipProvider
from sms_connector.providers.infobip.statuses import ERRORS, STATUS_REASONS
from tests.providers.infobip.contract_case import CASE

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "infobip.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_status_table() -> None:
    rows = re.findall(r"^\| (`[\w`, ]+`) \| `(\w+)` \|", section("Statuses"), re.MULTILINE)
    told = {name.strip("`"): status for names, status in rows for name in names.split(", ")}
    assert told == {word: str(status) for word, status in CASE.words.items() if not word.startswith("REJECTED")}


def test_the_codes_and_their_kinds() -> None:
    rows = re.findall(r"^\| (status|error) ([\d, ]+) \| `(\w+)` \|", section("Errors"), re.MULTILINE)
    told = {(table, int(code)): kind for table, codes, kind in rows for code in codes.split(", ")}
    assert len(told) > 20
    tables = {"status": STATUS_REASONS, "error": ERRORS}
    assert told == {(table, code): tables[table][code].kind for table, code in told}


@pytest.mark.parametrize("name", [*InfobipProvider.secret_names, *InfobipProvider.options])
def test_every_secret_and_option(name: str) -> None:
    assert name in section("Connect")


def test_every_limit_and_word() -> None:
    for number in (CAPABILITIES.recipients_per_call, CAPABILITIES.text_limit, CAPABILITIES.max_validity_seconds):
        assert re.search(rf"\b{number:,}\b".replace(",", " "), section("What it can do"))
    words = STANDARD_WORDS
    assert all(word in section("Callbacks") for word in (*words.stop, *words.start, *words.help))
