"""What can go wrong on the way to a provider and back, and when it does.

A rule says which requests it may strike, how likely, and how often. At most one fault strikes a request; a header
`X-Sandbox-Fault: <kind>[; seconds=2][; status=503][; variant=html]` on the request itself comes before every rule.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sandbox.wire import Request

HEADER = "X-Sandbox-Fault"
VARIANTS = ("truncated", "html", "empty", "short")


class FaultError(ValueError):
    """A fault that cannot be made; the message says what is allowed."""


class Kind(StrEnum):
    """`…_after_accept`: the request is processed in full, only its answer suffers. The others are never processed,
    except `slow`, which is answered normally, but late."""

    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    RESET_AFTER_ACCEPT = "reset_after_accept"
    ERROR_AFTER_ACCEPT = "5xx_after_accept"
    UNREADABLE = "unreadable_2xx"
    SLOW = "slow"
    REFUSE_CONNECTION = "refuse_connection"
    RESET_BEFORE_ACCEPT = "reset_before_accept"
    TOO_MANY_REQUESTS = "429"
    UNAVAILABLE = "503_retry_after"
    ERROR_BEFORE_ACCEPT = "500_before_accept"

    @property
    def lets_through(self) -> bool:
        """Whether the request is processed all the same."""
        return self in PROCESSED


PROCESSED = frozenset(
    {Kind.TIMEOUT_AFTER_ACCEPT, Kind.RESET_AFTER_ACCEPT, Kind.ERROR_AFTER_ACCEPT, Kind.UNREADABLE, Kind.SLOW}
)
DEFAULT_SECONDS: Mapping[Kind, float | None] = {
    Kind.TIMEOUT_AFTER_ACCEPT: None,
    Kind.SLOW: 1.0,
    Kind.REFUSE_CONNECTION: 1.0,
    Kind.TOO_MANY_REQUESTS: 1.0,
    Kind.UNAVAILABLE: 1.0,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One strike.

    `seconds`: how long the answer is held back (None for a timeout: for ever), the listener closed, or the value of
    Retry-After. `status`: of a 5xx. `variant`: what makes a 2xx unreadable, one of VARIANTS.
    """

    kind: Kind
    seconds: float | None = None
    status: int = 500
    variant: str = "truncated"


@dataclass(slots=True)
class Rule:
    """Strikes requests whose method and path match, each with `probability`, at most `count` times (None: no end)."""

    fault: Fault
    method: re.Pattern[str]
    path: re.Pattern[str]
    probability: float
    count: int | None
    dice: random.Random
    struck: int = 0

    def strikes(self, request: Request) -> bool:
        if self.count is not None and self.struck >= self.count:
            return False
        if not (self.method.fullmatch(request.method) and self.path.search(request.path)):
            return False
        if self.dice.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.fault.kind.value,
            "seconds": self.fault.seconds,
            "status": self.fault.status,
            "variant": self.fault.variant,
            "method": self.method.pattern,
            "path": self.path.pattern,
            "probability": self.probability,
            "count": self.count,
            "struck": self.struck,
        }


class FaultPlan:
    """The rules in force, in the order they were made."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self.rules: list[Rule] = []

    def pick(self, request: Request) -> Fault | None:
        asked = request.headers.get(HEADER)
        if asked:
            return parse_header(asked)
        return next((rule.fault for rule in self.rules if rule.strikes(request)), None)

    def add(self, document: Mapping[str, Any]) -> list[Rule]:
        """Rules from an admin document: one fault, or `{"scenario": "all", "probability": p}`. Raises FaultError."""
        scenario = document.get("scenario")
        if scenario not in (None, "all"):
            raise FaultError(f"scenario: {scenario!r} is not known; there is 'all'")
        parts = [document] if scenario is None else _scenario(document)
        made = [self._rule(part) for part in parts]
        self.rules += made
        return made

    def clear(self) -> None:
        self.rules.clear()
        self._made = 0

    def _rule(self, document: Mapping[str, Any]) -> Rule:
        self._made += 1
        try:
            return Rule(
                fault=_fault(str(document.get("kind", "")), document),
                method=re.compile(str(document.get("method", ".*"))),
                path=re.compile(str(document.get("path", ""))),
                probability=float(document.get("probability", 1.0)),
                count=None if document.get("count") is None else int(document["count"]),
                dice=random.Random(f"{self._seed}/{self._made}"),
            )
        except (re.error, TypeError, ValueError) as error:
            raise FaultError(f"fault rule: {error}") from error


def parse_header(text: str) -> Fault:
    kind, *parameters = (part.strip() for part in text.split(";"))
    return _fault(kind, dict(pair.partition("=")[::2] for pair in parameters))


def _scenario(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every kind with the same probability, unless the document names a kind with one of its own.

    Each request meets the rules one after the other, so for small values the chances simply add up.
    """
    shared = {key: value for key, value in document.items() if key not in ("scenario", "probability", *Kind)}
    default = document.get("probability", 0.01)
    return [{"kind": kind.value, "probability": document.get(kind.value, default), **shared} for kind in Kind]


def _fault(kind_name: str, parameters: Mapping[str, Any]) -> Fault:
    try:
        kind = Kind(kind_name)
    except ValueError:
        raise FaultError(f"kind: {kind_name!r} is not known; there are {', '.join(Kind)}") from None
    variant = str(parameters.get("variant", VARIANTS[0]))
    if variant not in VARIANTS:
        raise FaultError(f"variant: {variant!r} is not known; there are {', '.join(VARIANTS)}")
    seconds = parameters.get("seconds", DEFAULT_SECONDS.get(kind))
    try:
        fault = Fault(kind, None if seconds is None else float(seconds), int(parameters.get("status", 500)), variant)
    except (TypeError, ValueError) as error:
        raise FaultError(f"seconds, status: numbers are needed: {error}") from error
    if not 500 <= fault.status <= 599:
        raise FaultError(f"status: {fault.status} is not a 5xx")
    return fault
