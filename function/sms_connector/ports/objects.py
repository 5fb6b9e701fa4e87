"""Inputs of campaigns."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class ObjectSource(Protocol):
    """Large inputs kept elsewhere: objects in buckets the connector may read, or files below one folder."""

    def open_lines(self, uri: str) -> AbstractContextManager[BinaryIO]:
        """Open the content as a binary stream (iterate it for lines), in constant memory, of one version throughout.

        Raises `errors.InvalidRequest`, naming the field `source`, for an address that is none of ours or where there
        is nothing that may be read.
        """
