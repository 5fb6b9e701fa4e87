"""Files below one folder, as inputs of campaigns: `file:batch.csv`, `file:2026/batch.csv`,
`file:///srv/inputs/batch.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from sms_connector.errors import FieldProblem, InvalidRequest


class FileObjects:
    """`ports.ObjectSource` on a folder. Nothing outside of it is opened, be it asked for by `..` or by a link."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    @contextmanager
    def open_lines(self, uri: str) -> Iterator[BinaryIO]:
        with self._find(uri).open("rb") as stream:
            yield stream

    def _find(self, uri: str) -> Path:
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment or not parts.path:
            raise _invalid(f"{uri!r} has to be file:<path below {self._folder}>")
        folder = self._folder.resolve()
        path = (folder / unquote(parts.path)).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            # One answer for both, which does not reveal what is outside.
            raise _invalid(f"no file {uri!r} below {self._folder}")
        return path


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(FieldProblem("source", message))
