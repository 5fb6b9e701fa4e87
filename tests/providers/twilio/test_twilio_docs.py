"""The page people read says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sms_connector.providers.twilio.credentials import SECRET_NAMES
from sms_connector.providers.twilio.provider import CAPABILITIES
from sms_connector.providers.twilio.statuses import CODES, CONSENT_WORDS, STATUSES
from sms_connector.providers.twilio.wire import CALLBACK_OPTIONS

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "twilio.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_status_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section("Statuses"), re.MULTILINE)
    assert dict(rows) == {word: str(status) for word, status in STATUSES.items()}


def test_the_codes_and_their_kinds() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ([`\w, ]+) \|", section("Errors"), re.MULTILINE)
    assert rows
    for codes, kinds in rows:
        told = [kind.strip("` ") for kind in kinds.split(",")]
        for number, code in enumerate(codes.split(", ")):
            assert CODES[int(code)].kind == told[min(number, len(told) - 1)], code


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_every_secret(name: str) -> None:
    assert f"`{name}`" in section("Connect")


@pytest.mark.parametrize(
    "number",
    [
        CAPABILITIES.text_limit,
        CAPABILITIES.reports_per_page,
        CAPABILITIES.max_validity_seconds,
        CAPABILITIES.sender_queue_seconds,
        CAPABILITIES.media_limit,
        *(CAPABILITIES.schedule_window or ()),
    ],
)
def test_every_limit(number: int) -> None:
    told = section("What it can do")
    assert any(
        f"{form} " in told for form in (f"{number:,}".replace(",", " "), str(number), f"{number // 86_400} days")
    )


def test_the_words_and_the_options() -> None:
    told = section("Callbacks")
    assert CALLBACK_OPTIONS in told
    assert all(word in told for word in (*CONSENT_WORDS.stop, *CONSENT_WORDS.start, *CONSENT_WORDS.help))
