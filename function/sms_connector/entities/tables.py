"""Entity types as SQLite's virtual tables: what the provider narrows itself is passed on to it, and SQLite checks each
row again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import product
from typing import Any

import apsw
import msgspec

from sms_connector.entities.instants import read_instant
from sms_connector.entities.scan import Place, Reader, Scan
from sms_connector.entity import Column, EntityType, Narrowing, Row

# Tells a statement of ours which row it is at, and by what rows of equal values are ordered.
ROW, ID = "_row", "_id"
INSTANT = "instant"
_TYPES = {"INTEGER": "INTEGER", "BOOLEAN": "INTEGER", "DECIMAL": "REAL", "TIMESTAMP": f"TEXT COLLATE {INSTANT}"}
_COMPARISONS = {
    apsw.SQLITE_INDEX_CONSTRAINT_EQ: "=",
    apsw.SQLITE_INDEX_CONSTRAINT_LE: "<=",
    apsw.SQLITE_INDEX_CONSTRAINT_LT: "<=",
    apsw.SQLITE_INDEX_CONSTRAINT_GE: ">=",
    apsw.SQLITE_INDEX_CONSTRAINT_GT: ">=",
    apsw.SQLITE_INDEX_CONSTRAINT_LIKE: "LIKE",
}
_DAY_PATTERN = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})%")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# More lists or rows than that are not read one by one; the whole list is.
_MOST_PARTS = 100


class Claim(msgspec.Struct, frozen=True):
    """A constraint that a scan makes use of; `several`: its value is a set."""

    column: str
    op: str
    several: bool = False


class Table:
    """One entity type, `apsw.VTTable`. `kept` are the rows by their number, until the next unless `keeps_rows`.

    `resume` is the place that the first scan begins at.
    """

    def __init__(self, entity: EntityType, reader: Reader, *, own: bool = False, keeps_rows: bool = False) -> None:
        self.entity = entity
        self.reader = reader
        self.keeps_rows = keeps_rows
        self.resume: Place | None = None
        self.kept: dict[int, tuple[Row, Place]] = {}
        self.missing: set[str] = set()
        hidden = [column for column in entity.columns if column.filter_only]
        self.columns: tuple[Column, ...] = (*entity.readable, *hidden)
        self.parents = {parent.column for parent in entity.parents if parent.required}
        self.within = {parent.column for parent in entity.parents}
        self._own = own

    @property
    def schema(self) -> str:
        columns = [f'"{each.name}" {_declared(each)}' for each in self.columns]
        own = [f"{ROW} INTEGER HIDDEN", f"{ID} TEXT HIDDEN"] if self._own else []
        return f"CREATE TABLE ignored({', '.join([*columns, *own])})"

    def BestIndexObject(self, info: apsw.IndexInfo) -> bool:  # noqa: N802 # apsw's name
        """Claim what the provider can serve; refuse a plan that leaves out a required parent."""
        usable = self._usable(info)
        of_key = {claim.column: (number, claim) for number, claim in usable if claim.op == "="}
        by_key = bool(self.entity.key) and "GET" in self.entity.operations and of_key.keys() >= set(self.entity.key)
        missing = set() if by_key else self.parents - of_key.keys()
        if missing or not (by_key or "LIST" in self.entity.operations):
            self.missing |= missing or set(self.entity.key)
            return False
        wanted = (set(self.entity.key) | self.within) if by_key else self.within
        claims = [of_key[name] for name in sorted(wanted & of_key.keys())]
        if not by_key:
            claims += [each for each in usable if self._narrows(each[1])]
        for position, (number, claim) in enumerate(claims, 1):
            info.set_aConstraintUsage_argvIndex(number, position)
            if claim.several:
                info.set_aConstraintUsage_in(number, True)
        info.idxNum = int(by_key)
        info.idxStr = json.dumps([(claim.column, claim.op, claim.several) for _, claim in claims])
        info.estimatedRows = 1 if by_key else max(10, 100_000 // 10 ** len(claims))
        info.estimatedCost = 1_000.0 if by_key else 1_000.0 + info.estimatedRows
        return True

    def Open(self) -> Cursor:  # noqa: N802
        return Cursor(self)

    def Disconnect(self) -> None: ...  # noqa: N802

    Destroy = Disconnect

    def plan(self, claims: list[tuple[Claim, Any]], *, by_key: bool) -> Scan | None:
        """Return what to read; None where no row can match."""
        chosen = set(self.entity.key) | self.within if by_key else self.within
        parts: dict[str, list[str]] = {}
        narrowed = []
        for claim, value in claims:
            if claim.column in chosen and claim.op == "=":
                parts[claim.column] = _texts(value if claim.several else [value])
            elif (narrowing := _narrowing(self.entity.by_name[claim.column], claim.op, value)) is not None:
                narrowed.append(narrowing)
        combinations = tuple(dict(zip(parts, values, strict=True)) for values in product(*parts.values()))
        if not combinations:
            return None
        if by_key:
            return Scan(self.entity, keys=combinations, by_key=True)
        return Scan(self.entity, within=combinations, narrowed=tuple(narrowed))

    def _usable(self, info: apsw.IndexInfo) -> list[tuple[int, Claim]]:
        """Return the constraints that a claim may be made of, by their numbers; of equal ones the first."""
        found: dict[tuple[str, str], tuple[int, Claim]] = {}
        for number in range(info.nConstraint):
            op, place = info.get_aConstraint_op(number), info.get_aConstraint_iColumn(number)
            if not info.get_aConstraint_usable(number) or op not in _COMPARISONS or not 0 <= place < len(self.columns):
                continue
            column = self.columns[place]
            collation = INSTANT if column.type == "TIMESTAMP" else "BINARY"
            if info.get_aConstraint_collation(number) != collation and _COMPARISONS[op] != "LIKE":
                continue
            claim = Claim(column.name, _COMPARISONS[op], info.get_aConstraintUsage_in(number))
            found.setdefault((claim.column, claim.op), (number, claim))
        return list(found.values())

    def _narrows(self, claim: Claim) -> bool:
        column = self.entity.by_name[claim.column]
        if claim.column in self.within or claim.several:
            return False
        return column.serves("=" if claim.op == "LIKE" and column.type == "TIMESTAMP" else claim.op)


class Cursor:
    """A scan of a table, `apsw.VTCursor`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: Iterator[tuple[Row, Place]] = iter(())
        self._row: Row | None = None
        self._number = 0
        self._echo: Mapping[str, Any] = {}

    def Filter(self, number: int, name: str | None, arguments: tuple[Any, ...] | None) -> None:  # noqa: N802
        table = self._table
        claims = [Claim(*each) for each in json.loads(name or "[]")]
        given = list(zip(claims, arguments or (), strict=True))
        self._echo = {
            claim.column: value
            for claim, value in given
            if claim.op == "=" and table.entity.by_name[claim.column].filter_only
        }
        scan = table.plan(given, by_key=bool(number))
        too_many = scan is not None and max(len(scan.keys), len(scan.within)) > _MOST_PARTS
        if too_many:
            table.reader.refuse(f"more than {_MOST_PARTS} ids are asked for one by one")
        self._rows = iter(()) if scan is None else table.reader.read(scan, table.resume)
        table.resume = None
        self.Next()

    def Next(self) -> None:  # noqa: N802
        kept = self._table.kept
        if not self._table.keeps_rows:
            kept.clear()
        found = next(self._rows, None)
        self._row = found[0] if found is not None else None
        if found is not None:
            self._number += 1
            kept[self._number] = found

    def Eof(self) -> bool:  # noqa: N802
        return self._row is None

    def Column(self, number: int) -> Any:  # noqa: N802
        row = self._row or ()
        if number < 0:
            return self.Rowid()
        if number < len(row):
            value = row[number]
            return json.dumps(value) if isinstance(value, list | dict) else value
        columns = self._table.columns
        if number < len(columns):
            return self._echo.get(columns[number].name)
        return self._number if number == len(columns) else self._table.entity.id_of(row) or f"{self.Rowid():020}"

    def Rowid(self) -> int:  # noqa: N802
        """Return a digest of the key, or of the whole row: an OR over two scans finds a row twice."""
        row = self._row or ()
        said = self._table.entity.id_of(row) or repr(row)
        return int.from_bytes(blake2b(said.encode(), digest_size=8).digest()) >> 1

    def Close(self) -> None:  # noqa: N802
        self._rows = iter(())


