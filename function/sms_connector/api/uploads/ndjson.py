"""NDJSON: a JSON object a line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from sms_connector.api.problem_list import find_repeated
from sms_connector.api.uploads.content import Content, Located, RawRecord, RecordProblem, broken
from sms_connector.api.uploads.text import ADVICE, open_text, wrong_bytes
from sms_connector.model.invalid_value import quote

_decode = msgspec.json.Decoder(Any).decode


def read_ndjson(content: Content, *, charset: str | None) -> Iterator[Located]:
    """Yield each object with its line; empty lines are left out."""
    file, encoding = open_text(content, charset)
    lines = file if encoding == "utf-8" else map(str.encode, io.TextIOWrapper(file, encoding, newline="\n"))
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            content.mark(number + 1)
            if not line.isspace() and line:
                yield number, _read_line(line, number)
    except UnicodeDecodeError as error:
        raise wrong_bytes(error, encoding, before=number) from None


def _read_line(line: bytes, number: int) -> RawRecord:
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken(f"line {number} is not JSON: {_reason(error)}; send one JSON object a line") from None
    if not isinstance(record, dict):
        return RecordProblem("must be an object")
    # Each key has a colon of its own: more of them may mean that the decoder has dropped one of two equal keys.
    if line.count(b":") > len(record):
        _refuse_duplicates(line, number)
    return record


def _reason(error: Exception) -> str:
    """Without the words of the body."""
    if isinstance(error, UnicodeDecodeError) or "utf-8" in str(error).lower():
        return f"it is not UTF-8 ({ADVICE})"
    if isinstance(error, msgspec.DecodeError):
        return str(error).removeprefix("JSON is malformed: ")
    return "it is nested too deeply"


def _refuse_duplicates(line: bytes, number: int) -> None:
    def check(pairs: list[tuple[str, Any]]) -> None:
        for name in find_repeated(name for name, _ in pairs):
            raise broken(f"line {number} has {quote(name)} twice in one object; send it once")

    json.loads(line, object_pairs_hook=check)
