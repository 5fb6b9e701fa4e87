"""Read numbers as people type them: separators are removed, anything else that would have to be dropped is not.

A number misread is a message to another person. So what may stand for something else does not count as a separator:
digits in brackets at the end (a copy's number), a point before the last one or two digits (a spreadsheet's decimals), a
slash before them (a second number), an extension.
"""

from __future__ import annotations

import re
import unicodedata

# Unicode's categories: all spaces, dashes and invisible characters (marks of direction, zero-width, soft hyphen, byte
# order mark).
_SEPARATOR_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Pd", "Cc", "Cf"})
# Dots, brackets, slashes; U+2212 is the minus sign, U+00B7 and its kin the middle dots; variation selectors are
# invisible marks.
_SEPARATORS = frozenset("().[]/\\_\u2212\u00b7\u2022\u2219\u22c5\u30fb\u2044\u2215\ufe0e\ufe0f\u034f")
_PLUS = "+"

# As most numbers come: a campaign reads a million of them.
_PLAIN = re.compile(r"\+[0-9]+")
# 4.915E+11, 4,915e11: digits are lost for good.
_SCIENTIFIC = re.compile(r"\+?\d+([.,]\d*)?e[+-]?\d+", re.IGNORECASE)
# 4915112345678.0, 4915112345678,00: one point in a run of digits, with decimals behind.
_DECIMAL = re.compile(r"\+?[\d\s]{7,}[.,](\d{1,2}|0+)")
# A copy's number, an index: "+49 151 1234567 (2)"; a list's: "(2) +49 …". Area codes in brackets have more digits, or
# digits behind.
_BRACKETS_AT_END = re.compile(r"[(\[]\D*(\d\D*){0,3}[)\]]\s*$")
_SINGLE_IN_BRACKETS = re.compile(r"[(\[]\s*[1-9]\s*[)\]]")
_SECOND_NUMBER = re.compile(r"[/\\\u2044\u2215]\D*\d\D*(\d\D*)?$")
# +49 (0)171: how letterheads show a number for both sides of the border.
_OPTIONAL_TRUNK = re.compile(r"\(0\)")

SPREADSHEET = "looks like a number that a spreadsheet has changed; format the column as text and export the file again"


def compact(text: str) -> str | None:
    """Return ASCII digits, after a `+` where there is one; None where more than separators would have to be dropped."""
    if _PLAIN.fullmatch(text):
        return text
    folded = unicodedata.normalize("NFKC", text)
    if find_damage(folded) or _is_ambiguous(folded):
        return None
    kept = [_keep(character) for character in folded]
    if None in kept:
        return None
    joined = "".join(each for each in kept if each is not None)
    digits = joined.removeprefix(_PLUS)
    return joined if digits and _PLUS not in digits else None


def find_damage(text: str) -> str | None:
    """Return how to repair what a spreadsheet has made of a number; None where none has."""
    if _PLAIN.fullmatch(text):
        return None
    trimmed = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf").strip()
    plain = "".join(str(unicodedata.decimal(c, c)) for c in trimmed)
    damaged = _SCIENTIFIC.fullmatch(plain) or _DECIMAL.fullmatch(plain) or (plain and not plain.strip("#"))
    return SPREADSHEET if damaged else None


def has_optional_trunk(text: str) -> bool:
    """Return whether the number shows its trunk prefix as `(0)`."""
    return _OPTIONAL_TRUNK.search(unicodedata.normalize("NFKC", text)) is not None


def _is_ambiguous(text: str) -> bool:
    return any(form.search(text) for form in (_BRACKETS_AT_END, _SINGLE_IN_BRACKETS, _SECOND_NUMBER))


def _keep(character: str) -> str | None:
    """Return the digit or plus, nothing for a separator; None for anything else."""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if character == _PLUS:
        return _PLUS
    is_separator = character in _SEPARATORS or unicodedata.category(character) in _SEPARATOR_CATEGORIES
    return "" if is_separator else None
