"""Objects in buckets, as inputs of campaigns: `gs://bucket/object`, read with the connector's own account."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import BinaryIO, cast

from google.api_core import exceptions
from google.cloud.storage import Client

from sms_connector.errors import FieldProblem, InvalidRequest

# Memory one open object takes; each piece is a request of its own.
PIECE_BYTES = 8 * 1024 * 1024
LINE_BUFFER_BYTES = 256 * 1024
SECONDS = (5.0, 30.0)
_ADDRESS = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/(.{1,1024})", re.DOTALL)


class BucketObjects:
    """`ports.ObjectSource` on Cloud Storage. The object's bytes as they are stored: one with `Content-Encoding: gzip`
    is gzip."""

    def __init__(self, make_client: Callable[[], Client]) -> None:
        self._make_client = make_client

    @classmethod
    def connect(cls, project: str) -> BucketObjects:
        """Connect with the function's own credentials, or to the emulator that `STORAGE_EMULATOR_HOST` names."""
        return cls(partial(Client, project=project))

    @cached_property
    def _client(self) -> Client:
        """Make it at the first call, hence after the server has forked: its connections must not be shared."""
        return self._make_client()

    @contextmanager
    def open_lines(self, uri: str) -> Iterator[BinaryIO]:
        """Yield the generation that is the newest now, also where the object is replaced while it is read."""
        address = _ADDRESS.fullmatch(uri)
        if not address:
            raise _invalid(f"{uri!r} has to be gs://<bucket>/<object>")
        bucket = self._client.bucket(address[1])
        try:
            newest = bucket.get_blob(address[2], timeout=SECONDS)
        except exceptions.Forbidden as refusal:
            raise _invalid(f"{uri!r} may not be read: put its bucket into campaigns.buckets of the stack") from refusal
        if newest is None:
            raise _invalid(f"there is no {uri!r}")
        pinned = bucket.blob(address[2], generation=newest.generation)
        # The generation twice: the library forgets a pinned one when an answer doesn't repeat it, and goes on with
        # the newest.
        reader = pinned.open(
            "rb", chunk_size=PIECE_BYTES, raw_download=True, timeout=SECONDS, if_generation_match=newest.generation
        )
        # The library's reader looks for the end of a line byte by byte; this one in its buffer.
        with io.BufferedReader(cast(io.RawIOBase, reader), LINE_BUFFER_BYTES) as stream:
            yield stream


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(FieldProblem("source", message))
