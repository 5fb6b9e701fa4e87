"""The world's numbering plans (Google's libphonenumber, ported as `phonenumbers`).

Import it where a number is read, not at the top of a module: the metadata costs 20 ms and 2 MB, which a cold start that
reads no number need not pay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumber
from phonenumbers import phonenumberutil as library

_HOW = "write + and the country code, then the number without its leading 0, such as +15558675310"
# With the +: seven digits, under which no country can be called from abroad, to the fifteen of E.164.
_SHORTEST, _LONGEST = 8, 16
_TEXTED = frozenset({library.PhoneNumberType.MOBILE, library.PhoneNumberType.FIXED_LINE_OR_MOBILE})
# A date or a short number has fewer national digits.
_SURE_LENGTH = 9
# Country code → how many digits after it decide the region. Within North America that is the area code's three; the
# small regions of other shared codes (Guernsey, Åland, Cocos Islands) are known by five, as their metadata has it.
_DECIDING_DIGITS = {
    str(code): 0 if len(regions) == 1 else 3 if code == 1 else 5
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
}
_LONGEST_CODE = len("+999")
# The rest of a number that stands for its area, by how many digits are left.
_REST = tuple("23456789012345"[:count] for count in range(_LONGEST))
_LENGTHS = {
    library.ValidationResult.TOO_SHORT: "too few digits",
    library.ValidationResult.TOO_LONG: "too many digits",
    library.ValidationResult.INVALID_LENGTH: "the wrong number of digits",
}


def find_problem(number: str) -> str | None:
    """Return why `number`, which has the form of E.164, is not possible; None if it is."""
    if _is_plainly_possible(number):
        return None
    parsed = _parse(number, None)
    if parsed is None:
        return f"has no country code that exists, or too few digits after it; {_HOW}"
    length = library.is_possible_number_with_reason(parsed)
    # The library counts a number without its area code as possible; no provider can deliver to one.
    if length == library.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return "lacks its area code; write the whole number"
    if length != library.ValidationResult.IS_POSSIBLE:
        amount = _LENGTHS.get(length, "the wrong number of digits")
        return f"has {amount} for country code {parsed.country_code}; check the country code and every digit"
    canonical = _format(parsed)
    if canonical == number:
        return None
    return f"has a trunk prefix (0) after its country code; {f'write {canonical}' if _is_taken(canonical) else _HOW}"


def _is_plainly_possible(number: str) -> bool:
    """Take a shortcut past the library, which takes 15 µs for a number, and a campaign has a million of them.

    Where the digits after the country code don't begin with what may be a national prefix, the library strips nothing,
    and whether the number is possible depends on their count alone.
    """
    for end in (2, 3, 4):
        plan = _plan_of(number[1:end])
        if plan is not None:
            lengths, national_prefix = plan
            national = number[end:]
            return len(national) in lengths and (national_prefix is None or not national_prefix.match(national))
    return False


@cache
def _plan_of(country_code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """Return how many digits may follow the country code, and what may stand before them; None for an unknown code."""
    code = int(country_code) if country_code.isdecimal() and not country_code.startswith("0") else 0
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
    if not regions:
        return None
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0])
    if metadata is None or metadata.general_desc is None:
        return None
    lengths = frozenset(metadata.general_desc.possible_length) - frozenset(
        metadata.general_desc.possible_length_local_only
    )
    prefix = metadata.national_prefix_for_parsing
    return lengths, re.compile(prefix) if prefix else None


def find_region(number: str) -> str | None:
    """Return the region (`"DE"`) of a number in E.164 form; in no block: the main one of its country code."""
    parsed = _parse(number, None)
    if parsed is None:
        return None
    region = library.region_code_for_number(parsed) or library.region_code_for_country_code(parsed.country_code or 0)
    return region if region in library.SUPPORTED_REGIONS else None


def block_of(number: str) -> str:
    """Return what a number in E.164 form has in common with all of its region: the country code alone or, where regions
    share that, a number of the same area.

    It is a million times cheaper to remember by: a country has one block, the United States and Canada one for each
    area code. Empty for what has no country code.
    """
    for end in (2, 3, 4):
        digits = _DECIDING_DIGITS.get(number[1:end])
        if digits is not None:
            cut = end + digits
            return number[:end] if digits == 0 else number[:cut] + _REST[max(0, len(number) - cut)]
    return ""


@lru_cache(maxsize=20_000)
def region_of_block(block: str) -> str | None:
    """Return the region of a block; None for satellite networks and other codes of no country."""
    if len(block) > _LONGEST_CODE:
        return find_region(block)
    region = library.region_code_for_country_code(int(block or 0))
    return region if region in library.SUPPORTED_REGIONS else None


def is_toll_free(number: str) -> bool:
    """Return whether a possible number in E.164 form is in a free-phone block."""
    parsed = _parse(number, None)
    return parsed is not None and library.number_type(parsed) == library.PhoneNumberType.TOLL_FREE


def is_region(text: str) -> bool:
    """Return whether it is a country, in two letters, with a numbering plan."""
    return text in library.SUPPORTED_REGIONS


def drop_trunk_prefix(number: str) -> str:
    """Return the number without a trunk prefix after its country code; where the 0 belongs to the number (Italy), with
    it."""
    parsed = _parse(number, None)
    return _format(parsed) if parsed else number


def read_national(digits: str, country: str) -> str | None:
    """Return the number, in E.164 form, that a number dialled in `country` stands for; None where that is not certain.

    A fixed line's number without its trunk prefix may as well be one of another country that lost its `+`: such a one
    is not read.
    """
    parsed, abroad = _parse(digits, country), _parse(f"+{digits}", None)
    if parsed is None:
        return None
    is_valid = library.is_valid_number(parsed)
    is_certain = library.number_type(parsed) in _TEXTED or _has_trunk_prefix(digits, country)
    if not is_certain and abroad is not None and abroad != parsed and library.is_valid_number(abroad):
        is_own = abroad.country_code == parsed.country_code and library.number_type(abroad) in _TEXTED
        return _format(abroad) if is_own else None
    long_enough = is_valid or len(library.national_significant_number(parsed)) >= _SURE_LENGTH
    return _format(parsed) if long_enough and library.is_possible_number(parsed) else None


def _has_trunk_prefix(digits: str, country: str) -> bool:
    """Return whether the number begins with it, or there is none; in North America it is left out by habit."""
    prefix = library.ndd_prefix_for_region(country, True)
    return not prefix or prefix == "1" or digits.startswith(prefix)


def suggest_form(digits: str, *, region: str | None = None) -> str:
    """Return how to write what `digits` probably mean, as the fix of an error: `write +491712345678 if it is a number
    of DE`.

    `digits` is the text without separators (`number_text.compact`), empty where more than those would have to be
    dropped: then nothing is guessed. `region` is where a national number is likely from. A mere guess is worded as a
    condition.
    """
    guesses = [guess for guess in _guess(digits, region) if _is_meant(guess[0], digits)]
    if not guesses:
        return _HOW if digits.startswith("+") or not digits else f"{_HOW}, or name its country as the default country"
    number, condition = next((guess for guess in guesses if library.is_valid_number(guess[0])), guesses[0])
    return f"write {_format(number)}{condition}"


def _guess(digits: str, region: str | None) -> Iterator[tuple[PhoneNumber, str]]:
    """Return the numbers `digits` may be, the likeliest first, each with the condition for it."""
    if not digits or digits.startswith("+"):
        return _parsed()
    if digits.startswith("00"):
        return _parsed((f"+{digits[2:]}", None, ""))
    international = (f"+{digits}", None, " if it begins with its country code")
    if region is None:
        return _parsed(international)
    national = (digits, region, f" if it is a number of {region}")
    has_country_code = digits.startswith(str(library.country_code_for_region(region)))
    return _parsed(international, national) if has_country_code else _parsed(national, international)


def _parsed(*readings: tuple[str, str | None, str]) -> Iterator[tuple[PhoneNumber, str]]:
    for written, region, condition in readings:
        number = _parse(written, region)
        if number is not None:
            # Parsing knows the region's own way to dial abroad (011 in the US): then it is not a number of the region.
            abroad = region is not None and number.country_code != library.country_code_for_region(region)
            yield number, "" if abroad else condition


def _is_meant(number: PhoneNumber, digits: str) -> bool:
    """Return whether we would take it, and it ends as the digits do."""
    ending = library.national_significant_number(number)[-6:]
    return digits.endswith(ending) and _is_taken(_format(number))


def _is_taken(number: str) -> bool:
    return _SHORTEST <= len(number) <= _LONGEST and find_problem(number) is None


def _format(number: PhoneNumber) -> str:
    return library.format_number(number, library.PhoneNumberFormat.E164)


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return library.parse(text, region)
    except library.NumberParseException:
        return None
