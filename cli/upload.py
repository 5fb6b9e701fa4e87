"""A file on its way: as it is, packed, and there again for another try.

It is packed into a temporary file first, so that memory stays flat, a lost connection costs no second reading, and the same
file gives the same bytes: an idempotency key stands for them. The connector reads it: delimiter, characters and records.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from cli.errors import Misused

CSV, NDJSON, JSON = "text/csv", "application/x-ndjson", "application/json"
CONTENT_TYPES = {".csv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON, ".json": JSON}
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
def packed(path: Path, content_type: str, *, progress: Progress = lambda _: None) -> Iterator[Upload]:
    """Return the file, ready to be sent; `progress` gets the number of bytes read. Raises Misused where it can't be read."""
    with TemporaryFile() as spool:
        try:
            with path.open("rb") as source:
                _pack(source, spool, packed_already=path.name.lower().endswith(PACKED), progress=progress)
        except OSError as error:
            raise Misused(f"{path} can't be read: {error.strerror}") from None
        yield Upload(spool, spool.tell(), content_type)


def _pack(source: BinaryIO, spool: BinaryIO, *, packed_already: bool, progress: Progress) -> None:
    if packed_already:
        copyfileobj(source, spool)
        return
    # No name and no time: they would make other bytes of the same file.
    with gzip.GzipFile("", "wb", 6, spool, mtime=0) as packer:
        while piece := source.read(PIECE):
            progress(len(piece))
            packer.write(piece)
