"""A campaign's file on its way: in UTF-8 whatever it was, packed, and there again for another try.

It is packed into a temporary file first, so that memory stays flat, a lost connection costs no second reading, and the same
file gives the same bytes: a campaign's idempotency key stands for them.
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from cli.errors import Misused
from cli.records import find_encoding, wrong_encoding

CONTENT_TYPES = {
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
}
PACKED = ".gz"
PIECE = 256 * 1024

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """`file` holds what is sent, `size` bytes of gzip."""

    file: BinaryIO
    size: int
    content_type: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type, "Content-Encoding": "gzip"}


def content_type_of(path: Path) -> str:
    """By the name's ending, before a `.gz`. Raises Misused for another one."""
    name = path.name.lower().removesuffix(PACKED)
    for ending, content_type in CONTENT_TYPES.items():
        if name.endswith(ending):
            return content_type
    raise Misused(f"{path}: its name has to end in {', '.join(CONTENT_TYPES)}, each perhaps with {PACKED}")


@contextmanager
def packed(path: Path, encoding: str | None = None, *, progress: Progress = lambda _: None) -> Iterator[Upload]:
    """The file, ready to be sent; `progress` hears how many bytes of it were read. Raises Misused where it can't be read."""
    content_type = content_type_of(path)
    with TemporaryFile() as spool:
        try:
            with path.open("rb") as source:
                _pack(source, spool, path, encoding=encoding, progress=progress)
        except OSError as error:
            raise Misused(f"{path} can't be read: {error.strerror}") from None
        yield Upload(spool, spool.tell(), content_type)


def _pack(source: BinaryIO, spool: BinaryIO, path: Path, *, encoding: str | None, progress: Progress) -> None:
    pieces = _pieces(source, progress)
    if path.name.lower().endswith(PACKED):
        spool.writelines(pieces)
        return
    # No name and no time: they would make other bytes of the same file.
    with gzip.GzipFile("", "wb", 6, spool, mtime=0) as packer:
        for piece in _in_utf8(pieces, path, encoding):
            packer.write(piece)


def _pieces(source: BinaryIO, progress: Progress) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        progress(len(piece))
        yield piece


def _in_utf8(pieces: Iterator[bytes], path: Path, encoding: str | None) -> Iterator[bytes]:
    first = next(pieces, b"")
    found = find_encoding(first, encoding)
    decoder = codecs.getincrementaldecoder(found)()
    lines = 1
    for piece, last in _with_end(first, pieces):
        try:
            text = decoder.decode(piece, last)
        except UnicodeDecodeError as error:
            raise wrong_encoding(path, lines + error.object[: error.start].count(b"\n"), found) from None
        lines += text.count("\n")
        yield text.encode()


def _with_end(first: bytes, more: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    yield first, False
    for piece in more:
        yield piece, False
    yield b"", True
