"""How many SMS a text becomes, and why.

A text whose every character is in the GSM 7-bit alphabet (3GPP TS 23.038, section 6.2.1) is sent as GSM-7: 160
characters in one message, 153 in each part of a longer one (7 of 160 go to the header that puts the parts together,
3GPP TS 23.040 section 9.2.3.24.1). A character of the extension table costs two, an escape and itself, and they stay
together. One character outside makes the whole text UCS-2: 70 UTF-16 units, 67 in each part; an emoji is two units,
which stay together too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

import msgspec

# Position by position, 0x00 to 0x7F; 0x1B, the escape to the extension table, is left out.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")

_ALL_BASIC = re.compile("[" + re.escape("".join(sorted(GSM_BASIC))) + "]*")
_FOREIGN = re.compile("[^" + re.escape("".join(sorted(GSM_BASIC | GSM_EXTENSION))) + "]")
_NAMED_AT_MOST = 3


class Encoding(StrEnum):
    """How the text goes over the air."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


# Units that fit: (in a single message, in each part of a longer one).
_CAPACITY = {Encoding.GSM_7: (160, 153), Encoding.UCS_2: (70, 67)}


class Segments(msgspec.Struct, frozen=True):
    """The measure of a text.

    `count` is the number of SMS, 0 for an empty text. `units` are septets (GSM-7) or UTF-16 units (UCS-2):
    `per_segment` of them fit into one SMS of this text, `remaining` still fit into its last. `reason` names what
    forces UCS-2.
    """

    encoding: Encoding
    count: int
    units: int
    per_segment: int
    remaining: int
    reason: str | None = None


def utf16_length(text: str) -> int:
    """Return the UTF-16 code units of a text, by which providers count their limits (an emoji is two)."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def measure(text: str) -> Segments:
    """Return the segments of `text` as networks split it: in order, each filled as far as it goes."""
    if _ALL_BASIC.fullmatch(text):
        return _measure_basic(len(text))
    foreign = _FOREIGN.findall(text)
    if not foreign:
        return _measure_widths(Encoding.GSM_7, [2 if c in GSM_EXTENSION else 1 for c in text], None)
    return _measure_widths(Encoding.UCS_2, [2 if c > "\uffff" else 1 for c in text], _explain(foreign))


@lru_cache(maxsize=2048)
def _measure_basic(length: int) -> Segments:
    return _measure_widths(Encoding.GSM_7, [1] * length, None)


def _measure_widths(encoding: Encoding, widths: list[int], reason: str | None) -> Segments:
    units = sum(widths)
    single, part = _CAPACITY[encoding]
    capacity = single if units <= single else part
    count, used = _pack(widths, capacity)
    return Segments(encoding, count, units, capacity, capacity - used, reason)


def _pack(widths: Iterable[int], capacity: int) -> tuple[int, int]:
    """Return how many segments hold characters of these widths, none split, and how much of the last is used."""
    count, used = 0, capacity
    for width in widths:
        if used + width > capacity:
            count, used = count + 1, 0
        used += width
    return count, used if count else 0


def _explain(foreign: list[str]) -> str:
    """Return `'ç' (U+00E7), U+200B are not in GSM-7`; the first three different ones, in the order of the text."""
    distinct = list(dict.fromkeys(foreign))
    named = [f"'{c}' (U+{ord(c):04X})" if c.isprintable() else f"U+{ord(c):04X}" for c in distinct[:_NAMED_AT_MOST]]
    more = len(distinct) - len(named)
    verb = "is" if len(distinct) == 1 else "are"
    return f"{', '.join(named)}{f' and {more} more' if more else ''} {verb} not in GSM-7"
