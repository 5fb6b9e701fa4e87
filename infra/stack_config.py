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
from connection_config import GROUPS, SCHEMAS, SECRET_KEYS, TEXTS, WITH_SECRETS, ConnectionConfig, decoded

PROJECT_NAME = "sms-connector"
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
# By pydantic's name of the error, else by the kind of value; in braces what the error and the key's JSON schema say.
PROBLEMS = {
    "own": "{msg}",
    "repeated": "{msg}",
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
        config, found = _read(where, given, project, region if region in regions.REGIONS else "")
        connections.append(config)
        problems += (_report(where, ours, each) for each in (*_seal_problems(where, given, sealed), *found))
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


def _described(ours: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the prefix of its keys and the values of each connection: flat keys describe one, `connections` several."""
    flat = flatten(ours)
    several = flat.pop("connections", {})
    if not several:
        yield "", flat
    elif not isinstance(several, dict):
        fix = "pulumi config set --path connections.<name>.sender <value>"
        problems.append(f"connections: is not a map of names; fix: {fix}")
    else:
        # `Pulumi.yaml` hands a default over as if it had been set.
        defaults = {key: schema["default"] for key, schema in SCHEMAS.items()}
        if beside := sorted(key for key, value in flat.items() if value not in ({}, [], defaults.get(key))):
            problem = f"is set beside {', '.join(beside)}; flat keys describe one connection, `connections` several"
            problems.append(f"connections: {problem}; fix: move the flat keys below connections.<name>")
        for name, raw in several.items():
            given = flatten(raw) if isinstance(raw, dict) else {"": raw}
            if "connection" in given:
                key, problem = f"connections.{name}.connection", "is named by its place below `connections` already"
                problems.append(f"{key}: {problem}; fix: pulumi config rm --path {key}")
            yield f"connections.{name}.", {**given, "connection": name}


def flatten(raw: Mapping[str, object]) -> dict[str, object]:
    """Return values by key. A group may come as a map (`--path nodes.min`) or as dotted keys."""
    found: dict[str, object] = {}
    for key, value in raw.items():
        parts = decoded(value) if key in GROUPS else None
        found |= {f"{key}.{part}": inner for part, inner in parts.items()} if isinstance(parts, dict) else {key: value}
    return {key: value if key in TEXTS else decoded(value) for key, value in found.items() if value not in ("", None)}


def _read(where: str, given: dict[str, object], project: str, region: str) -> tuple[ConnectionConfig, list[Problem]]:
    """Return a connection, of what could be read of it, and its problems."""
    problems: dict[str, Problem] = {}
    try:
        config = WITH_SECRETS.model_validate(given)
    except ValidationError as refused:
        for key, errors in groupby(refused.errors(include_url=False), key=lambda error: str(error["loc"][0])):
            problems[key] = _refusal(where, key, list(errors))
        config = WITH_SECRETS.model_validate({key: value for key, value in given.items() if key not in problems})
    rules = (rule for rule in config_rules.find(config, project, region) if rule[0] not in problems)
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
    problem = "; ".join(_explain(key, each) for each in errors)
    kind, (place, schema) = errors[0]["type"], _locate(key, errors[0])
    if kind in ("repeated", "extra_forbidden") or errors[0]["loc"][-1] == "[key]":
        return key, problem, f"pulumi config rm --path '{full}{_path(place)}'"
    remove = f"pulumi config rm --path {full} && " if kind in ("tuple_type", "dict_type") and not place else ""
    return key, problem, remove + _command(where, key, schema, place)


def _locate(key: str, error: ErrorDetails) -> tuple[tuple[int | str, ...], Mapping[str, Any]]:
    """Return where in the key's value the error is, and the JSON schema of what belongs there."""
    repeated = [error["ctx"]["entry"]] if error["type"] == "repeated" else []
    place, schema = (*repeated, *(part for part in error["loc"][1:] if part != "[key]")), SCHEMAS[key]
    for at in place:
        schema = schema.get("items", schema) if isinstance(at, int) else schema["properties"].get(at, schema)
    return place, schema


def _path(place: Iterable[int | str]) -> str:
    """Return an entry of a list or a map as a command names it."""
    return "".join(f"[{json.dumps(at)}]" if isinstance(at, int) or "." in at else f".{at}" for at in place)


def _explain(key: str, error: ErrorDetails) -> str:
    """Say what is wrong with a value: pydantic's own messages say what a validator wanted, not what to type."""
    place, schema = _locate(key, error)
    problem = PROBLEMS.get(error["type"]) or PROBLEMS.get(schema["type"], "is not {title}")
    lists = {name: ", ".join(schema.get(name, ())) for name in ("enum", "properties")}
    words = [_path(place), problem.format_map({**schema, **lists, "msg": error["msg"]})]
    if "writeOnly" not in schema and error["type"] not in ("own", "repeated", "missing"):
        # What may be a password in an address is cut out.
        shown = re.sub(r"//[^/@]*@", "//***@", repr(error["input"]))
        words.insert(1, shown if len(shown) <= 80 else shown[:77] + "…")
    return " ".join(filter(None, words))


def _report(where: str, ours: Collection[str], found: Problem) -> str:
    """Return a problem as it is shown; its fix is a command, or the key to set where it is another one."""
    key, problem, fix = found
    if where and key == "connection":
        return f"connections: the name {problem}; fix: choose another name"
    schema = SCHEMAS.get(fix or key)
    command = _command(where, fix or key, schema) if schema else fix.replace("{where}", where)
    if not where and "." in key and key in ours:  # set without `--path`, it holds until it is removed
        command = f"pulumi config rm {key}" if " rm " in command else f"pulumi config rm {key} && {command}"
    return f"{(where + key).rstrip('.')}: {problem}; fix: {command}"


def _command(where: str, key: str, schema: Mapping[str, Any], place: tuple[int | str, ...] = ()) -> str:
    """Return the command that sets a key, or the place in it that has this schema, to its example."""
    if schema["type"] == "array":
        place, schema = (*place, 0), schema["items"]
    if schema["properties"]:
        name, schema = next(iter(schema["properties"].items()))
        place = (*place, name)
    default = schema.get("default")
    [example, *_] = schema.get("examples") or ([default] if default is not None else schema["enum"])
    if isinstance(example, dict):
        [(name, example)] = example.items()
        place = place or (name,)
    flags = ("--path " if place or "." in key or where else "") + ("--secret " if key in SECRET_KEYS else "")
    full = f"'{where}{key}{_path(place)}'" if place else where + key
    return f"pulumi config set {flags}{full} {example if isinstance(example, str) else json.dumps(example)}".rstrip()
