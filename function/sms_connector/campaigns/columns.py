"""The columns of a caller's records, kept beside what is sent so that the results as CSV can show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# More than a spreadsheet has, as a rule: what a caller names anew in each record must not grow with their number.
MAX_COLUMNS = 200
MAX_NAME = 200
# A row with more characters is kept without its cells: some hundreds have to fit one document.
MAX_ROW = 16_000


class Columns:
    """`names` in the order in which records brought them."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self._known = tuple(names)

    def cells(self, record: Mapping[str, object]) -> tuple[str, ...]:
        """The record's values as text, in the order of the names. Lists and objects are left out, and what ends the row empty."""
        names = tuple(record)
        values = tuple(record.values()) if names == self._known[: len(names)] else self._arrange(record)
        row = tuple([value if isinstance(value, str) else _to_text(value) for value in values])
        return row if len("".join(row)) <= MAX_ROW else ()

    def _arrange(self, record: Mapping[str, object]) -> tuple[object, ...]:
        new = [name for name in record if name and name not in self._known and len(name) <= MAX_NAME]
        self.names += new[: MAX_COLUMNS - len(self.names)]
        self._known = tuple(self.names)
        return tuple(record.get(name) for name in self._known)


def _to_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, int | float) else ""
