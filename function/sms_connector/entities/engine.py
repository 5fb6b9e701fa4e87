"""Conditions and SQL on one engine: SQLite over virtual tables, fenced in.

Each request has a connection of its own, in memory and without a file. An authorizer lets through what reads the
tables' columns and the functions of a list; limits and a deadline bound the rest.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import apsw

from sms_connector.entities.instants import compare
from sms_connector.entities.lexer import FUNCTIONS, Condition
from sms_connector.entities.scan import Place, Reader
from sms_connector.entities.tables import ID, INSTANT, ROW, Table
from sms_connector.entity import EntityType, Row
from sms_connector.errors import FieldProblem, InvalidRequest

# Only SQLite's own memory: results that are sorted and grouped.
HEAP_LIMIT = 128 * 1024 * 1024
_LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: 1_000_000,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 1000,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_STEPS = 10_000
_MORE_FUNCTIONS = (
    "count sum avg total min max group_concat string_agg iif instr ltrim replace rtrim sign strftime time typeof "
    "row_number rank dense_rank lag lead first_value last_value concat"
)
SQL_FUNCTIONS = FUNCTIONS | frozenset(_MORE_FUNCTIONS.split())
_FIRST_WORD = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
# Texts and names, which are passed over; comments, the end of a statement, and the one column of any catalogue that is
# a reserved word of SQLite, where no SELECT has it.
_STATEMENT = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\[[^\]]*\]|`(?:[^`]|``)*`|(?P<comment>--|/\*)|(?P<end>;)|\b(?P<to>to)\b""",
    re.IGNORECASE,
)
_TOO_LONG = "takes too long; narrow it, or raise `timeout` (at most 60 s)"

apsw.hard_heap_limit(HEAP_LIMIT)


def find(
    entity: EntityType, condition: Condition, reader: Reader, start: Place | None = None
) -> Generator[tuple[Row, Place]]:
    """Yield the rows for which the condition holds, in the provider's order, and their places; from `start` on."""
    table = Table(entity, reader, own=True)
    table.resume = start
    statement = f'SELECT {ROW} FROM "{entity.name}" WHERE ({condition.sql})'  # noqa: S608 # the lexer wrote it
    for (number,) in _select(table, statement, (), condition):
        yield table.kept[number]


def find_sorted(
    entity: EntityType,
    condition: Condition | None,
    reader: Reader,
    *,
    column: str,
    descending: bool = False,
    after: tuple[Any, str] | None = None,
) -> Generator[tuple[Row, str]]:
    """Yield the rows in the order of a column, and of the id among equal ones; `after` the value and the id of one."""
    table = Table(entity, reader, own=True, keeps_rows=True)
    where = f"({condition.sql})" if condition is not None else "1"
    bound: tuple[Any, ...] = ()
    if after is not None:
        where += f" AND +({_after(column, null=after[0] is None, descending=descending)})"
        bound = (after[1],) if after[0] is None else (*after, after[0])
    order = f'"{column}" {"DESC" if descending else "ASC"}, {ID}'
    statement = f'SELECT {ROW}, {ID} FROM "{entity.name}" WHERE {where} ORDER BY {order}'  # noqa: S608 # as above
    for number, entity_id in _select(table, statement, bound, condition):
        yield table.kept[number][0], entity_id


def _after(column: str, *, null: bool, descending: bool) -> str:
    """Return the condition for the rows after a value and an id; null is the least value."""
    if null:
        return f'"{column}" IS NULL AND {ID} > ?' if descending else f'"{column}" IS NOT NULL OR {ID} > ?'
    beyond = f'"{column}" < ?1 OR "{column}" IS NULL' if descending else f'"{column}" > ?1'
    return f'{beyond} OR ("{column}" = ?3 AND {ID} > ?2)'


def run_sql(
    types: Mapping[str, EntityType],
    reader: Reader,
    query: str,
    parameters: Sequence[Any] = (),
    *,
    most: int,
) -> list[dict[str, Any]]:
    """Return at most `most` rows of one SELECT over all entity types. Raises InvalidRequest."""
    statement = _check_statement(query)
    tables = [Table(entity, reader) for entity in types.values() if {"LIST", "GET"} & entity.operations.keys()]
    connection = _connect(tables, reader, SQL_FUNCTIONS, selects=100)
    rows: list[dict[str, Any]] = []
    with _explained(tables, "query.query"):
        cursor = connection.execute(statement, tuple(parameters))
        names = [str(each[0]) for each in cursor.get_description()] if not _is_empty(cursor) else []
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            _refuse("query.query", f"has the column {twice[0]!r} twice; name one of them with AS")
        for row in cursor:
            rows.append(dict(zip(names, row, strict=True)))
            if len(rows) >= most:
                break
        cursor.close(force=True)
    return rows


