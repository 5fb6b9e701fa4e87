"""One person, one key: every spelling of a number meets the same consent, and two people never share one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberDesc

from sms_connector.model.number_spellings import SPELLINGS, canonical_spelling, dialled_spelling
from sms_connector.model.person import person_key

CHANNELS = ("", "whatsapp:", "rcs:", "WhatsApp:", "sms:", "tel:")


@pytest.mark.parametrize(
    ("spellings", "why"),
    [
        (["+525562000000", "+5215562000000", "5215562000000"], "Mexico: the 1 of mobiles, given up in 2019"),
        (["+5511987654321", "+551187654321"], "Brazil: the ninth digit, São Paulo"),
        (["+5531987654321", "+553187654321"], "Brazil: Minas Gerais, where WhatsApp keeps eight digits"),
        (["+5585961234567", "+558561234567"], "Brazil: an old mobile number that begins with 6"),
        (["+5521971234567", "+552171234567"], "Brazil: an old mobile number that begins with 7"),
        (["+5491123456789", "+541123456789", "+54111523456789", "+549111523456789"], "Argentina: Buenos Aires"),
        (["+5492214567890", "+542214567890", "+54221154567890"], "Argentina: an area code of three digits"),
        (["+5492944567890", "+542944567890", "+54294415567890"], "Argentina: an area code of four digits"),
        (["+2290197123456", "+22997123456"], "Benin: 01 before the eight digits, 2024"),
        (["+2250707123456", "+22507123456"], "Ivory Coast: Orange, 2021"),
        (["+2250545123456", "+22545123456"], "Ivory Coast: MTN"),
        (["+2250102123456", "+22502123456"], "Ivory Coast: Moov"),
        (["+24177395551", "+24107395551", "+2417395551"], "Gabon: Airtel, 2019, with and without the old 0"),
        (["+24166123456", "+24106123456", "+2416123456"], "Gabon: Libertis"),
        (["+237671234567", "+23771234567"], "Cameroon: MTN, 2014"),
        (["+237699123456", "+23799123456"], "Cameroon: Orange"),
        (["+84321234567", "+841621234567"], "Vietnam: Viettel, 2018"),
        (["+84701234567", "+841201234567"], "Vietnam: Mobifone"),
        (["+84811234567", "+841271234567"], "Vietnam: Vinaphone"),
        (["+84591234567", "+841991234567"], "Vietnam: Gmobile"),
        (["+38344123456", "+37744123456"], "Kosovo: a number of Monaco's plan before"),
        (["+38349123456", "+38649123456"], "Kosovo: a number of Slovenia's plan before"),
        (["+970591234567", "+972591234567"], "Palestine: reached by Israel's code too"),
        (["+590690123456", "+33690123456"], "Guadeloupe: 0690 in France's national plan"),
        (["+596696123456", "+33696123456"], "Martinique"),
        (["+594694123456", "+33694123456"], "French Guiana"),
        (["+262692123456", "+33692123456"], "Réunion"),
        (["+262639123456", "+33639123456"], "Mayotte"),
        (["+3780549886123", "+378886123", "+390549886123"], "San Marino: by Italy's code, and without 0549"),
        (["+15558675310", "15558675310", "0015558675310"], "some providers write no +"),
        (["+4915112345678", "+49 (151) 1234-5678", "+49\u00a0151\u200b12345678"], "separators, visible and invisible"),
    ],
)
def test_spellings_of_one_person(spellings: Sequence[str], why: str) -> None:
    written = {f"{channel}{spelling}" for spelling in spellings for channel in CHANNELS}
    assert {person_key(each) for each in written} == {spellings[0]}, why


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("+551132165498", "+5511932165498", "a Brazilian fixed line gets no ninth digit"),
        ("+551178765432", "+5511978765432", "nor do trunked radio numbers: the same with a 9 is another subscriber's"),
        ("+390612345678", "+39612345678", "Italy's 0 is part of the number"),
        ("+525562000000", "+5255620000001", "a digit more"),
        ("+2250707123456", "+2250507123456", "Ivory Coast: operators"),
        ("+242061234567", "+242041234567", "Congo keeps its 0"),
        ("+972501234567", "+970501234567", "an Israeli mobile is no Palestinian one"),
        ("+33612345678", "+590612345678", "other French mobiles stay in France"),
        ("+37760123456", "+38360123456", "a mobile of Monaco"),
        ("+38640123456", "+38340123456", "a mobile of Slovenia"),
        ("12345", "+12345", "a short code is no number"),
        ("ACME", "acme", "names are as they are"),
        ("messenger:15558675310", "+15558675310", "an id of Messenger's is no number"),
    ],
)
def test_two_people(one: str, other: str, why: str) -> None:
    assert person_key(one) != person_key(other), why


@pytest.mark.parametrize(
    "address", ["12345", "ACME", "messenger:1234", "rcs:brand/agent", "+0", "unknown", "+49 151 x"]
)
def test_who_has_no_number_is_their_own_key(address: str) -> None:
    assert person_key(address) == address


@pytest.mark.parametrize(
    ("given_", "dialled", "why"),
    [
        ("+5215562000000", "+525562000000", "the plan has no such number any more"),
        ("+551187654321", "+5511987654321", "eight digits are not routed to mobiles"),
        ("+54111523456789", "+5491123456789", "15 is for calls within Argentina"),
        ("+541123456789", "+541123456789", "networks take Argentina with and without the 9"),
        ("+5491123456789", "+5491123456789", "networks take Argentina with and without the 9"),
        ("+972591234567", "+972591234567", "both codes reach Palestine"),
        ("+22997123456", "+2290197123456", "eight digits are not routed since 2024"),
        ("+4915112345678", "+4915112345678", "nothing to change"),
    ],
)
def test_what_is_dialled(given_: str, dialled: str, why: str) -> None:
    assert dialled_spelling(given_) == dialled, why


ALL = [spelling for spellings in SPELLINGS.values() for spelling in spellings]


@given(st.one_of(*(st.from_regex(each.other, fullmatch=True) for each in ALL)))
def test_any_number_that_a_spelling_describes_meets_its_canonical_one(number: str) -> None:
    canonical = canonical_spelling(number)
    assert canonical != number
    assert canonical_spelling(canonical) == canonical, "a canonical spelling is its own"
    assert {person_key(f"{channel}{each}") for channel in CHANNELS for each in (number, canonical)} == {canonical}


def test_every_spelling_is_under_the_code_it_begins_with() -> None:
    for code, spellings in SPELLINGS.items():
        assert all(spelling.other.pattern.startswith(rf"\+{code}") for spelling in spellings)


# What libphonenumber lists as valid in two spellings of one subscriber: Argentina's 9, Palestine by Israel's code, Kosovo's former
# numbers, Gabon's old plan, Brazil's eight digits from before 2016 (trunked radio's 70, 77, 78 and 79 keep theirs).
LISTED_TWICE = re.compile(
    r"\+(54[1-3]\d{9}|972(56|59)\d{7}|3774[45]\d{6}|241(0[2-7]|[2-7])\d{6}|55\d\d7[1-6]\d{6}|38649\d{6}|378[89]\d{5})"
)


def _valid_numbers(code: int) -> st.SearchStrategy[str]:
    kinds = [
        kind.national_number_pattern
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
        for kind in _kinds(region)
        if kind is not None and kind.national_number_pattern
    ]
    patterns = [re.compile(pattern, re.ASCII) for pattern in kinds]
    return st.one_of(*(st.from_regex(each, fullmatch=True) for each in patterns)).map(lambda number: f"+{code}{number}")


def _kinds(region: str) -> tuple[PhoneNumberDesc | None, ...]:
    metadata = PhoneMetadata.metadata_for_region(region)
    return (metadata.mobile, metadata.fixed_line) if metadata else ()


CODES = sorted({*map(int, SPELLINGS), 49, 590, 594, 596, 262, 970, 383})


@pytest.mark.parametrize("code", CODES)
def test_a_valid_number_is_its_own_key(code: int) -> None:
    """So that two people with valid numbers never share a key, whatever the table says of others."""

    @settings(max_examples=40)
    @given(_valid_numbers(code))
    def check(number: str) -> None:
        assume(not LISTED_TWICE.fullmatch(number))
        assert person_key(number) == number

    check()
