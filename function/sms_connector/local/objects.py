"""Files below some folders, as inputs of campaigns: `file:batch.csv`, `file:2026/batch.csv`,
`file:///srv/inputs/batch.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from sms_connector.errors import FieldProblem, InvalidRequest


class FileObjects:
    """`ports.ObjectSource` on folders, of which the first that has the file counts. Nothing outside of them is opened,
    be it asked for by `..` or by a link."""

    def __init__(self, *folders: str | Path) -> None:
        self._folders = [Path(folder) for folder in folders]

    @contextmanager
    def open_lines(self, uri: str) -> Iterator[BinaryIO]:
        with self._find(uri).open("rb") as stream:
            yield stream

    def _find(self, uri: str) -> Path:
        parts, where = urlsplit(uri), " or ".join(map(str, self._folders))
        if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment or not parts.path:
            raise _invalid(f"{uri!r} has to be file:<path below {where}>")
        for folder in self._folders:
            path = (folder.resolve() / unquote(parts.path)).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        # One answer for both, which does not reveal what is outside.
        raise _invalid(f"no file {uri!r} below {where}")


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(FieldProblem("source", message))
