"""The stack's configuration: typed, frozen, and checked as a whole before anything is created.

`load` takes what Pulumi hands over (texts by full key, and which keys are secret) and either returns a StackConfig or
raises ConfigError with every problem at once: the key, what is wrong, and the command that fixes it. No message repeats
a secret value.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

import config_rules
import regions
from config_rules import Problem
from connection_config import DEFAULTS, GROUPS, SCHEMAS, SECRET_KEYS, TEXTS, WITH_SECRETS, ConnectionConfig, decoded

PROJECT_NAME = "sms-connector"
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
# By pydantic's name of the error, else by the kind of value; in braces what the key's JSON schema says.
PROBLEMS = {
    "missing": "is missing",
    "extra_forbidden": "is of an unknown field; allowed are {properties}",
    "dict_type": "is not a map",
    "model_type": "is not a map; set its first field, the address",
    "too_long": "has too many entries; at most {maxProperties} are allowed",
    "tuple_type": "is not a list; set its first entry with the index [0]",
    "literal_error": "is not known; allowed are {enum}",
    "integer": "is not a whole number in range; allowed are {minimum} to {maximum}",
    "boolean": "is not a truth value; allowed are true and false",
}


class ConfigError(Exception):
    """The configuration can't be used; the message lists every problem, one a line, each with its fix."""

    def __init__(self, problems: list[str]) -> None:
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__("\n  - ".join([f"{len(problems)} {noun} in the stack's configuration:", *problems]))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class StackConfig:
    project: str
    region: str
    connections: tuple[ConnectionConfig, ...]


def load(values: Mapping[str, str], secret_keys: frozenset[str] = frozenset()) -> StackConfig:
    """Read the configuration of a stack from values by full key (`gcp:project`, `sms-connector:sender`)."""
    prefix = f"{PROJECT_NAME}:"
    ours = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    sealed = frozenset(key.removeprefix(prefix) for key in secret_keys)
    project, region = values.get("gcp:project", ""), values.get("gcp:region", "")
    problems = [*_place_problems(project, region)]
    connections = []
    for where, given in _described(ours, problems):
        config, found = _read(where, given, (project, region if region in regions.REGIONS else ""))
        connections.append(config)
        # Set without `--path`, a key with a dot holds until it is removed.
        dotted = frozenset() if where else ours.keys() & given.keys()
        problems += (_report(where, dotted, each) for each in (*_seal_problems(where, given, sealed), *found))
    problems += config_rules.find_clashes(connections)
    if problems:
        raise ConfigError(problems)
    return StackConfig(project, region, tuple(connections))


def _place_problems(project: str, region: str) -> Iterator[str]:
    lacking = regions.lacking(region)
    place = f"a region with {' and '.join(lacking)}" if lacking else "a region with functions"
    for key, value, right, what, example in (
        ("gcp:project", project, PROJECT.fullmatch(project), "a project's id", "my-project"),
        ("gcp:region", region, region in regions.REGIONS, place, regions.nearest(region)),
    ):
        if not right:
            problem = f"{value!r} is not {what}" if value else "is missing"
            yield f"{key}: {problem}; fix: pulumi config set {key} {example}"