def _declared(column: Column) -> str:
    hidden = " HIDDEN" if column.filter_only or column.path_only else ""
    return _TYPES.get(column.type, "TEXT") + hidden


def _texts(values: Any) -> list[str]:
    """Return the values that a text column can equal, sorted."""
    return sorted({str(value) for value in values if isinstance(value, str | int)})


def _narrowing(column: Column, op: str, value: Any) -> Narrowing | None:
    """Return the condition for the provider; None where the value is none that it takes: the rows are checked here."""
    if column.type == "TIMESTAMP":
        pattern = _DAY_PATTERN.fullmatch(value) if isinstance(value, str) and op == "LIKE" else None
        moment = read_instant(pattern[1] if pattern else value) if isinstance(value, str) else None
        return Narrowing(column.name, "=" if pattern else op, moment) if moment and (pattern or op != "LIKE") else None
    if op == "LIKE":
        return None
    if column.type == "BOOLEAN":
        return Narrowing(column.name, op, bool(value)) if value in (0, 1) else None
    if column.type == "INTEGER":
        whole = re.fullmatch(r"-?[0-9]{1,15}", str(value))
        return Narrowing(column.name, op, int(value)) if whole else None
    if not isinstance(value, str | int) or (column.enum and value not in column.enum):
        return None
    if column.type == "DATE" and not _DAY.fullmatch(str(value)):
        return None
    return Narrowing(column.name, op, str(value)) if str(value).strip() else None
