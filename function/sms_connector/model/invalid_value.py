"""The one error of this package: a value that can't be what it should be.

    InvalidValueError (ValueError)
    └── NumberError  phone_number: neither a recipient nor a sender

Each problem's `field` is relative to the value (`""` is the value itself); the reader of the request puts its path in
front. A problem may quote what the caller wrote: it is for the caller's answer; a log masks whatever it writes.
"""

from __future__ import annotations

import re

from sms_connector.errors import ErrorKind, FieldProblem

_QUOTED_AT_MOST = 40
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class InvalidValueError(ValueError):
    """All problems of a value. `kind` is the first one's."""

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems

    @property
    def kind(self) -> ErrorKind:
        return self.problems[0].kind


def quote(text: str) -> str:
    """Return `text` as a message shows it: at most 40 characters, what can't be seen made visible
    (`'\\u202a+1555'`)."""
    cut = text if len(text) <= _QUOTED_AT_MOST else text[: _QUOTED_AT_MOST - 1] + "…"
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut) + "'"


def find_lone_surrogate(text: str) -> str | None:
    """Return `U+D83D` where half a surrogate pair stands alone (JSON can say `"\\ud83d"`): no encoding carries it
    further."""
    found = None if text.isascii() else _LONE_SURROGATE.search(text)
    return f"U+{ord(found[0]):04X}" if found else None
