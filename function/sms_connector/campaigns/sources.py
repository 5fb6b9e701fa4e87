"""Where a campaign's records may come from besides the request itself: what SMS_CAMPAIGN_SOURCES allows, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.ports import ObjectSource

BUCKETS = "gs://"


class AllowedSources:
    """`ports.ObjectSource` over what is allowed: `prefixes` of objects in buckets, and folders."""

    def __init__(
        self, prefixes: Sequence[str] = (), *, buckets: ObjectSource | None = None, folders: Sequence[ObjectSource] = ()
    ) -> None:
        self._prefixes = tuple(prefixes)
        self._buckets = buckets
        self._folders = tuple(folders)

    @contextmanager
    def open_lines(self, uri: str) -> Iterator[BinaryIO]:
        with self._find(uri).open_lines(uri) as stream:
            yield stream

    def _find(self, uri: str) -> ObjectSource:
        if not self._prefixes and not self._folders:
            raise _refuse("no source is allowed here: name buckets or folders in SMS_CAMPAIGN_SOURCES")
        if uri.startswith(BUCKETS):
            allowed = any(uri.startswith(f"{prefix.rstrip('/')}/") for prefix in self._prefixes)
            if not allowed or self._buckets is None:
                allowed_here = (
                    f"one of {', '.join(self._prefixes)}" if self._prefixes else "a bucket that is named there"
                )
                raise _refuse(f"must be below {allowed_here}: SMS_CAMPAIGN_SOURCES says what may be read")
            return self._buckets
        if not uri.startswith("file:"):
            raise _refuse("must be gs://bucket/object or, on one machine, file:<path>")
        return self._find_folder(uri)

    def _find_folder(self, uri: str) -> ObjectSource:
        """The folder that has the file."""
        refusal = _refuse(f"no folder is allowed here, only: {', '.join(self._prefixes)} (SMS_CAMPAIGN_SOURCES)")
        for folder in self._folders:
            try:
                with folder.open_lines(uri):
                    return folder
            except InvalidRequest as error:
                refusal = error
        raise refusal


NO_SOURCES = AllowedSources()


def _refuse(message: str) -> InvalidRequest:
    return InvalidRequest(FieldProblem("source", message))
