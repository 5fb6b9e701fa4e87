"""What ends a command early, and the exit codes of all of them.

0    done; every message is delivered, or on its way without --wait
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

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cli.wording import in_commands, locate

OK, NOT_DELIVERED, REFUSED, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 130


class CliError(Exception):
    """Root of the tree. `document` is what `--json` prints; `lines` are for people."""

    exit_code = UNAVAILABLE

    def __init__(self, message: str, document: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.document = document or {"error": {"message": message}}

    def lines(self) -> Iterator[str]:
        yield in_commands(str(self))
        yield from getattr(self, "__notes__", ())


class Misused(CliError):
    """The fix is in the command's own options or files."""

    exit_code = REFUSED


class Refused(CliError):
    """The connector's problem document, in this command's words."""

    exit_code = REFUSED

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(str(document["error"]["message"]), document)
        self.status = status

    def lines(self) -> Iterator[str]:
        details = [detail for detail in _flatten(self.document["error"].get("details", [])) if detail.get("message")]
        if not details:
            yield in_commands(str(self))
        for detail in details:
            where = locate(detail)
            yield in_commands(f"{where}: {detail['message']}" if where else detail["message"])
        for detail in self.document["error"].get("details", []):
            if "moreInfo" in detail.get("metadata", {}):
                yield f"the provider explains it: {detail['metadata']['moreInfo']}"
        yield from getattr(self, "__notes__", ())


def is_unknown(document: Mapping[str, Any]) -> bool:
    """Return True if the connector itself does not know whether a write was carried out."""
    return any(detail.get("reason") == "OUTCOME_UNKNOWN" for detail in document["error"].get("details", []))


def _flatten(details: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield details with `field` and `message`; those of version 2 hold them as `fieldViolations`."""
    for detail in details:
        yield detail
        for violation in detail.get("fieldViolations", []):
            yield {"field": violation["field"], "message": violation["description"]}


class Unavailable(CliError):
    """Nothing is wrong with the request."""


class ConnectionLost(Unavailable):
    """Sent, or partly; no answer."""


class Interrupted(CliError):
    """By the person who runs the command."""

    exit_code = INTERRUPTED
