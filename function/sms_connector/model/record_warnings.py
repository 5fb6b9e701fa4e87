"""Warnings about records that are sent all the same, and duplicate recipients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.person import person_key
from sms_connector.model.seen_persons import SeenPersons

Duplicates = Literal["send", "skip", "refuse"]
WARNINGS_SHOWN = 100
WARNINGS_KEPT = 20
# As a campaign's document has it: field, message, kind, line.
KeptWarning = tuple[str, str, str, int | None]


class RecordWarnings:
    """Collects warnings while records are read, in bounded memory: the first hundred of each kind, and the number of
    duplicates."""

    def __init__(self, policy: Duplicates = "send", text: Sequence[FieldProblem] = (), *, strict: bool = False) -> None:
        self._policy = policy
        self._strict = strict
        self._seen = SeenPersons()
        self._text = list(text)
        self._repeated: list[FieldProblem] = []
        self._national: list[FieldProblem] = []
        self.duplicates = 0

    @property
    def warnings(self) -> list[FieldProblem]:
        return [*self._text, *self._repeated, *self._national]

    def check(self, to: str, country: str | None, field: str, *, index: int, line: int | None) -> FieldProblem | None:
        """Return why a record is not sent; None if it is. `country` is the one that its number was read by, if it
        needed one."""
        if country is not None:
            message = f"is in national form, and was read as a number of {country}"
            if self._strict:
                return FieldProblem(field, f"{message}; write + and the country code", ErrorKind.DEFAULT_COUNTRY, line)
            if len(self._national) < WARNINGS_SHOWN:
                self._national.append(FieldProblem(field, message, ErrorKind.DEFAULT_COUNTRY, line))
        first = self._seen.find_first(person_key(to), line or index)
        return None if first is None else self._repeat(first, field, line)

    def _repeat(self, first: int, field: str, line: int | None) -> FieldProblem | None:
        self.duplicates += 1
        place = f"line {first}" if line else f"records[{first}]"
        problem = FieldProblem(field, f"is the person of {place} too", ErrorKind.DUPLICATE, line)
        if self._policy == "skip":
            return replace(problem, message=f"{problem.message}: each is sent one message only (duplicates)")
        if len(self._repeated) < WARNINGS_SHOWN:
            self._repeated.append(problem)
        return None

    @property
    def refusal(self) -> InvalidRequest | None:
        """Return the error of a request that refuses duplicates; None if there is nothing to refuse."""
        if self._policy != "refuse" or not self.duplicates:
            return None
        return InvalidRequest(*self._repeated)

    def refuse_duplicates(self, *, enough: int = 1) -> None:
        """Raise the refusal once there are `enough` duplicates."""
        refusal = self.refusal
        if refusal is not None and self.duplicates >= enough:
            raise refusal

    def to_json(self) -> list[KeptWarning]:
        return [(each.field, each.message, str(each.kind), each.line) for each in self.warnings[:WARNINGS_KEPT]]


def read_warnings(kept: Sequence[KeptWarning]) -> list[FieldProblem]:
    return [FieldProblem(field, message, ErrorKind(kind), line) for field, message, kind, line in kept]
