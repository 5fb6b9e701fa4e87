"""The page people read says what the code does."""

from __future__ import annotations

import re

import pytest

from sms_connector.providers.link_mobility.credentials import SECRET_NAMES
from sms_connector.providers.link_mobility.provider import CAPABILITIES, LinkMobilityProvider
from sms_connector.providers.link_mobility.statuses import FAILURES, to_status
from tests.sandbox.support import ROOT

PAGE = (ROOT / "docs" / "providers" / "link-mobility.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_statuses() -> None:
    rows = re.findall(r"^\| ((?:`\d+`(?:, )?)+) \| `(\w+)` \|", section("Statuses"), re.MULTILINE)
    told = {int(code): status for codes, status in rows for code in re.findall(r"\d+", codes)}
    assert len(told) > 15
    assert {code: str(to_status(code)) for code in told} == told
    others = set(FAILURES) - set(told)
    assert {str(to_status(code)) for code in others} == {"failed"}


def test_the_codes_and_their_kinds() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ([`\w, ]+) \|", section("Errors"), re.MULTILINE)
    assert rows
    for codes, kinds in rows:
        told = [kind.strip("` ") for kind in kinds.split(",")]
        for number, code in enumerate(codes.split(", ")):
            assert FAILURES[int(code)].kind == told[min(number, len(told) - 1)], code


@pytest.mark.parametrize("name", [*SECRET_NAMES, *LinkMobilityProvider.options])
def test_every_secret_and_option(name: str) -> None:
    assert f"`{name}`" in section("Connect")


@pytest.mark.parametrize(
    "number", [CAPABILITIES.text_limit, CAPABILITIES.max_validity_seconds, CAPABILITIES.recipients_per_call, 300, 89]
)
def test_every_limit(number: int) -> None:
    assert f"{number:,} ".replace(",", " ") in section("What it can do")
