"""Count a text's parts on the air (3GPP TS 23.038, 23.040)."""

from __future__ import annotations

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENSION = frozenset("^{}\\[~]|€\f")


def segment_count(text: str) -> int:
    """Segments of a text; an empty one still takes one. A character never straddles two segments."""
    if all(character in GSM_7 or character in GSM_7_EXTENSION for character in text):
        return _packed([2 if character in GSM_7_EXTENSION else 1 for character in text], single=160, part=153)
    return _packed([2 if ord(character) > 0xFFFF else 1 for character in text], single=70, part=67)


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _packed(widths: list[int], *, single: int, part: int) -> int:
    if sum(widths) <= single:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return count
