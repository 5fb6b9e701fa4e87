"""Texts with placeholders: `Hello <first name>, order <order> ships today.`

A placeholder is `<`, a name, `>`. A name starts with a letter of any script and goes on with letters, accents, digits,
white space, `_`, `-` and apostrophes; it has at most 40 characters and neither begins nor ends with white space. Names
compare normalized (`normalize_name`). A `<` that opens no such thing is text: `a < b`, `<3`, `<>`, and the first of
`<<name>`. `<<name>>` is the text `<name>`. A value is never parsed: what comes out of a record can't become a
placeholder.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

import msgspec

from sms_connector.errors import ErrorKind, FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, find_lone_surrogate

MAX_PLACEHOLDERS = 5
MAX_NAME_LENGTH = 40

# The longest name in its decomposed form: no character of Unicode decomposes canonically into more than four.
_NAME = rf"[^<>]{{1,{4 * MAX_NAME_LENGTH}}}"
_CANDIDATE = re.compile(f"<<({_NAME})>>|<({_NAME})>")
_WHITE_SPACE = re.compile(r"\s+")
# Zero-width spaces and joiners, directional marks, soft hyphens, byte order marks: copied along with a name, never
# seen.
_INVISIBLE = dict.fromkeys(
    (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x00AD, 0x034F, 0x061C, 0x180E, 0xFEFF)
)
_PUNCTUATION = frozenset(" _-'’")


class Template(msgspec.Struct, frozen=True):
    """A parsed text. `parts` are text and placeholder in turn, text first and last; `placeholders` the different names,
    in order. Names are normalized: `é` is one name however it was typed. Text stays as it is.
    """

    text: str
    parts: tuple[str, ...]
    placeholders: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse a text. Raises InvalidValueError (INVALID_MESSAGE) for more than five different placeholders, or text
        that no encoding can carry."""
        surrogate = find_lone_surrogate(text)
        if surrogate:
            message = f"has half a character ({surrogate}); send the text as it was, in UTF-8"
            raise InvalidValueError(FieldProblem("", message, ErrorKind.INVALID_MESSAGE))
        parts = tuple(_split(text))
        placeholders = tuple(dict.fromkeys(parts[1::2]))
        if len(placeholders) > MAX_PLACEHOLDERS:
            names = ", ".join(f"<{name}>" for name in placeholders)
            message = (
                f"has {len(placeholders)} different placeholders ({names}); at most {MAX_PLACEHOLDERS} are allowed"
            )
            raise InvalidValueError(FieldProblem("", message, ErrorKind.INVALID_MESSAGE))
        return cls(text, parts, placeholders)

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with every placeholder replaced by its value. Raises KeyError where one is missing, which
        `FieldMapping.apply` rules out."""
        parts = list(self.parts)
        parts[1::2] = [values[name] for name in parts[1::2]]
        return "".join(parts)


def normalize_name(name: str) -> str:
    """Normalize a name to the form that names are compared in: composed (NFC), without invisible characters and outer
    white space, any white space inside as one space."""
    if not name.isascii():
        name = unicodedata.normalize("NFC", name.translate(_INVISIBLE))
    return _WHITE_SPACE.sub(" ", name).strip(" ")


def strip_invisible(text: str) -> str:
    """Remove the characters that nothing shows."""
    return text if text.isascii() else text.translate(_INVISIBLE)


def scan(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Yield each placeholder and each escaped one: (start, end, name, is escaped)."""
    for match in _CANDIDATE.finditer(text):
        shown = strip_invisible(match[1] or match[2])
        name = normalize_name(shown)
        if _is_name(name) and not (shown[0].isspace() or shown[-1].isspace()):
            yield match.start(), match.end(), name, match[1] is not None


def _split(text: str) -> Iterator[str]:
    """Yield text, name, text, name, …, text."""
    begin, before = 0, ""
    for start, end, name, escaped in scan(text):
        before += text[begin:start]
        begin = end
        if escaped:
            before += text[start + 1 : end - 1]
        else:
            yield before
            yield name
            before = ""
    yield before + text[begin:]


def _is_name(name: str) -> bool:
    if not name or len(name) > MAX_NAME_LENGTH or not name[0].isalpha():
        return False
    # L: letters, M: accents and the vowel signs of Indic scripts, Nd: digits.
    return all(c in _PUNCTUATION or (category := unicodedata.category(c))[0] in "LM" or category == "Nd" for c in name)