def _described(ours: dict[str, str], problems: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the prefix of its keys and the values of each connection: flat keys describe one, `connections` several."""
    several = decoded(ours.pop("connections", "")) or {}
    flat = flatten(ours)
    if not several:
        yield "", flat
    elif not isinstance(several, dict):
        fix = "pulumi config set --path connections.<name>.sender <value>"
        problems.append(f"connections: is not a map of names; fix: {fix}")
    else:
        # `Pulumi.yaml` hands a default over as if it had been set.
        if beside := sorted(key for key, value in flat.items() if value not in ({}, [], DEFAULTS.get(key))):
            problem = f"is set beside {', '.join(beside)}; flat keys describe one connection, `connections` several"
            problems.append(f"connections: {problem}; fix: move the flat keys below connections.<name>")
        for name, raw in several.items():
            given = flatten(raw) if isinstance(raw, dict) else {"": raw}
            key = f"connections.{name}.connection"
            if "connection" in given:
                problem = "is named by its place below `connections` already"
                problems.append(f"{key}: {problem}; fix: pulumi config rm --path {key}")
            yield f"connections.{name}.", {**given, "connection": name}


def flatten(raw: Mapping[str, object]) -> dict[str, object]:
    """Return values by key. A group may come as a map (`--path nodes.min`) or as dotted keys."""
    found: dict[str, object] = {}
    for key, value in raw.items():
        parts = decoded(value) if key in GROUPS else None
        found |= {f"{key}.{part}": inner for part, inner in parts.items()} if isinstance(parts, dict) else {key: value}
    return {key: value if key in TEXTS else decoded(value) for key, value in found.items() if value not in ("", None)}


def _read(where: str, given: dict[str, object], place: tuple[str, str]) -> tuple[ConnectionConfig, list[Problem]]:
    """Return a connection, of what could be read of it, and its problems."""
    problems: dict[str, Problem] = {}
    try:
        config = WITH_SECRETS.model_validate(given)
    except ValidationError as refused:
        for key, errors in groupby(refused.errors(include_url=False), key=lambda error: str(error["loc"][0])):
            problems[key] = _refusal(where, key, list(errors))
        config = WITH_SECRETS.model_validate({key: value for key, value in given.items() if key not in problems})
    rules = (rule for rule in config_rules.find(config, *place) if rule[0] not in problems)
    return config, [*problems.values(), *rules]


def _seal_problems(where: str, keys: Iterable[str], sealed: frozenset[str]) -> Iterator[Problem]:
    """Secret values have to be secrets of the stack, and what is put on functions in the clear must not be."""
    for key in keys:
        is_sealed = {(where + key).partition(".")[0], where + key} & sealed
        if key in SECRET_KEYS and not is_sealed:
            clear = "is a secret value but is in the configuration in the clear"
            yield key, f"{clear}; if it was ever committed, change it at the provider", ""
        elif key in SCHEMAS and key not in SECRET_KEYS and is_sealed and not where:
            yield key, "is encrypted but goes to the functions in the clear; set it without --secret", ""


def _refusal(where: str, key: str, errors: list[ErrorDetails]) -> Problem:
    """Return the problem in pydantic's errors on one key."""
    full = where + key
    if key in GROUPS or not key:
        return key, "is not a map", f"pulumi config set --path {full.rstrip('.')}.<key> <value>"
    if key not in SCHEMAS:
        near = difflib.get_close_matches(key, SCHEMAS, n=1)
        hint = f"did you mean {where}{near[0]}?" if near else "docs/deploy.md lists every key"
        return key, f"unknown key; {hint}", f"pulumi config rm --path {full}"
    error, place = errors[0], _place(errors[0])
    problem = "; ".join(f"{_path(_place(each))} {_explain(each, key)}".strip() for each in errors)
    if "entry" in error.get("ctx", {}) or error["loc"][-1] == "[key]" or error["type"] == "extra_forbidden":
        return key, problem, f"pulumi config rm --path '{full}{_path(place)}'"
    wrong_type = error["type"] in ("tuple_type", "dict_type") and len(error["loc"]) == 1
    remove = f"pulumi config rm --path {full} && " if wrong_type else ""
    return key, problem, remove + _command(where, key, place)


def _place(error: ErrorDetails) -> tuple[int | str, ...]:
    """Return where in the key's value the error is."""
    inner = tuple(part for part in error["loc"][1:] if part != "[key]")
    return (error["ctx"]["entry"], *inner) if "entry" in error.get("ctx", {}) else inner


def _path(place: Iterable[int | str]) -> str:
    """Return an entry of a list or a map as a command names it."""
    return "".join(f"[{json.dumps(at)}]" if isinstance(at, int) or "." in at else f".{at}" for at in place)


def _schema_at(key: str, place: Iterable[int | str]) -> Mapping[str, Any]:
    schema = SCHEMAS[key]
    for at in place:
        schema = schema.get("items", schema) if isinstance(at, int) else schema["properties"].get(at, schema)
    return schema


def _explain(error: ErrorDetails, key: str) -> str:
    """Say what is wrong with a value: pydantic's own messages say what a validator wanted, not what to type."""
    if error["type"] == "own":
        return error["msg"]
    schema = _schema_at(key, _place(error))
    kind = schema.get("items", schema)
    problem = PROBLEMS.get(error["type"]) or PROBLEMS.get(kind["type"], "is not {title}")
    lists = {name: ", ".join(kind.get(name, ())) for name in ("enum", "properties")}
    problem = problem.format_map({**kind, **lists})
    # What may be a password in an address is cut out.
    shown = re.sub(r"//[^/@]*@", "//***@", repr(error["input"]))
    if "writeOnly" in kind or error["type"] == "missing":
        return problem
    return f"{shown if len(shown) <= 80 else shown[:77] + '…'} {problem}"


def _report(where: str, dotted: Collection[str], found: Problem) -> str:
    """Return a problem as it is shown; its fix is a command, or the key to set where it is another one."""
    key, problem, fix = found
    command = _command(where, fix or key) if (fix or key) in SCHEMAS else fix.replace("{where}", where)
    if "." in key and key in dotted:
        command = f"pulumi config rm {key}" if " rm " in command else f"pulumi config rm {key} && {command}"
    if where and key == "connection":
        return f"connections: the name {problem}; fix: choose another name"
    return f"{(where + key).rstrip('.')}: {problem}; fix: {command}"


def _command(where: str, key: str, wrong: tuple[int | str, ...] = ()) -> str:
    """Return the command that sets a key, or what is wrong in it, to its example."""
    place, schema = wrong, _schema_at(key, wrong)
    if schema["type"] == "array":
        place, schema = (*place, 0), schema["items"]
    if schema["properties"]:
        name, schema = next(iter(schema["properties"].items()))
        place = (*place, name)
    default = schema.get("default")
    [example, *_] = schema.get("examples") or ([default] if default is not None else schema["enum"])
    if schema["type"] == "object":
        [(name, example)] = example.items()
        place = place or (name,)
    flags = ("--path " if place or "." in key or where else "") + ("--secret " if key in SECRET_KEYS else "")
    full = f"'{where}{key}{_path(place)}'" if place else where + key
    return f"pulumi config set {flags}{full} {example if isinstance(example, str) else json.dumps(example)}".rstrip()
