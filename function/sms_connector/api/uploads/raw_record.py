"""A record as a file has it, before anything is checked."""

from __future__ import annotations

from typing import Any

import msgspec


class RecordProblem(msgspec.Struct, frozen=True):
    """A place that holds no record."""

    message: str


RawRecord = dict[str, Any] | RecordProblem
# The line on which it begins, from 1; None in a JSON document, whose records have their index alone.
Located = tuple[int | None, RawRecord]
