"""Read what the headers say of an upload, and find the encoding that a spreadsheet wrote it in.

A byte order mark goes before the charset that the caller names: HTTP clients name one by default. Without either it is
UTF-8, or UTF-16 where every other byte of the beginning is zero.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import Literal

import msgspec
from werkzeug.datastructures import Headers

from sms_connector.api.uploads.content import Content, broken
from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import quote

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# What an office saves instead of text: an .xlsx is a ZIP archive, an .xls a compound file.
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook (or a ZIP archive)"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"%PDF-", "a PDF"),
)
# Character sets only: Python knows more codecs, such as rot13.
_CHARSETS = re.compile(
    r"utf-?8|utf-?16(-?[lb]e)?|us-ascii|ascii|(windows-?|cp)(125[0-8]|874|932|936|949|950)|cp(437|850|852|858|866)"
    r"|iso-?8859-?\d{1,2}|latin-?\d{1,2}|macintosh|mac-?roman|koi8-?[ru]"
    r"|shift[_-]?jis|euc-?(jp|kr)|gb(k|2312|18030)|big5"
)
ADVICE = 'save the file as "CSV UTF-8", or send charset=windows-1252 if an older spreadsheet made it'


def find_charset(name: str, field: str) -> str:
    """Return Python's name of a character set. Raises InvalidRequest naming `field` for an unknown one."""
    lowered = name.strip().lower()
    try:
        if not _CHARSETS.fullmatch(lowered):
            raise LookupError
        return codecs.lookup(re.sub(r"^windows-?(?=9|874)", "cp", lowered)).name
    except LookupError:
        message = (
            f"{quote(name)} is an unknown charset; leave it out for UTF-8 and UTF-16, or name one such as windows-1252"
        )
        raise InvalidRequest(FieldProblem(field, message)) from None


def open_text(content: Content, charset: str | None) -> tuple[io.BufferedReader, str]:
    """Return the content without byte order marks, and its encoding. `charset` is the caller's. Raises InvalidRequest
    for what is not text."""
    file = content.buffered()
    beginning = file.peek(8)[:8]
    for magic, name in _NOT_TEXT:
        if beginning.startswith(magic):
            raise broken(f'the body is {name}, not text; save it as "CSV UTF-8" and send that file')
    mark, found = next((each for each in _MARKS if beginning.startswith(each[0])), (b"", None))
    while mark and file.peek(len(mark)).startswith(mark):
        file.read(len(mark))
    encoding = found or charset or _guess(beginning)
    return file, "utf-8" if encoding == "ascii" else encoding


def wrong_bytes(error: UnicodeDecodeError, encoding: str, *, before: int) -> InvalidRequest:
    """Name the line of the first wrong byte; `before` lines were complete when the piece with it was read."""
    piece = error.object[: error.start].decode(encoding, "replace")
    line = before + 1 + piece.count("\n") + piece.count("\r") - piece.count("\r\n")
    return broken(f"line {line} is not {'UTF-8' if encoding == 'utf-8' else encoding}; {ADVICE}")


def _guess(beginning: bytes) -> str:
    if beginning[1:2] == b"\0" != beginning[:1]:
        return "utf-16-le"
    return "utf-16-be" if beginning[:1] == b"\0" != beginning[1:2] else "utf-8"


JSON = "application/json"
Format = Literal["ndjson", "csv"]
FORMS: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "text/csv": "csv",
}
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)


class FileForm(msgspec.Struct, frozen=True):
    """The form of an upload. `format` None: a JSON document, which is in UTF-8. `delimiter` is the name of one, None:
    detected; `charset` None: by its beginning, else UTF-8."""

    format: Format | None
    compressed: bool = False
    delimiter: str | None = None
    charset: str | None = None


def read_content_type(headers: Headers) -> FileForm:
    """Raises InvalidRequest for a form, an encoding or a charset that is not read."""
    header = headers.get("Content-Type", "")
    media_type = header.partition(";")[0].strip().lower()
    form = FORMS.get(media_type)
    if form is None and media_type != JSON:
        message = f"{quote(media_type)} is not read here; send application/json, application/x-ndjson or text/csv"
        raise InvalidRequest(FieldProblem("Content-Type", message))
    named = _CHARSET.search(header)
    charset = find_charset(named[1], "Content-Type") if named else None
    if form is None and charset not in (None, "utf-8", "ascii"):
        raise InvalidRequest(FieldProblem("Content-Type", "JSON must be in UTF-8; convert the body"))
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise InvalidRequest(FieldProblem("Content-Encoding", "must be gzip or absent"))
    return FileForm(form, encoding == "gzip", charset=charset)
