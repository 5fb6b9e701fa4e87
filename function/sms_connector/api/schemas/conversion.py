"""Read JSON or a query string as a typed payload, and report every problem of one that does not fit.

The library stops at the first problem, so a document that does not fit is checked again field by field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import EnumType
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from sms_connector.api.problem_list import Problems, field_path
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model import typed

S = TypeVar("S", bound=msgspec.Struct)

_AT = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_MAX_PARAMETERS = 50
_WHOLE = re.compile(r"-?[0-9]+")
_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
# The library's words → ours; the first that fits.
_WORDINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"Expected `(\w+)` (>=|<=) (-?\d+)"), lambda m: f"must be at {_bound(m[2])} {m[3]}"),
    (
        re.compile(r"Expected `str` of length (>=|<=) (\d+)"),
        lambda m: f"must have at {_count(m, 'character', 'characters')}",
    ),
    (re.compile(r"Expected `\w+` of length (>=|<=) (\d+)"), lambda m: f"must have at {_count(m, 'entry', 'entries')}"),
    (re.compile(r"Expected `int(?: \| null)?`, got `float`"), lambda _: "must be a whole number, without a fraction"),
    (re.compile(r"Expected `(.+?)`, got `(.+?)`"), lambda m: f"must be {_name_types(m[1])}, not {_name_types(m[2])}"),
    (re.compile(r"Expected `str` matching regex"), lambda _: "has characters that are not allowed"),
)


def convert(document: Any, wanted: type[S], *, strict: bool = True) -> S:
    """Read the document as a `wanted`. Raises InvalidRequest naming every field that does not fit."""
    try:
        return typed.convert(document, wanted, strict=strict)
    except msgspec.ValidationError as error:
        if not isinstance(document, dict):
            raise InvalidRequest(FieldProblem("", "the body must be an object")) from None
        found = list(_find_struct_problems(document, wanted, "", strict=strict))
        raise InvalidRequest(*(found or [_explain(error, wanted, "")])) from None


def convert_query(query: bytes, wanted: type[S] | None) -> tuple[S | None, dict[str, Any]]:
    """Read the query string, and return also those of its fields that were given; None where the route takes none.
    Raises InvalidRequest."""
    types = _types_of(wanted) if wanted else {}
    parameters = _parse_query(query, frozenset(name for name, kind in types.items() if get_origin(kind) is list))
    # The library reads numbers such as `1e1` and `10.0` as whole.
    problems = Problems()
    for name, value in parameters.items():
        if types.get(name) is int and not _WHOLE.fullmatch(str(value)):
            problems.add(name, "must be a whole number, written with digits only")
        if wanted is None:
            problems.add(name, "unknown query parameter", ErrorKind.UNKNOWN_FIELD)
    problems.refuse()
    if wanted is None:
        return None, {}
    read = convert(parameters, wanted, strict=False)
    return read, {name: value for name, value in msgspec.to_builtins(read).items() if name in parameters}


@cache  # the library finds a type's annotations anew each time
def _types_of(wanted: type[Any]) -> Mapping[str, Any]:
    return {each.encode_name: _unwrap(each.type) for each in msgspec.structs.fields(wanted)}


def _parse_query(query: bytes, lists: frozenset[str]) -> dict[str, str | list[str]]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        message = f"the query string is not percent-encoded UTF-8, or has over {_MAX_PARAMETERS} parameters"
        raise InvalidRequest(FieldProblem("", message)) from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    problems = Problems()
    for name, given in sorted(values.items()):
        if len(given) > 1 and name not in lists:
            problems.add(name, "is given twice; give it once")
        if "\x00" in "".join((name, *given)):
            problems.add(name.replace("\x00", "�"), "has a NUL character (%00); take it out")
    problems.refuse()
    return {name: given if name in lists else given[0] for name, given in values.items()}


def _find_struct_problems(document: dict[str, Any], wanted: type, path: str, *, strict: bool) -> Iterator[FieldProblem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    for name in document:
        if name not in fields:
            yield _explain_unknown(name, fields, path)
    for name, field in fields.items():
        if name in document:
            yield from _find_value_problems(document[name], field.type, field_path(path, name), strict=strict)
        elif field.required:
            yield FieldProblem(field_path(path, name), "is missing", ErrorKind.MISSING_VALUE)


def _find_value_problems(value: Any, wanted: Any, path: str, *, strict: bool) -> Iterator[FieldProblem]:
    try:
        typed.convert(value, wanted, strict=strict)
    except msgspec.ValidationError as error:
        bare = _unwrap(wanted)
        if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            yield from _find_struct_problems(value, bare, path, strict=strict)
        elif _AT.search(str(error)):
            for inner, item, entry in _enter(value, wanted, path):
                yield from _find_value_problems(entry, item, inner, strict=strict)
        else:
            yield _explain(error, wanted, path)


def _enter(value: Any, wanted: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, type and value of each entry of a list or of an object with free names."""
    arguments = get_args(_unwrap(wanted))
    if isinstance(value, list):
        yield from ((f"{path}[{index}]", arguments[0], entry) for index, entry in enumerate(value))
    else:
        yield from ((field_path(path, name), arguments[1], entry) for name, entry in value.items())


def _explain_unknown(name: str, fields: Mapping[str, Any], path: str) -> FieldProblem:
    from difflib import get_close_matches  # only a wrong request pays for it

    near = get_close_matches(name, fields, n=1)
    known = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(sorted(fields))}"
    message = f"unknown field; {known}" if fields else "unknown field"
    return FieldProblem(field_path(path, name[:80]), message, ErrorKind.UNKNOWN_FIELD)


def _explain(error: msgspec.ValidationError, wanted: Any, path: str) -> FieldProblem:
    text = str(error)
    if text.startswith("Invalid enum value"):
        bare = _unwrap(wanted)
        choices: Iterable[Any] = bare if isinstance(bare, EnumType) else get_args(bare)
        return FieldProblem(path, f"must be one of {', '.join(map(str, choices))}")
    for pattern, say in _WORDINGS:
        if match := pattern.match(text):
            return FieldProblem(path, say(match))
    return FieldProblem(path, text[:1].lower() + text[1:].replace("`", "'"))


def _bound(sign: str) -> str:
    return "least" if sign == ">=" else "most"


def _count(match: re.Match[str], one: str, many: str) -> str:
    return f"{_bound(match[1])} {match[2]} {one if match[2] == '1' else many}"


def _name_types(names: str) -> str:
    return " or ".join(_TYPES.get(name.strip(), name.strip()) for name in names.split("|"))


def _unwrap(wanted: Any) -> Any:
    """Return the type without its annotations, None and absence."""
    if get_origin(wanted) is Annotated:
        return _unwrap(get_args(wanted)[0])
    rest = [part for part in get_args(wanted) if part not in (type(None), msgspec.UnsetType)]
    return _unwrap(rest[0]) if len(rest) == 1 and len(get_args(wanted)) > 1 else wanted
