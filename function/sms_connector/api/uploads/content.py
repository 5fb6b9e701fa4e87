"""Read the bytes of an upload: decompress and measure them, and refuse what can't be what its headers say.

What breaks here breaks the body as a whole (InvalidRequest); a record that is merely wrong is a RecordProblem.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any, BinaryIO

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest

# A million records of a kilobyte.
MAX_CONTENT_BYTES = 1024 * 1024 * 1024
MAX_RECORD_BYTES = 256 * 1024
BUFFER_BYTES = 64 * 1024
_TOO_LONG = "a quote may not be closed, or the body is in another form than its Content-Type says"
_GZIP = b"\x1f\x8b"


class Content(io.RawIOBase):
    """The content behind a stream, `compressed` or not. `mark` says that a record was complete, and on which line the
    next one begins: nothing in between may have more than MAX_RECORD_BYTES."""

    def __init__(self, source: BinaryIO, *, compressed: bool) -> None:
        self._source = gzip.GzipFile(fileobj=source) if compressed else source
        self._read = 0
        self._since_mark = 0
        self._line = 0
        self.marks = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the base says "any buffer"
        piece = self._read_piece(len(buffer))
        self._read += len(piece)
        self._since_mark += len(piece)
        if self._read > MAX_CONTENT_BYTES:
            raise broken(f"the body has more than {MAX_CONTENT_BYTES:,} bytes when decompressed; split the campaign")
        if self._since_mark > MAX_RECORD_BYTES + BUFFER_BYTES:
            where = f" (from line {self._line})" if self._line else ""
            raise broken(f"a record has more than {MAX_RECORD_BYTES:,} bytes{where}; {_TOO_LONG}")
        buffer[: len(piece)] = piece
        return len(piece)

    def mark(self, line: int = 0) -> None:
        self.marks += 1
        self._since_mark = 0
        self._line = line

    def buffered(self) -> io.BufferedReader:
        return io.BufferedReader(self, BUFFER_BYTES)

    def _read_piece(self, size: int) -> bytes:
        try:
            return self._source.read(size) or b""
        except EOFError:
            raise broken("the compressed body is cut off; send all of it") from None
        except (gzip.BadGzipFile, zlib.error):
            raise broken("the body is not gzip, or damaged; send it as gzip made it") from None


def is_gzip(file: BinaryIO) -> bool:
    """Detect gzip by the first bytes, and rewind the file: objects come without headers."""
    beginning = file.read(len(_GZIP))
    file.seek(0)
    return beginning == _GZIP


def broken(message: str, *, field: str = "") -> InvalidRequest:
    return InvalidRequest(FieldProblem(field, message))


class RecordProblem(msgspec.Struct, frozen=True):
    """A place that holds no record."""

    message: str


RawRecord = dict[str, Any] | RecordProblem
# The line on which it begins, from 1; None in a JSON document, whose records have their index alone.
Located = tuple[int | None, RawRecord]
