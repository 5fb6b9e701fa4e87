"""The shortcut past the library says the same as the library, for every country code there is."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import phonenumberutil as library

from sms_connector.model.numbering_plan import find_problem

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def is_possible(number: str) -> bool:
    """Parsed, measured and written again by the library alone."""
    try:
        parsed = library.parse(number, None)
    except library.NumberParseException:
        return False
    possible = library.is_possible_number_with_reason(parsed) == library.ValidationResult.IS_POSSIBLE
    return possible and library.format_number(parsed, library.PhoneNumberFormat.E164) == number


@settings(max_examples=3000, deadline=None)
@given(st.sampled_from([*CODES, 210, 999]), st.from_regex(r"[0-9]{3,13}", fullmatch=True))
def test_any_number(code: int, rest: str) -> None:
    number = f"+{code}{rest}"[:16]
    assert (find_problem(number) is None) is is_possible(number)


@pytest.mark.parametrize("code", CODES)
def test_every_country_code_at_every_length(code: int) -> None:
    """With the first digits that plans treat in their own ways: trunk prefixes, mobile prefixes, area codes."""
    beginnings = ("0", "00", "01", "1", "15", "2", "3", "44", "5", "55", "7", "8", "80", "9", "99")
    for length in range(3, 15 - len(str(code)) + 1):
        for beginning in beginnings:
            number = f"+{code}{(beginning + '23456789012345')[:length]}"
            assert (find_problem(number) is None) is is_possible(number), number
