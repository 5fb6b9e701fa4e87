"""Texts with placeholders: `Hello <first name>, order <order> ships today.`

A placeholder is `<`, a name, `>`. A name starts with a letter of any script and goes on with letters, accents, digits,
spaces, `_`, `-` and apostrophes; it has at most 40 characters and does not end in a space. A `<` that opens no such
thing is text: `a < b`, `<3`, `<>`, and the first of `<<name>`. There is no escape, and a value is never looked at
again: what comes out of a record can't become a placeholder.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

import msgspec

from sms_connector.errors import FieldProblem, Kind
from sms_connector.model.invalid_value import InvalidValueError, find_lone_surrogate

MAX_PLACEHOLDERS = 5
MAX_NAME_LENGTH = 40

# The longest name in its decomposed form: no character of Unicode decomposes canonically into more than four.
_CANDIDATE = re.compile(rf"<([^<>]{{1,{4 * MAX_NAME_LENGTH}}})>")
_PUNCTUATION = frozenset(" _-'’")


class TemplateError(InvalidValueError):
    """The text is no template (INVALID_MESSAGE)."""

    def __init__(self, message: str) -> None:
        super().__init__(FieldProblem("", message, Kind.INVALID_MESSAGE))


class Template(msgspec.Struct, frozen=True):
    """A parsed text. `parts` are text and placeholder in turn, text first and last; `placeholders` the different names,
    in order. Names are in Unicode's composed form (NFC): `é` is one name however it was typed. Text stays as it is.
    """

    text: str
    parts: tuple[str, ...]
    placeholders: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises TemplateError for more than five different placeholders, or text that no encoding can carry."""
        surrogate = find_lone_surrogate(text)
        if surrogate:
            raise TemplateError(f"has half a character ({surrogate}); send the text as it was, in UTF-8")
        parts = tuple(_split(text))
        placeholders = tuple(dict.fromkeys(parts[1::2]))
        if len(placeholders) > MAX_PLACEHOLDERS:
            names = ", ".join(f"<{name}>" for name in placeholders)
            raise TemplateError(
                f"has {len(placeholders)} different placeholders ({names}); at most {MAX_PLACEHOLDERS} are allowed"
            )
        return cls(text, parts, placeholders)

    def render(self, values: Mapping[str, str]) -> str:
        """The text with every placeholder replaced by its value. Raises KeyError where one is missing, which
        `FieldMapping.apply` rules out."""
        parts = list(self.parts)
        parts[1::2] = [values[name] for name in parts[1::2]]
        return "".join(parts)


def normalize_name(name: str) -> str:
    """The form names are compared in."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _split(text: str) -> Iterator[str]:
    """Text, name, text, name, …, text."""
    end = 0
    for match in _CANDIDATE.finditer(text):
        name = normalize_name(match[1])
        if _is_name(name):
            yield text[end : match.start()]
            yield name
            end = match.end()
    yield text[end:]


def _is_name(name: str) -> bool:
    if len(name) > MAX_NAME_LENGTH or not name[0].isalpha() or name.endswith(" "):
        return False
    # L: letters, M: accents and the vowel signs of Indic scripts, Nd: digits.
    return all(c in _PUNCTUATION or (category := unicodedata.category(c))[0] in "LM" or category == "Nd" for c in name)