def _is_empty(cursor: apsw.Cursor) -> bool:
    """Return whether the statement is complete already, so that it has no description: it gave no row."""
    try:
        cursor.get_description()
    except apsw.ExecutionCompleteError:
        return True
    return False


def _check_statement(query: str) -> str:
    """Return the statement, its reserved words quoted. Raises InvalidRequest."""
    if not _FIRST_WORD.match(query):
        _refuse("query.query", "is no SELECT: one statement that begins with SELECT or WITH is run; nothing is written")
    for match in _STATEMENT.finditer(query):
        if match["comment"]:
            _refuse("query.query", f"at position {match.start() + 1}: comments are not allowed")
        if match["end"] and query[match.end() :].strip():
            _refuse("query.query", f"at position {match.start() + 1}: only one statement is run")
    return _STATEMENT.sub(lambda match: f'"{match[0]}"' if match["to"] else match[0], query)


def _select(
    table: Table, statement: str, bound: tuple[Any, ...], condition: Condition | None
) -> Iterator[tuple[Any, ...]]:
    connection = _connect([table], table.reader, FUNCTIONS, selects=1)
    offset = statement.find(condition.sql) if condition is not None else 0
    with _explained([table], "conditions", condition, offset):
        yield from connection.execute(statement, bound)


def _connect(tables: Sequence[Table], reader: Reader, functions: frozenset[str], *, selects: int) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for limit, value in _LIMITS.items():
        connection.limit(limit, value)
    for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
        connection.config(option, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.create_collation(INSTANT, compare)
    for table in tables:
        module = cast("apsw.VTModule", _Module(table))
        connection.create_module(
            table.entity.name, module, use_bestindex_object=True, eponymous=True, eponymous_only=True, read_only=True
        )
    connection.authorizer = _Authorizer(tables, functions, selects)
    connection.set_progress_handler(lambda: reader.is_late, _STEPS)
    return connection


class _Module:
    """Connects one table, `apsw.VTModule`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def Connect(self, *_: Any) -> tuple[str, apsw.VTTable]:  # noqa: N802 # apsw's name
        return self._table.schema, cast("apsw.VTTable", self._table)

    Create = Connect


class _Authorizer:
    """Lets through reads of the tables' columns, the functions of the list, and so many SELECTs. Prepared again, a
    statement asks again: the count holds for the first time."""

    def __init__(self, tables: Sequence[Table], functions: frozenset[str], selects: int) -> None:
        self._names = {table.entity.name.lower() for table in tables}
        self._functions = functions
        self._selects = selects

    def __call__(self, operation: int, first: str | None, second: str | None, *_: str | None) -> int:
        if self._allows(operation, first, second):
            return apsw.SQLITE_OK
        return apsw.SQLITE_DENY

    def _allows(self, operation: int, first: str | None, second: str | None) -> bool:
        if operation == apsw.SQLITE_SELECT:
            self._selects -= 1
            return self._selects >= 0
        if operation == apsw.SQLITE_READ:
            return (first or "").lower() in self._names
        return operation == apsw.SQLITE_FUNCTION and (second or "").lower() in self._functions | {"like"}


@contextmanager
def _explained(
    tables: Sequence[Table], field: str, condition: Condition | None = None, offset: int = 0
) -> Iterator[None]:
    """Turn SQLite's errors into refusals of the caller's text."""
    try:
        yield
    except apsw.InterruptError:
        _refuse(field, _TOO_LONG)
    except (apsw.NoMemError, MemoryError):
        _refuse(field, "needs too much memory; narrow it, or ask for fewer columns")
    except apsw.AuthError as error:
        _refuse(field, f"is not allowed ({error}): only the entity types' columns and the listed functions are")
    except apsw.Error as error:
        missing = sorted(set().union(*(table.missing for table in tables)))
        if "no query solution" in str(error) and missing:
            names = " and ".join(missing)
            _refuse(field, f"has to give {names} by =: rows are listed within one, such as {missing[0]}='…'")
        place = ""
        at = getattr(error, "error_offset", -1)
        if condition is not None and at >= offset:
            place = f"at position {condition.place_of(at - offset)}: "
        _refuse(field, f"{place}{str(error).removeprefix('SQLError: ')}")


def _refuse(field: str, message: str) -> NoReturn:
    raise InvalidRequest(FieldProblem(field, message)) from None
