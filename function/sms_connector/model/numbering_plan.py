"""What the world's numbering plans say of a number (Google's libphonenumber, ported as `phonenumbers`).

Import it where a number is read, not at the top of a module: the metadata costs 20 ms and 2 MB, which a cold start that
reads no number need not pay.
"""

from __future__ import annotations

from collections.abc import Iterator

from phonenumbers import PhoneNumber
from phonenumbers import phonenumberutil as library

_HOW = "write + and the country code, then the number without its leading 0, such as +15558675310"
# With the +: seven digits, under which no country can be called from abroad, to the fifteen of E.164.
_SHORTEST, _LONGEST = 8, 16
_LENGTHS = {
    library.ValidationResult.TOO_SHORT: "too few digits",
    library.ValidationResult.TOO_LONG: "too many digits",
    library.ValidationResult.INVALID_LENGTH: "the wrong number of digits",
}


def find_flaw(number: str) -> str | None:
    """Why `number`, which has the form of E.164, is no possible number; None when it is one."""
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


def find_region(number: str) -> str | None:
    """The region (`"DE"`) of a number in E.164 form; in no block: the main one of its country code."""
    parsed = _parse(number, None)
    if parsed is None:
        return None
    region = library.region_code_for_number(parsed) or library.region_code_for_country_code(parsed.country_code or 0)
    return region if region in library.SUPPORTED_REGIONS else None


def is_toll_free(number: str) -> bool:
    """Is a possible number in E.164 form in a free-phone block?"""
    parsed = _parse(number, None)
    return parsed is not None and library.number_type(parsed) == library.PhoneNumberType.TOLL_FREE


def suggest_form(text: str, *, region: str | None = None) -> str:
    """How to write what `text` probably means, as the fix of an error: `write +491712345678 if it is a number of DE`.

    `region` is where a national number is likely from. A mere guess is worded as a condition; where nothing fits, the
    general rule is named.
    """
    digits = "".join(str(int(c)) for c in text if c.isdecimal())
    guesses = [guess for guess in _guess(text, digits, region) if _is_meant(guess[0], digits)]
    if not guesses:
        return _HOW
    number, condition = next((guess for guess in guesses if library.is_valid_number(guess[0])), guesses[0])
    return f"write {_format(number)}{condition}"


def _guess(text: str, digits: str, region: str | None) -> Iterator[tuple[PhoneNumber, str]]:
    """The numbers `text` may be, the likeliest first, each with the condition for it."""
    if any(plus in text for plus in "+＋"):
        return _parsed((text, None, ""))
    if digits.startswith("00"):
        return _parsed((f"+{digits[2:]}", None, ""))
    international = (f"+{digits}", None, " if it begins with its country code")
    if region is None:
        return _parsed(international)
    national = (text, region, f" if it is a number of {region}")
    has_country_code = digits.startswith(str(library.country_code_for_region(region)))
    return _parsed(international, national) if has_country_code else _parsed(national, international)


def _parsed(*readings: tuple[str, str | None, str]) -> Iterator[tuple[PhoneNumber, str]]:
    for written, region, condition in readings:
        number = _parse(written, region)
        if number is not None:
            # Parsing knows the region's own way to dial abroad (011 in the US): then it is no number of the region.
            abroad = region is not None and number.country_code != library.country_code_for_region(region)
            yield number, "" if abroad else condition


def _is_meant(number: PhoneNumber, digits: str) -> bool:
    """We would take it, and it ends as the text does: not the first of two numbers, not one without its extension."""
    ending = library.national_significant_number(number)[-6:]
    return digits.endswith(ending) and _is_taken(_format(number))


def _is_taken(number: str) -> bool:
    return _SHORTEST <= len(number) <= _LONGEST and find_flaw(number) is None


def _format(number: PhoneNumber) -> str:
    return library.format_number(number, library.PhoneNumberFormat.E164)


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return library.parse(text, region)
    except library.NumberParseException:
        return None
