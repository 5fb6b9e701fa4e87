"""What ends a command early, and the exit codes of all of them.

0    done; every message is delivered, or on its way where nobody waited for more
1    done, but some message was not delivered, or the connection is not ACTIVE
2    refused: an option, a file or a request is wrong
3    the connector can't be reached, does not let us in, or failed
130  interrupted

CliError
├── Misused          2  by us, before anything was asked
├── Refused          2  by the connector; holds its problem document
├── Unavailable      3
│   └── ConnectionLost  the answer did not come; whether the request was carried out is not known
└── Interrupted      130
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

OK, NOT_DELIVERED, REFUSED, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 130

_RECORD = re.compile(r"records\[(\d+)\](\.?)")


class CliError(Exception):
    """Root of the tree. `document` is what `--json` prints; `lines` are for people."""

    exit_code = UNAVAILABLE

    def __init__(self, message: str, document: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.document = document or {"error": {"message": message}}

    def lines(self) -> Iterator[str]:
        yield str(self)
        yield from getattr(self, "__notes__", ())


class Misused(CliError):
    """The fix is in the command's own options or files."""

    exit_code = REFUSED


class Refused(CliError):
    """The connector's problem document. `first_record` is where the request's records begin in the file."""

    exit_code = REFUSED

    def __init__(self, status: int, document: Mapping[str, Any], *, first_record: int = 0) -> None:
        super().__init__(str(document["error"]["message"]), document)
        self.status = status
        self.first_record = first_record

    def placed(self, first_record: int) -> Refused:
        """The same for a request whose first record is not the file's first."""
        return Refused(self.status, self.document, first_record=first_record)

    def lines(self) -> Iterator[str]:
        details = [detail for detail in self.document["error"].get("details", []) if detail.get("message")]
        if not details:
            yield self._in_rows(str(self))
        for detail in details:
            where = self._in_rows(detail.get("field", "")).rstrip(": ")
            yield f"{where}: {detail['message']}" if where else detail["message"]
        yield from getattr(self, "__notes__", ())

    def _in_rows(self, text: str) -> str:
        """`records[3].mobile` of a request, as people count in their file: `row 4, mobile`."""

        def name(match: re.Match[str]) -> str:
            return f"row {int(match[1]) + self.first_record + 1}" + ", " * bool(match[2])

        return _RECORD.sub(name, text)


class Unavailable(CliError):
    """Nothing is wrong with the request."""


class ConnectionLost(Unavailable):
    """Sent, or partly; no answer."""


class Interrupted(CliError):
    """By whoever runs the command."""

    exit_code = INTERRUPTED
