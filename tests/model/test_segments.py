"""Segments, against the 3GPP table by code positions and against a slow splitter that tries every split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_connector.model.segments import GSM_BASIC, GSM_EXTENSION, Encoding, Segments, measure, utf16_length

# 3GPP TS 23.038, section 6.2.1, one row for sixteen code positions; 0x1B is the escape to the extension table.
ESCAPE = 0x1B
BASIC_ROWS = """
0040 00A3 0024 00A5 00E8 00E9 00F9 00EC 00F2 00C7 000A 00D8 00F8 000D 00C5 00E5
0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E ---- 00C6 00E6 00DF 00C9
0020 0021 0022 0023 00A4 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F
0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F
00A1 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F
0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C4 00D6 00D1 00DC 00A7
00BF 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E4 00F6 00F1 00FC 00E0
"""
BASIC_CODES = {chr(int(c, 16)): code for code, c in enumerate(BASIC_ROWS.split()) if c != "----"}
# Section 6.2.1.1, the positions that are taken.
EXTENSION_CODES = {
    "\u000c": 0x0A,
    "\u005e": 0x14,
    "\u007b": 0x28,
    "\u007d": 0x29,
    "\u005c": 0x2F,
    "\u005b": 0x3C,
    "\u007e": 0x3D,
    "\u005d": 0x3E,
    "\u007c": 0x40,
    "\u20ac": 0x65,
}


def encode(text: str) -> tuple[Encoding, list[list[int]]]:
    """The units each character becomes on the air; a character's units may not be parted."""
    if all(c in BASIC_CODES or c in EXTENSION_CODES for c in text):
        return Encoding.GSM_7, [[BASIC_CODES[c]] if c in BASIC_CODES else [ESCAPE, EXTENSION_CODES[c]] for c in text]
    return Encoding.UCS_2, [list(memoryview(c.encode("utf-16-le")).cast("H")) for c in text]


def fewest_parts(characters: list[list[int]], capacity: int) -> int:
    """The least number of parts over all ways to split, none longer than `capacity` and no character in two."""
    ends = [0, *itertools.accumulate(len(units) for units in characters)]
    fewest = [0] * len(ends)
    for last in range(1, len(ends)):
        fewest[last] = 1 + min(fewest[first] for first in range(last) if ends[last] - ends[first] <= capacity)
    return fewest[-1]


def last_part(characters: list[list[int]], capacity: int) -> int:
    """The units in the last part when each part before is filled as far as it goes."""
    parts: list[list[int]] = [[]]
    for units in characters:
        if len(parts[-1]) + len(units) > capacity:
            parts.append([])
        parts[-1].extend(units)
    return len(parts[-1])


runs = st.tuples(st.sampled_from("aA @é\n€[~\fçñ’😀👍한\u200b"), st.integers(1, 90))
texts = st.lists(runs, max_size=5).map(lambda drawn: "".join(c * n for c, n in drawn)) | st.text(max_size=200)
gsm_texts = st.text(alphabet=sorted(BASIC_CODES | EXTENSION_CODES), max_size=400)


@settings(deadline=None)
@given(texts | gsm_texts)
def test_as_the_slow_splitter_has_it(text: str) -> None:
    encoding, characters = encode(text)
    units = sum(map(len, characters))
    single, part = {Encoding.GSM_7: (160, 153), Encoding.UCS_2: (70, 67)}[encoding]
    capacity = single if units <= single else part
    measured = measure(text)
    assert measured.encoding is encoding
    assert measured.units == units
    assert measured.per_segment == capacity
    assert measured.count == fewest_parts(characters, capacity)
    assert measured.remaining == capacity - last_part(characters, capacity)
    assert (measured.reason is None) is (encoding is Encoding.GSM_7)


def test_the_alphabet_is_the_standard_one() -> None:
    assert len(BASIC_CODES) == 127
    assert BASIC_CODES.keys() == GSM_BASIC
    assert EXTENSION_CODES.keys() == GSM_EXTENSION


def test_no_other_character_is_in_it() -> None:
    plane = [chr(code) for code in range(0x1FFFF) if not 0xD800 <= code < 0xE000]
    gsm = {c: measured.units for c in plane if (measured := measure(c)).encoding is Encoding.GSM_7}
    assert gsm == dict.fromkeys(BASIC_CODES, 1) | dict.fromkeys(EXTENSION_CODES, 2)


