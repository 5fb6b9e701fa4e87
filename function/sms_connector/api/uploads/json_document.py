"""A JSON document with a million records, read twice: first all but the records, then the records, one at a time.

So its fields may come in any order. The first reading also sees what the second can't: a key that is there twice, and
half characters, which the parser turns into question marks.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import ijson
from ijson.common import ObjectBuilder

from sms_connector.api.uploads.content import BUFFER_BYTES, Content, Located, RecordProblem, broken

RECORDS = "records"
Events = Iterator[tuple[str, Any]]
_LINE_BREAK = re.compile(r"\n|\\n")
_BROKEN = "the body is not JSON, or cut off{place}; send one JSON object in UTF-8"
# Words of yajl's errors (yajl_lex.c, yajl_parser.c) that need another fix.
_REASONS = {
    "overflow": "the body holds a number beyond 64 bits{place}; send it as text",
    "invalid bytes in UTF8": "the body is not UTF-8{place}; send one JSON object in UTF-8",
}


def read_outline(content: Content) -> dict[str, Any]:
    """Return the document without its records; `records` is True where it has some. Raises InvalidRequest for broken
    JSON."""
    file = content.buffered()
    with _explaining(content):
        if file.peek(3).startswith(codecs.BOM_UTF8):
            raise broken("the body begins with a byte order mark; save it as UTF-8 without one")
        events = iter(ijson.basic_parse(WholeCharacters(file), use_float=True, buf_size=BUFFER_BYTES))
        if next(events)[0] != "start_map":
            raise broken("the body must be a JSON object")
        return dict(_read_fields(events, content))


def read_records(content: Content) -> Iterator[Located]:
    """Yield the records of a document that `read_outline` has read."""
    for record in ijson.items(content, f"{RECORDS}.item", use_float=True, buf_size=BUFFER_BYTES):
        content.mark()
        yield None, record if isinstance(record, dict) else RecordProblem("must be an object")


@contextmanager
def _explaining(content: Content) -> Iterator[None]:
    """Say where JSON broke. Only the first line of the parser's words is looked at: the next ones quote the body."""
    try:
        yield
    except (ijson.JSONError, UnicodeDecodeError, StopIteration) as error:
        place = f" after records[{content.marks - 1}]" if content.marks else ""
        reason = _LINE_BREAK.split(str(error), maxsplit=1)[0]
        words = next((words for part, words in _REASONS.items() if part in reason), _BROKEN)
        raise broken(words.format(place=place)) from None


def _read_fields(events: Events, content: Content) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for event, name in events:
        if event == "end_map":
            break
        if name in seen:
            raise broken("appears twice in one object; send it once", field=name)
        seen.add(name)
        if name == RECORDS:
            _skip_records(events, content)
            yield name, True
        else:
            builder = ObjectBuilder()
            for event_and_value in _one_value(events):
                builder.event(*event_and_value)
            yield name, builder.value
    for _ in events:  # to the end: nothing but white space may follow
        pass


def _one_value(events: Events) -> Events:
    depth = 0
    for event, value in events:
        depth += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
        yield event, value
        if not depth and event != "map_key":
            return


def _skip_records(events: Events, content: Content) -> None:
    """As little as can be for each event: there are ten million of them."""
    first, _ = next(events)
    if first != "start_array":
        raise broken("must be a list", field=RECORDS)
    outer: list[set[str]] = []
    keys: set[str] = set()
    for event, value in events:
        if event == "map_key":
            if value in keys:
                raise broken("appears twice in one object; send it once", field=f"{RECORDS}[{content.marks}].{value}")
            keys.add(value)
        elif event in ("start_map", "start_array"):
            outer.append(keys)
            keys = set()
        elif event in ("end_map", "end_array"):
            if not outer:
                return
            keys = outer.pop()
            if not outer and event == "end_map":
                content.mark()


# Characters and escapes that are whole; surrogates are only so in pairs.
_WHOLE_TEXT = re.compile(
    rb"(?:[^\\]+|\\(?:[^u]|u(?=.{4})(?![dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))*+",
    re.DOTALL,
)
_ESCAPE_BYTES, _PAIR_BYTES = 6, 12


class WholeCharacters:
    """The content as the parser reads it, refused where an escape stands for half a character."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = b""  # an escape, or a first half, that a piece's end cuts off from the rest

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        text = self._left + piece
        whole = _WHOLE_TEXT.match(text) if b"\\" in text else None
        self._left = text[whole.end() :] if whole else b""
        if len(self._left) >= (_PAIR_BYTES if piece else _ESCAPE_BYTES):
            raise broken("the body has half a character (such as \\ud83d alone); send the text as it was, in UTF-8")
        return piece
