"""A body of any size, put on disk as it comes, with its digest: it is read from there as often as needed, in constant memory.

On the platform the disk is memory, but there a request has at most 32 MiB; larger inputs come from a bucket (`source`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest

MAX_BYTES = 512 * 1024 * 1024
_PIECE = 256 * 1024


class Spooled(msgspec.Struct, frozen=True):
    """`digest` is the SHA-256 of the bytes as they came."""

    file: BinaryIO
    size: int
    digest: str

    def rewind(self) -> BinaryIO:
        self.file.seek(0)
        return self.file


@contextmanager
def spool(stream: BinaryIO, *, limit: int = MAX_BYTES) -> Iterator[Spooled]:
    """Raises InvalidRequest where the body has more than `limit` bytes."""
    digest = hashlib.sha256()
    size = 0
    with TemporaryFile() as file:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise InvalidRequest(
                    FieldProblem("", f"the body is over the limit of {limit:,} bytes; split the campaign")
                )
            digest.update(piece)
            file.write(piece)
        yield Spooled(file, size, digest.hexdigest())
