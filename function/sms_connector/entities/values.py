"""Check the values of creates and updates; every problem is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sms_connector.entities.instants import read_instant
from sms_connector.entity import Change, Column, EntityType
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest

FIELD = "fields"
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,10})?")


def check_create(entity: EntityType, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values under the columns' own names, null ones left out. Raises InvalidRequest."""
    given = {name: value for name, value in values.items() if value is not None}
    checked = _check(entity, given, lambda column: column.create, "given when one is created")
    absent = [
        column.name
        for column in entity.columns
        if column.create is not None and column.create.required and column.name not in checked
    ]
    problems = [FieldProblem(f"{FIELD}.{name}", "is missing", ErrorKind.MISSING_VALUE) for name in absent]
    for group in entity.create_rules:
        if not any(name in checked for name in group):
            message = f"one of {', '.join(group)} is missing"
            problems.append(FieldProblem(f"{FIELD}.{group[0]}", message, ErrorKind.MISSING_VALUE))
    if problems:
        raise InvalidRequest(*problems)
    return checked


def check_update(entity: EntityType, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values under the columns' own names; null clears. Raises InvalidRequest."""
    if not values:
        raise InvalidRequest(FieldProblem(FIELD, "is empty; name the columns to change", ErrorKind.MISSING_VALUE))
    return _check(entity, values, lambda column: column.update, "changed")


def _check(
    entity: EntityType, values: Mapping[str, Any], change_of: Callable[[Column], Change | None], what: str
) -> dict[str, Any]:
    # To JSON and to agents 600.0 is a whole number too.
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in values.items()
    }
    problems = list(_find_problems(entity, whole, change_of, what))
    if problems:
        raise InvalidRequest(*problems)
    return whole


def _find_problems(
    entity: EntityType, values: Mapping[str, Any], change_of: Callable[[Column], Change | None], what: str
) -> Iterator[FieldProblem]:
    possible = [column.name for column in entity.columns if change_of(column) is not None]
    for name, value in values.items():
        column = entity.by_name.get(name)
        path = f"{FIELD}.{name[:80]}"
        if column is None:
            from difflib import get_close_matches  # only a wrong name pays for it

            nearest = get_close_matches(name, possible, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"these can be {what}: {', '.join(possible)}"
            yield FieldProblem(path, f"is no column of {entity.name}; {hint}", ErrorKind.UNKNOWN_FIELD)
            continue
        change = change_of(column)
        if change is None:
            yield FieldProblem(path, f"can't be {what}; these can be: {', '.join(possible)}")
        elif value is None and change.required:
            yield FieldProblem(path, "can't be cleared; give it a value")
        elif value is not None and (problem := _value_problem(column, change, value)):
            yield FieldProblem(path, problem)


def _value_problem(column: Column, change: Change, value: Any) -> str | None:
    """Return what is wrong with a value; texts of numbers and truth values are taken as what they say."""
    if change.only and value not in change.only:
        return f"can only be {' or '.join(map(repr, change.only))}"
    items = value if column.type == "ARRAY" and isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, list | dict):
            return "must be a list of texts" if column.type == "ARRAY" else "must be one value"
        if column.type == "BOOLEAN" and str(item).lower() not in ("true", "false"):
            return "must be true or false"
        if column.type in ("INTEGER", "DECIMAL"):
            whole = column.type == "INTEGER"
            if isinstance(item, bool) or not _NUMBER.fullmatch(str(item)) or (whole and "." in str(item)):
                return "must be a whole number" if whole else "must be a number"
            if column.minimum is not None and float(item) < column.minimum:
                return f"must be at least {column.minimum}"
            if column.maximum is not None and float(item) > column.maximum:
                return f"must be at most {column.maximum}"
        if column.type == "TIMESTAMP" and read_instant(str(item)) is None:
            return "must be a date and time, such as 2026-07-06T12:00:00Z"
        if column.enum and not change.only and str(item) not in column.enum:
            return f"must be one of {', '.join(column.enum)}"
    return None
