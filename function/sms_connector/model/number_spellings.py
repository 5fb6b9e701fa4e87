"""Know the countries in which one subscriber's number has several spellings in E.164 form.

Networks and channels keep delivering spellings that a numbering plan gave up: WhatsApp knows a Mexican subscriber as
+52 1 …, a network in Benin still sends the eight digits of before 2024. `SPELLINGS` is data; only one subscriber's
spellings meet in it.

What is left out on purpose: fixed lines that changed with a mobile plan (no SMS), and changes so old that no network is
known to send the former spelling. A leading zero that belongs to the number (Italy, Ivory Coast, Gabon's old plan,
Congo) is a digit like any other here.
"""

from __future__ import annotations

import re

import msgspec


class Spelling(msgspec.Struct, frozen=True):
    """`other` is a whole number in a second spelling, `canonical` the template of the one it stands for.

    `replaced`: the numbering plan has no such number any more, so the canonical one is dialled. Otherwise both are
    dialled as given.
    """

    other: re.Pattern[str]
    canonical: str
    replaced: bool = True


def _same(other: str, canonical: str, *, replaced: bool = True) -> Spelling:
    return Spelling(re.compile(r"\+" + other, re.ASCII), "+" + canonical, replaced)


_VIETNAM = (
    "120 70, 121 79, 122 77, 126 76, 128 78, 123 83, 124 84, 125 85, 127 81, 129 82, "
    "162 32, 163 33, 164 34, 165 35, 166 36, 167 37, 168 38, 169 39, 186 56, 188 58, 199 59"
)

# Country code → spellings, the first that fits counts.
SPELLINGS: dict[str, tuple[Spelling, ...]] = {
    # Palestinian mobiles (Jawwal 59, Ooredoo 56) are reached by Israel's code too: libphonenumber lists 56 and 59 as
    # valid under both.
    "972": (_same(r"972(5[69]\d{7})", r"970\1", replaced=False),),
    # Argentina: mobiles have a 9 after the country code when called from abroad, none in many networks' SMS, and at
    # home a 15 after the area code of 2 to 4 digits instead (ENACOM, Plan Fundamental de Numeración Nacional;
    # libphonenumber: 15 → 9).
    "54": (
        _same(r"549?(11)15(\d{8})", r"549\1\2"),
        _same(r"549?([23]\d{2})15(\d{7})", r"549\1\2"),
        _same(r"549?([23]\d{3})15(\d{6})", r"549\1\2"),
        _same(r"54([1-3]\d{9})", r"549\1", replaced=False),
    ),
    # Brazil: a 9 before all mobile numbers of eight digits, area by area from 2012 to 2016 (Anatel, Resolução
    # 553/2010). Fixed lines begin with 2 to 5; trunked radio (70, 77, 78, 79) got no 9, so that its old numbers are
    # other people's than those with one. WhatsApp keeps the eight digits in most areas above 30.
    "55": (_same(r"55([1-9]{2})([689]\d{7}|7[1-6]\d{6})", r"55\g<1>9\2"),),
    # Mexico: the 1 before mobile numbers went on 2019-08-03 (IFT, Plan Técnico Fundamental de Numeración; ITU OB 1171).
    # WhatsApp keeps it.
    "52": (_same(r"521([2-9]\d{9})", r"52\1"),),
    # Benin: 01 before all numbers of eight digits since 2024-11-30 (ARCEP Bénin).
    "229": (_same(r"229([2-9]\d{7})", r"22901\1"),),
    # Ivory Coast: ten digits since 2021-01-31 (ARTCI): 01 before Moov's (second digit 0 to 3), 05 before MTN's (4 to
    # 6), 07 before Orange's (7 to 9). Old fixed lines begin with 2 and 3.
    "225": (
        _same(r"225((?:0|[4-9])[0-3]\d{6})", r"22501\1"),
        _same(r"225((?:0|[4-9])[4-6]\d{6})", r"22505\1"),
        _same(r"225((?:0|[4-9])[7-9]\d{6})", r"22507\1"),
    ),
    # Gabon: since 2019-11-15 the 0 of the old plan, often left out, is 6 or 7 by operator (ARCEP Gabon;
    # libphonenumber's rules).
    "241": (_same(r"2410?([256]\d{6})", r"2416\1"), _same(r"2410?([47]\d{6})", r"2417\1")),
    # Cameroon: 6 before mobile numbers of eight digits since 2014-11-21 (ART).
    "237": (_same(r"237([679]\d{7})", r"2376\1"),),
    # Vietnam: the prefixes of eleven-digit mobile numbers were replaced in September and October 2018 (Ministry of
    # Information and Communications, decision 798/QĐ-BTTTT). Mobifone, Vinaphone, Viettel, Vietnamobile, Gmobile.
    "84": tuple(_same(rf"84{old}(\d{{7}})", rf"84{new}\1") for old, new in map(str.split, _VIETNAM.split(", "))),
    # Kosovo: mobiles were numbers of Monaco (44, 45) and Slovenia (49) until it had +383 of its own (2016 to 2018,
    # ARKEP).
    "377": (_same(r"377(4[45]\d{6})", r"383\1", replaced=False),),
    "386": (_same(r"386(49\d{6})", r"383\1", replaced=False),),
    # France's overseas departments share its national plan, each with its own country code (ARCEP): 0690… at home is
    # +590 690….
    "33": (
        _same(r"33(69[01]\d{6}|7090\d{5})", r"590\1"),
        _same(r"33(69[67]\d{6}|7091\d{5})", r"596\1"),
        _same(r"33(694\d{6}|7093[0-4]\d{4})", r"594\1"),
        _same(r"33(69[23]\d{6}|639\d{6}|7092\d{5}|7093[5-9]\d{4})", r"262\1"),
    ),
    # San Marino is reached by Italy's code too, and its area code 0549 is often left out (libphonenumber has the rule).
    "39": (_same(r"390549([89]\d{5})", r"3780549\1", replaced=False),),
    "378": (_same(r"378([89]\d{5})", r"3780549\1"),),
}


_PREFIXES = tuple(f"+{code}" for code in SPELLINGS)


def canonical_spelling(number: str) -> str:
    """Return the one spelling that stands for all of this subscriber's; `number` is in E.164 form."""
    spelling = _find(number)
    return spelling.other.sub(spelling.canonical, number) if spelling else number


def dialled_spelling(number: str) -> str:
    """Return the number as given, or the present one where the numbering plan has replaced it."""
    spelling = _find(number)
    return spelling.other.sub(spelling.canonical, number) if spelling and spelling.replaced else number


def _find(number: str) -> Spelling | None:
    if not number.startswith(_PREFIXES):
        return None
    for end in (3, 4):
        for spelling in SPELLINGS.get(number[1:end], ()):
            if spelling.other.fullmatch(number):
                return spelling
    return None
