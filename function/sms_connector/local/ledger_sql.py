"""The statements of the SQLite ledger, made from `ports.COLLECTIONS` and `ports.COMPOSITE_INDEXES`.

A field that is a list is a column of JSON text; a table beside it, `blocks.people`, has a row for each item, kept by
triggers.

Names of tables and columns are written into the statements, from those two constants only; values are always bound.
"""

# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache

from sms_connector.ports import ARRAY_FIELDS, COLLECTIONS, COMPOSITE_INDEXES, Condition, Query, Scalar

TABLES = tuple(COLLECTIONS)
COLUMNS = {name: ("expiresAt", *fields) for name, fields in COLLECTIONS.items()}
ALIVE = "(expiresAt IS NULL OR expiresAt > ?)"


def prepare(connection: sqlite3.Connection) -> None:
    """Make what is missing: all of it in a new file, or the columns and indexes that a newer version has come to
    need."""
    for table, columns in COLUMNS.items():
        connection.execute(
            f'CREATE TABLE IF NOT EXISTS "{table}" '
            f"(id TEXT PRIMARY KEY, data TEXT NOT NULL, {_names(columns)}, version INTEGER NOT NULL)"
        )
        there = {row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')}
        missing = [column for column in columns if column not in there]
        for column in missing:
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{column}"')
        for column in columns:
            for statement in _item_table(table, column) if (table, column) in ARRAY_FIELDS else ():
                connection.execute(statement)
        for column in missing:
            connection.execute(f"""UPDATE "{table}" SET "{column}" = json_extract(data, '$."{column}"')""")
        for keys in _indexes(table):
            connection.execute(_index(table, keys))


def _item_table(table: str, column: str) -> Iterator[str]:
    items, insert = f'"{table}.{column}"', f'SELECT DISTINCT value, NEW.id FROM json_each(NEW."{column}")'
    changed = f'OLD."{column}" IS NOT NEW."{column}"'
    begin = 'CREATE TRIGGER IF NOT EXISTS "{0} {1} {2}" AFTER {2} ON "{0}"'
    yield f"CREATE TABLE IF NOT EXISTS {items} (value TEXT, id TEXT, PRIMARY KEY (value, id)) WITHOUT ROWID"
    yield f'CREATE INDEX IF NOT EXISTS "{table}.{column}_by_id" ON {items} (id)'
    yield f"{begin.format(table, column, 'INSERT')} BEGIN INSERT INTO {items} {insert}; END"
    yield (
        f"{begin.format(table, column, 'UPDATE')} WHEN {changed} "
        f"BEGIN DELETE FROM {items} WHERE id = OLD.id; INSERT INTO {items} {insert}; END"
    )
    yield f"{begin.format(table, column, 'DELETE')} BEGIN DELETE FROM {items} WHERE id = OLD.id; END"


def _indexes(table: str) -> Iterator[tuple[str, ...]]:
    """Return the keys of each index: a field and the id, or the fields of a composite one.

    A field whose documents are read in order of time needs no index but the composite one that begins with it. (Not
    so a campaign's: it may have a million messages, which are paged by id.)
    """
    arrays = {field for name, field in ARRAY_FIELDS if name == table}
    composite = [
        (*equal, order) for name, equal, order, _ in COMPOSITE_INDEXES if name == table and not arrays & {*equal}
    ]
    covered = {keys[0] for keys in composite if keys[-1] == "createdAt"} - {"campaign"}
    yield from ((column,) for column in COLUMNS[table] if column not in covered | arrays)
    yield from composite


def _index(table: str, keys: Sequence[str]) -> str:
    """Make a partial index, as in Firestore: a document without the field isn't in the index, and costs nothing."""
    name = "_".join((table, "by", *keys))
    return f'CREATE INDEX IF NOT EXISTS "{name}" ON "{table}" ({_names((*keys, "id"))}) WHERE "{keys[0]}" IS NOT NULL'


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _marks(number: int) -> str:
    return ",".join("?" * number)


def select_by_ids(table: str) -> str:
    """Return a statement that takes (now, the ids as a JSON array); rows of id, version, data."""
    return f'SELECT id, version, data FROM "{table}" WHERE {ALIVE} AND id IN (SELECT value FROM json_each(?))'


def select_version(table: str) -> str:
    """Return a statement that takes (now, id)."""
    return f'SELECT version FROM "{table}" WHERE {ALIVE} AND id = ?'


@cache
def upsert(table: str) -> str:
    """Return a statement that takes (id, data, COLUMNS…, version)."""
    columns = ("id", "data", *COLUMNS[table], "version")
    changes = ", ".join(f'"{column}" = excluded."{column}"' for column in columns[1:])
    values = _marks(len(columns))
    return f'INSERT INTO "{table}" ({_names(columns)}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changes}'


def delete(table: str) -> str:
    """Return a statement that takes (id,)."""
    return f'DELETE FROM "{table}" WHERE id = ?'


def delete_expired(table: str) -> str:
    """Return a statement that takes (now, most)."""
    return f'DELETE FROM "{table}" WHERE rowid IN (SELECT rowid FROM "{table}" WHERE expiresAt <= ? LIMIT ?)'


def _conditions(query: Query, now: float) -> tuple[list[str], list[Scalar]]:
    conditions = [_condition(query.collection, condition) for condition in query.where]
    values = [value for _, _, value in query.where]
    return [*conditions, ALIVE], [*values, now]


def _condition(table: str, condition: Condition) -> str:
    name, operator, _ = condition
    if operator == "contains":
        return f'id IN (SELECT id FROM "{table}.{name}" WHERE value = ?)'
    return f'"{name}" {"=" if operator == "==" else operator} ?'


def select_by_query(query: Query, *, now: float) -> tuple[str, list[Scalar]]:
    """Return the statement of a query and its values; rows of id, version, data."""
    conditions, values = _conditions(query, now)
    order = [query.order_by, "id"] if query.order_by else ["id"]
    if query.order_by:
        conditions.append(f'"{query.order_by}" IS NOT NULL')
    if query.after:
        conditions.append(f"({_names(order)}) {'<' if query.descending else '>'} ({_marks(len(order))})")
        values += query.after[-len(order) :]
    direction = " DESC" if query.descending else ""
    ordering = ", ".join(f'"{key}"{direction}' for key in order)
    where = " AND ".join(conditions)
    statement = f'SELECT id, version, data FROM "{query.collection}" WHERE {where} ORDER BY {ordering} LIMIT ?'
    return statement, [*values, query.limit]


def count_by_query(query: Query, *, now: float) -> tuple[str, list[Scalar]]:
    conditions, values = _conditions(query, now)
    return f'SELECT count(*) FROM "{query.collection}" WHERE {" AND ".join(conditions)}', values
