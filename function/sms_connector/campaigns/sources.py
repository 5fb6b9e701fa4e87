"""Open files of records outside the request: what SMS_CAMPAIGN_SOURCES allows, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.ports import ObjectSource

BUCKETS = "gs://"


class AllowedSources(msgspec.Struct, frozen=True):
    """`ports.ObjectSource` over what is allowed: `prefixes` of objects in buckets, and folders."""

    prefixes: Sequence[str] = ()
    buckets: ObjectSource | None = None
    folders: ObjectSource | None = None

    def open_lines(self, uri: str) -> AbstractContextManager[BinaryIO]:
        return self._find(uri).open_lines(uri)

    def _find(self, uri: str) -> ObjectSource:
        if not self.prefixes and self.folders is None:
            raise _refuse("no source is allowed here: name buckets or folders in SMS_CAMPAIGN_SOURCES")
        if uri.startswith(BUCKETS):
            allowed = any(uri.startswith(f"{prefix.rstrip('/')}/") for prefix in self.prefixes)
            if not allowed or self.buckets is None:
                where = f"one of {', '.join(self.prefixes)}" if self.prefixes else "a bucket that is named there"
                raise _refuse(f"must be below {where}: SMS_CAMPAIGN_SOURCES says what may be read")
            return self.buckets
        if not uri.startswith("file:"):
            raise _refuse("must be gs://bucket/object or, on one machine, file:<path>")
        if self.folders is None:
            raise _refuse(f"no folder is allowed here, only: {', '.join(self.prefixes)} (SMS_CAMPAIGN_SOURCES)")
        return self.folders


NO_SOURCES = AllowedSources()


def _refuse(message: str) -> InvalidRequest:
    return InvalidRequest(FieldProblem("source", message))
