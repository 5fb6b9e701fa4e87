"""Store a body of any size on disk, with its digest, so that it is read several times in constant memory.

On the platform the disk is memory, but there a request has at most 32 MiB; larger inputs come from a bucket (`source`).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest, Throttled

MAX_BYTES = 512 * 1024 * 1024
_PIECE = 256 * 1024
# Where the disk is memory, the bodies of all requests at work have to fit into an instance: 80 small ones, and a few large ones at a
# time (32 MiB each on the platform). Further large ones wait for their turn.
LARGE_BYTES = 1024 * 1024
LARGE_UPLOADS = threading.BoundedSemaphore(4)
PATIENCE_SECONDS = 20.0
RETRY_AFTER_SECONDS = 10.0


class Spooled(msgspec.Struct, frozen=True):
    """`digest` is the SHA-256 of the bytes as they came."""

    file: BinaryIO
    size: int
    digest: str

    def rewind(self) -> BinaryIO:
        self.file.seek(0)
        return self.file


@contextmanager
def spool(
    stream: BinaryIO,
    *,
    limit: int = MAX_BYTES,
    large_uploads: threading.Semaphore = LARGE_UPLOADS,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Spooled]:
    """Store the stream. Raises InvalidRequest above `limit` bytes, and Throttled where this node reads too many large bodies."""
    digest = hashlib.sha256()
    size = 0
    with ExitStack() as stack:
        file = stack.enter_context(TemporaryFile())
        while piece := stream.read(_PIECE):
            if size <= LARGE_BYTES < size + len(piece):
                stack.enter_context(_taking(large_uploads, patience))
            size += len(piece)
            if size > limit:
                raise InvalidRequest(
                    FieldProblem("", f"the body is over the limit of {limit:,} bytes; split the campaign")
                )
            digest.update(piece)
            file.write(piece)
        yield Spooled(file, size, digest.hexdigest())


@contextmanager
def _taking(large_uploads: threading.Semaphore, patience: float) -> Iterator[None]:
    if not large_uploads.acquire(timeout=patience):
        raise Throttled(
            f"this node is reading as many large uploads as it has memory for; repeat after {RETRY_AFTER_SECONDS:g} s, "
            "or put the file into a bucket and name it as `source`",
            retry_after=RETRY_AFTER_SECONDS,
        )
    try:
        yield
    finally:
        large_uploads.release()
