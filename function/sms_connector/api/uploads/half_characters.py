r"""Finds JSON escapes that stand for half a character (`\ud83d` without its other half) in a document read piece by piece."""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_BEGUN = re.compile(rb"(\\+)(?:u[0-9a-fA-F]{0,3})?\Z")
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)


class HalfCharacters:
    """Remembers an escape, or a first half, that a piece's end cuts off from the rest."""

    def __init__(self) -> None:
        self._left = b""

    def found_in(self, piece: bytes) -> bool:
        """Return True once a half character was found; an empty piece ends the document."""
        text, self._left = self._left + piece, b""
        if b"\\" not in text:
            return False
        whole = len(text) - _begun(text) if piece else len(text)
        first_half = -1  # where the half before ends, that needs another
        for match in _ESCAPE.finditer(text, 0, whole):
            code = int(match[1], 16) if match[1] else 0
            if (code in _LOW) != (first_half == match.start()) or (first_half >= 0 and code not in _LOW):
                return True
            first_half = match.end() if code in _HIGH else -1
        if first_half >= 0 and (first_half < whole or not piece):
            return True
        self._left = text[first_half - 6 if first_half >= 0 else whole :]
        return False


def _begun(text: bytes) -> int:
    """Return the length of an escape that the end cuts off. Two backslashes are a whole one."""
    match = _BEGUN.search(text[-300:])
    if match is None or len(match[1]) % 2 == 0:
        return 0
    return match.end() - match.end(1) + 1
