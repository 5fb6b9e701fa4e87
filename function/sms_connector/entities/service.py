"""The entity operations: list, get, create, update, delete, by condition, and SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from sms_connector.entities.lexer import Condition, read_condition
from sms_connector.entities.scan import Limits, PageCache, Place, Reader, Scan
from sms_connector.entities.values import check_create, check_update
from sms_connector.entity import KEY_SEPARATOR, EntitySource, EntityType, Operation, Row
from sms_connector.errors import (
    ConnectorError,
    ErrorKind,
    FieldProblem,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ProviderRefused,
)
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.page import decode_token, encode_token
from sms_connector.model.typed import convert

# Provider pages that one list request reads; it answers what it has then.
LIST_LIMITS = Limits(calls=20, rows=20_000, seconds=60.0, stops=True)
SORT_LIMITS = Limits(calls=20, rows=10_000, seconds=60.0)
CHANGE_LIMITS = Limits(calls=300, rows=100_000, seconds=60.0)
MOST_CHANGED = 100
SQL_CALLS, SQL_ROWS = 200, 100_000


class ListRequest(msgspec.Struct, frozen=True):
    """Which rows of a list, in which order."""

    conditions: str = ""
    page_size: int = 25
    page_token: str = ""
    sort_by: str = ""
    descending: bool = False


class Listing(msgspec.Struct, frozen=True):
    """A page of rows, and the token of the next."""

    rows: Sequence[Row]
    next_token: str | None = None


class _RowPlace(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    part: Annotated[int, msgspec.Meta(ge=0, lt=1000)]
    page: Annotated[str, msgspec.Meta(max_length=700)]
    offset: Annotated[int, msgspec.Meta(ge=0, lt=100_000)]


class _SortPlace(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    value: str | int | float | bool | None
    entity_id: str


class Entities:
    """Reads and writes a provider's data. `writes` are the risky operations that are switched on, each
    `EntityType.OPERATION`. `types` are what is offered."""

    def __init__(self, source: EntitySource, *, writes: frozenset[str], now: Callable[[], float]) -> None:
        self.source = source
        self._all = source.types
        self._now = now
        self._cache = PageCache(now)
        self.types = {name: _without_risky(each, writes) for name, each in source.types.items()}

    def type_of(self, name: str) -> EntityType:
        """Raises NotFound with the nearest name."""
        if name not in self.types:
            from difflib import get_close_matches  # only a wrong name pays for it

            nearest = get_close_matches(name, self.types, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "GET …/entityTypes lists them"
            raise NotFound(f"no entity type {name[:80]!r}; {hint}")
        return self.types[name]

    def offered(self, name: str, operation: Operation) -> EntityType:
        """Return the type. Raises NotFound, InvalidRequest where the type has no such operation, and Forbidden where it
        is switched off."""
        entity = self.type_of(name)
        if operation in entity.operations:
            return entity
        if operation in self._all[name].operations:
            raise Forbidden(
                f"{operation} of {name} is switched off ({self._all[name].risk[operation]}); switch it on with "
                f"SMS_ENTITY_WRITES={name}.{operation}, in the stack configuration `entities.writes`",
                kind=ErrorKind.NOT_PERMITTED,
            )
        possible = ", ".join(entity.operations) or "none"
        raise InvalidRequest(
            FieldProblem("", f"{name} can't {operation}; its operations are {possible}", ErrorKind.UNSUPPORTED)
        )

    # --- reads --------------------------------------------------------------------------------------------------------

    def list_rows(self, name: str, wanted: ListRequest) -> tuple[Listing, int]:
        """Return a page, and how many calls to the provider it took."""
        entity = self.offered(name, "LIST")
        condition = read_condition(wanted.conditions, entity) if wanted.conditions else None
        if condition is not None and condition.bare_id is not None:
            row, calls = self.get(name, condition.bare_id)
            return Listing([row]), calls
        digest = _digest(name, wanted)
        if wanted.sort_by:
            return self._list_sorted(entity, condition, wanted, digest)
        reader = Reader(self.source, LIST_LIMITS, self._now, kept=self._cache)
        start = _read_token(wanted.page_token, digest, _RowPlace)
        place = Place(start.part, start.page, start.offset) if start is not None else None
        rows: list[Row] = []
        following: Place | None = None
        with closing(_find(entity, condition, reader, place)) as found:
            for row, at in found:
                if len(rows) == wanted.page_size:
                    following = at
                    break
                rows.append(row)
        following = following or reader.stopped
        return Listing(rows, encode_token((digest, *following)) if following else None), reader.calls

    def get(self, name: str, entity_id: str) -> tuple[Row, int]:
        entity = self.offered(name, "GET")
        with _explaining_withdrawal(entity):
            row = self.source.get(entity, read_id(entity, entity_id))
        if row is None:
            raise NotFound(f"no {name} {entity_id[:80]!r}")
        return row, 1

    def query(
        self, statement: str, parameters: Sequence[Any] = (), *, most: int = 1000, seconds: float = 30.0
    ) -> tuple[Sequence[dict[str, Any]], int]:
        """Run one SELECT over all entity types."""
        from sms_connector.entities.engine import run_sql  # the first condition or query loads SQLite

        limits = Limits(SQL_CALLS, SQL_ROWS, seconds)
        reader = Reader(self.source, limits, self._now, statement=True, field="query.query")
        return run_sql(self.types, reader, statement, parameters, most=most), reader.calls

    # --- writes -------------------------------------------------------------------------------------------------------

    def create(self, name: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create one. A message is none of this method's: it is sent."""
        entity = self.offered(name, "CREATE")
        with _explaining_withdrawal(entity):
            return self.source.create(entity, check_create(entity, values))

    def update(
        self, name: str, entity_id: str, values: Mapping[str, Any], *, answered: Sequence[str] | None = None
    ) -> Mapping[str, Any]:
        """Update one, and return the columns that are `answered`, by default those of the type."""
        entity = self.offered(name, "UPDATE")
        if answered is not None:
            entity = replace(entity, update_answer=tuple(answered))
        return self.source.update(entity, read_id(entity, entity_id), check_update(entity, values))

    def delete(self, name: str, entity_id: str) -> None:
        entity = self.offered(name, "DELETE")
        self.source.delete(entity, read_id(entity, entity_id))

    def update_where(self, name: str, conditions: str, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
        """Update each row for which the conditions hold; of one row return its answer, of several their number."""
        entity = self.offered(name, "UPDATE")
        checked = check_update(entity, values)
        answers, calls = self._change_where(
            entity, conditions, lambda key: self.source.update(entity, key, checked), "updated"
        )
        return answers[0] if len(answers) == 1 else {"updated": len(answers)}, calls

    def delete_where(self, name: str, conditions: str) -> int:
        entity = self.offered(name, "DELETE")
        _, calls = self._change_where(entity, conditions, lambda key: self.source.delete(entity, key), "deleted")
        return calls

    def _change_where(
        self, entity: EntityType, conditions: str, change: Callable[[Mapping[str, str]], Any], done: str
    ) -> tuple[Sequence[Any], int]:
        """Read the rows first, then change each; a failure ends it and says how many are changed."""
        condition = read_condition(conditions, entity)
        reader = Reader(self.source, CHANGE_LIMITS, self._now)
        if condition.bare_id is not None:
            return [change(read_id(entity, condition.bare_id))], 1
        if not condition.columns:
            raise InvalidRequest(FieldProblem("conditions", "names no column, so it would change every row; name one"))
        keys = []
        for row, _ in _find(entity, condition, reader, None):
            keys.append(_key_of(entity, row))
            if len(keys) > MOST_CHANGED:
                message = f"more than {MOST_CHANGED} rows match, so nothing was changed; narrow it"
                raise InvalidRequest(FieldProblem("conditions", message))
        answers: list[Any] = []
        for key in keys:
            try:
                reader.count_call()
                answers.append(change(key))
            except ConnectorError as error:
                if answers:
                    message = f"{len(answers)} of {len(keys)} rows are {done}, then it failed: {error}"
                    raise OutcomeUnknown(message, kind=error.kind) from error
                raise
        return answers, reader.calls

    def _list_sorted(
        self, entity: EntityType, condition: Condition | None, wanted: ListRequest, digest: str
    ) -> tuple[Listing, int]:
        from sms_connector.entities.engine import find_sorted  # the first condition or query loads SQLite

        names = {column.name.lower(): column for column in entity.readable}
        column = names.get(wanted.sort_by.lower())
        if column is None:
            raise InvalidRequest(FieldProblem("sortBy", f"{wanted.sort_by[:80]!r} is no column of {entity.name}"))
        reader = Reader(self.source, SORT_LIMITS, self._now, field="sortBy")
        after = _read_token(wanted.page_token, digest, _SortPlace)
        place = (after.value, after.entity_id) if after is not None else None
        rows: list[tuple[Row, str]] = []
        ordered = find_sorted(entity, condition, reader, column=column.name, descending=wanted.descending, after=place)
        with closing(ordered) as found:
            for each in found:
                rows.append(each)
                if len(rows) > wanted.page_size:
                    break
        token = None
        if len(rows) > wanted.page_size:
            last, entity_id = rows[wanted.page_size - 1]
            value = last[entity.column_names.index(column.name)]
            token = _sort_token(digest, value, entity_id)
        return Listing([row for row, _ in rows[: wanted.page_size]], token), reader.calls


def read_id(entity: EntityType, entity_id: str) -> dict[str, str]:
    """Return the key columns of an id. Raises NotFound."""
    parts = entity_id.split(KEY_SEPARATOR)
    if not entity.key or len(parts) != len(entity.key) or not all(parts):
        form = KEY_SEPARATOR.join(entity.key) or "none"
        raise NotFound(f"no {entity.name} {entity_id[:80]!r}; its id is {form}")
    return dict(zip(entity.key, parts, strict=True))


def _find(
    entity: EntityType, condition: Condition | None, reader: Reader, start: Place | None
) -> Generator[tuple[Row, Place]]:
    if condition is not None:
        from sms_connector.entities.engine import find  # the first condition or query loads SQLite

        yield from find(entity, condition, reader, start)
        return
    missing = [parent.column for parent in entity.parents if parent.required]
    if missing:
        message = f"has to give {' and '.join(missing)} by =: rows are listed within one, such as {missing[0]}='…'"
        raise InvalidRequest(FieldProblem("conditions", message))
    yield from reader.read(Scan(entity), start)


def _key_of(entity: EntityType, row: Row) -> dict[str, str]:
    values = entity.fields_of(row)
    wanted = {*entity.key, *(parent.column for parent in entity.parents)}
    return {name: str(values[name]) for name in wanted if values.get(name) is not None}


def _without_risky(entity: EntityType, writes: frozenset[str]) -> EntityType:
    operations = {
        operation: endpoint
        for operation, endpoint in entity.operations.items()
        if operation not in entity.risk or f"{entity.name}.{operation}" in writes
    }
    return replace(entity, operations=operations)


def _digest(name: str, wanted: ListRequest) -> str:
    said = repr((name, wanted.conditions, wanted.sort_by, wanted.descending))
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def _read_token(token: str, digest: str, kind: type[Any]) -> Any:
    """Return where the page begins; None for the first. Raises InvalidRequest."""
    if not token:
        return None
    try:
        own, *place = decode_token(token) or (None,)
        if own == digest:
            return convert(place, kind)
    except (InvalidValueError, msgspec.ValidationError):
        pass
    raise InvalidRequest(
        FieldProblem("pageToken", "is of another list; send it with the arguments it was given for, or leave it out")
    )


def _sort_token(digest: str, value: Any, entity_id: str) -> str:
    try:
        return encode_token((digest, value, entity_id))
    except (TypeError, ValueError):
        raise InvalidRequest(
            FieldProblem("sortBy", "holds values too long to go on from; sort by another column, or narrow the list")
        ) from None


@contextmanager
def _explaining_withdrawal(entity: EntityType) -> Iterator[None]:
    """Explain a 404 of what the provider has withdrawn."""
    try:
        yield
    except ProviderRefused as error:
        if not entity.withdrawn or error.status != 404:
            raise
        raise ProviderRefused(
            f"the provider answers 404 for {entity.name}: {entity.withdrawn}",
            kind=ErrorKind.UNSUPPORTED,
            code=error.code,
            more_info=error.more_info,
            status=404,
        ) from error
