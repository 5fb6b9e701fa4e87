"""The room's one error: it carries every problem, and shows what can't be seen."""

from __future__ import annotations

import pytest

from sms_connector.errors import ErrorKind, FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, find_lone_surrogate, quote


def test_it_names_all_and_is_of_the_first_kind() -> None:
    first = FieldProblem("a", "a is missing", ErrorKind.MISSING_VALUE)
    second = FieldProblem("b", "b is a list")
    error = InvalidValueError(first, second)
    assert isinstance(error, ValueError)
    assert str(error) == "a is missing; b is a list"
    assert (error.problems, error.kind) == ((first, second), ErrorKind.MISSING_VALUE)


@pytest.mark.parametrize(
    ("text", "quoted", "why"),
    [
        ("0123", "'0123'", "as it is"),
        ("Zoë 😀", "'Zoë 😀'", "what can be seen stays"),
        ("a\nb", r"'a\nb'", "a line end would break the log line"),
        ("\u202a+1", r"'\u202a+1'", "an invisible mark is the point of the message"),
        ("\u00a0", r"'\xa0'", "a space that is none"),
        ("\ud83d", r"'\ud83d'", "half a character would break the answer's encoding"),
        ("x" * 40, "'" + "x" * 40 + "'", "the longest"),
        ("x" * 41, "'" + "x" * 39 + "…'", "cut"),
    ],
)
def test_quote(text: str, quoted: str, why: str) -> None:
    assert quote(text) == quoted, why


@pytest.mark.parametrize(
    ("text", "found", "why"),
    [
        ("plain", None, "ASCII"),
        ("😀 é", None, "a whole pair is one character"),
        ("\ud83d", "U+D83D", "the first half"),
        ("a\ude00b", "U+DE00", "the second half"),
    ],
)
def test_lone_surrogates(text: str, found: str | None, why: str) -> None:
    assert find_lone_surrogate(text) == found, why