@pytest.mark.parametrize(
    ("text", "encoding", "count", "units", "remaining", "why"),
    [
        ("", Encoding.GSM_7, 0, 0, 160, "nothing to send"),
        ("a", Encoding.GSM_7, 1, 1, 159, "the least"),
        ("a" * 160, Encoding.GSM_7, 1, 160, 0, "exactly one"),
        ("a" * 161, Encoding.GSM_7, 2, 161, 145, "one too many: both parts pay for a header"),
        ("a" * 306, Encoding.GSM_7, 2, 306, 0, "exactly two parts"),
        ("a" * 307, Encoding.GSM_7, 3, 307, 152, "one more"),
        ("a" * 1600, Encoding.GSM_7, 11, 1600, 83, "the longest message of the contract"),
        ("€" * 80, Encoding.GSM_7, 1, 160, 0, "the euro sign costs two"),
        ("a" * 159 + "€", Encoding.GSM_7, 2, 161, 145, "159 and a euro sign are 161"),
        ("a" * 152 + "€" + "a" * 152, Encoding.GSM_7, 3, 306, 152, "306 units, but the escape pair may not be split"),
        ("a" * 151 + "€" + "a" * 153, Encoding.GSM_7, 2, 306, 0, "the same units, the pair fits"),
        ("line\r\nline", Encoding.GSM_7, 1, 10, 150, "line ends are in the table, each costs one"),
        ("Ça va", Encoding.GSM_7, 1, 5, 155, "the capital is in the table"),
        ("ça va", Encoding.UCS_2, 1, 5, 65, "the small letter is not"),
        ("ç" * 70, Encoding.UCS_2, 1, 70, 0, "exactly one"),
        ("ç" * 71, Encoding.UCS_2, 2, 71, 63, "one too many"),
        ("ç" * 134, Encoding.UCS_2, 2, 134, 0, "exactly two parts"),
        ("😀" * 35, Encoding.UCS_2, 1, 70, 0, "an emoji is two units"),
        ("😀" * 36, Encoding.UCS_2, 2, 72, 61, "33 emojis a part: the 67th unit stays empty"),
        ("a" * 66 + "😀" + "a" * 66, Encoding.UCS_2, 3, 134, 66, "134 units, but the surrogate pair may not be split"),
        ("a" * 160 + "ç", Encoding.UCS_2, 3, 161, 40, "one small letter triples the price"),
    ],
)
def test_cases(text: str, encoding: Encoding, count: int, units: int, remaining: int, why: str) -> None:
    measured = measure(text)
    assert (measured.encoding, measured.count, measured.units, measured.remaining) == (
        encoding,
        count,
        units,
        remaining,
    ), why


@pytest.mark.parametrize(
    ("text", "reason", "why"),
    [
        ("Ann €", None, "GSM-7 needs no reason"),
        ("ça", "'ç' (U+00E7) is not in GSM-7", "one"),
        ("çççç", "'ç' (U+00E7) is not in GSM-7", "named once"),
        (
            "It’s ‘ok’",
            "'’' (U+2019), '‘' (U+2018) are not in GSM-7",
            "a word processor's quotes, in the order of the text",
        ),
        ("a\u200bb", "U+200B is not in GSM-7", "nobody could see it"),
        ("tab\tstop", "U+0009 is not in GSM-7", "nobody could see it"),
        ("`", "'`' (U+0060) is not in GSM-7", "ASCII is not a subset of GSM-7"),
        ("😀", "'😀' (U+1F600) is not in GSM-7", "beyond four hex digits"),
        ("ÀÁÂÃ", "'À' (U+00C0), 'Á' (U+00C1), 'Â' (U+00C2) and 1 more are not in GSM-7", "three, then a count"),
    ],
)
def test_the_reason_names_the_characters(text: str, reason: str | None, why: str) -> None:
    assert measure(text).reason == reason, why


def test_a_measure_is_a_value() -> None:
    assert measure("Hi") == Segments(Encoding.GSM_7, count=1, units=2, per_segment=160, remaining=158, reason=None)


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("€", 1), ("😀" * 801, 1602), ("👩‍👧", 5)])
def test_limits_count_utf16_units(text: str, length: int) -> None:
    assert utf16_length(text) == length == len(text.encode("utf-16-le")) // 2
