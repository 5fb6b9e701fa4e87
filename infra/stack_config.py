"""The stack's configuration: typed, frozen, and checked as a whole before anything is created.

`load` takes what Pulumi hands over (texts by full key, and which keys are secret) and either returns a StackConfig or
raises ConfigError with every problem at once: the key, what is wrong, and the command that fixes it. No message repeats
a secret value.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

import config_rules
import regions
from config_types import decoded
from connection_config import BY_PATH, GROUPS, KEYS, SECRET_PATHS, WITH_SECRETS, ConnectionConfig

PROJECT_NAME = "sms-connector"
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")


class ConfigError(Exception):
    """The configuration can't be used; the message lists every problem, one a line, each with its fix."""

    def __init__(self, problems: list[str]) -> None:
        noun = "problem" if len(problems) == 1 else "problems"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{len(problems)} {noun} in the stack's configuration:\n{lines}")
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
    sealed = frozenset(key.removeprefix(prefix) for key in secret_keys if key.startswith(prefix))
    project, region = values.get("gcp:project", ""), values.get("gcp:region", "")
    problems = [*_place_problems(project, region)]
    known_region = region if region in regions.REGIONS else ""
    connections = []
    for name, where, raw in _described(ours, problems):
        reader = _Reader(where, raw, sealed)
        connections.append(reader.read(name, project, known_region))
        problems += reader.problems
    problems += config_rules.find_clashes([c for c in connections if c])
    if problems:
        raise ConfigError(problems)
    return StackConfig(project, region, tuple(c for c in connections if c))


def _place_problems(project: str, region: str) -> Iterator[str]:
    lacking = regions.lacking(region)
    place = f"a region with {' and '.join(lacking)}" if lacking else "a region with functions"
    for key, value, right, what, example in (
        ("gcp:project", project, PROJECT.fullmatch(project), "a project's id", "my-project"),
        ("gcp:region", region, region in regions.REGIONS, place, regions.nearest(region)),
    ):
        if not right:
            yield f"{key}: {f'{value!r} is not {what}' if value else 'is missing'}; fix: pulumi config set {key} {example}"


def _described(ours: dict[str, str], problems: list[str]) -> list[tuple[str | None, str, Mapping[str, object]]]:
    """Return name, prefix of its keys and raw values of each connection: flat keys describe one, `connections`
    several."""
    several = decoded(ours.pop("connections", "")) or {}
    if not isinstance(several, dict):
        fix = "pulumi config set --path connections.<name>.sender <value>"
        problems.append(f"connections: is not a map of names; fix: {fix}")
        return []
    if not several:
        return [(None, "", ours)]
    if flat := sorted(path for path, value in flatten(ours).items() if not _is_default(path, value)):
        problem = f"is set beside {', '.join(flat)}; flat keys describe one connection, `connections` several"
        problems.append(f"connections: {problem}; fix: move the flat keys below connections.<name>")
    return [
        (name, f"connections.{name}.", raw if isinstance(raw, dict) else {"": raw}) for name, raw in several.items()
    ]


def flatten(raw: Mapping[str, object]) -> dict[str, object]:
    """Return values by path. A group may come as a map (`--path nodes.min`) or as dotted keys; both are the same
    thing."""
    found: dict[str, object] = {}
    for key, value in raw.items():
        parts = decoded(value) if key in GROUPS else None
        found |= {f"{key}.{part}": inner for part, inner in parts.items()} if isinstance(parts, dict) else {key: value}
    return {path: value for path, value in found.items() if value not in ("", None)}


def _is_default(path: str, value: object) -> bool:
    """Tell a default, which `Pulumi.yaml` hands over as if it had been set, from what was set."""
    try:
        return decoded(value) in ({}, []) or WITH_SECRETS.model_validate({path: value}) == WITH_SECRETS()
    except ValidationError:
        return False


class _Reader:
    """Reads one connection and collects what is wrong with it."""

    def __init__(self, where: str, raw: Mapping[str, object], sealed: frozenset[str]) -> None:
        self._where, self._sealed, self._given = where, sealed, flatten(raw)
        # Set without `--path`: a key of its own, which would still hold after its path was set.
        self._dotted = frozenset(key for key in raw if "." in key and not where)
        self.problems: list[str] = []

    def read(self, name: str | None, project: str, region: str) -> ConnectionConfig | None:
        given = dict(self._given)
        if name is not None:
            if given.pop("connection", None) is not None:
                fix = f"pulumi config rm --path {self._where}connection"
                self._report("connection", "is named by its place below `connections` already", fix)
            given["connection"] = name
        for path in given:
            if problem := self._seal_problem(path):
                self._report(path, problem)
        try:
            config = WITH_SECRETS.model_validate(given)
        except ValidationError as refused:
            wrong = self._refuse(refused, named=name is not None)
            config = WITH_SECRETS.model_validate({path: value for path, value in given.items() if path not in wrong})
        else:
            wrong = frozenset()
        for path, problem, fix in config_rules.find(config, project, region):
            if path not in wrong:
                self._report(path, problem, fix)
        return None if self.problems else config

    def _refuse(self, refused: ValidationError, *, named: bool) -> frozenset[str]:
        """Collect the problems of each key, and return the keys."""
        by_path: defaultdict[str, list[Any]] = defaultdict(list)
        for error in refused.errors(include_url=False, include_input=False):
            by_path[str(error["loc"][0])].append(error)
        for path, errors in by_path.items():
            if errors[0]["type"] == "extra_forbidden":
                self._refuse_unknown(path)
                continue
            entries = [f"[{error['loc'][1]}]" if len(error["loc"]) > 1 else "" for error in errors]
            texts = [str(error.get("ctx", {}).get("error", error["msg"])) for error in errors]
            problem = "; ".join(f"{entry} {text}".strip() for entry, text in zip(entries, texts, strict=True))
            if path == "connection" and named:
                self.problems.append(f"connections: the name {problem}; fix: choose another name")
                continue
            context = errors[0].get("ctx", {})
            entry = context.get("entry") or entries[0]
            remove = f"pulumi config rm --path '{self._where}{path}{entry}'" if context.get("remove") else ""
            self._report(path, problem, remove or self._command(path, entry))
        return frozenset(by_path)

    def _seal_problem(self, path: str) -> str:
        """Secret values have to be secrets of the stack, and what is put on functions in the clear must not be."""
        sealed = bool({(self._where + path).partition(".")[0], self._where + path} & self._sealed)
        if path in SECRET_PATHS and not sealed:
            return "is a secret value but is in the configuration in the clear; if it was ever committed, change it at the provider"
        if path in KEYS and sealed and not self._where:
            return "is encrypted but goes to the functions in the clear; set it without --secret"
        return ""

    def _refuse_unknown(self, path: str) -> None:
        place = self._where + path
        if path in GROUPS or not path:
            place = place.rstrip(".")
            self.problems.append(f"{place}: is not a map; fix: pulumi config set --path {place}.<key> <value>")
            return
        near = difflib.get_close_matches(path, BY_PATH, n=1)
        hint = f"did you mean {self._where}{near[0]}?" if near else "docs/deploy.md lists every key"
        self._report(path, f"unknown key; {hint}", f"pulumi config rm {'--path ' if '.' in place else ''}{place}")

    def _report(self, path: str, problem: str, fix: str = "") -> None:
        command = (fix or self._command(path)).replace("{where}", self._where)
        if path in self._dotted:
            command = f"pulumi config rm {path}" if " rm " in command else f"pulumi config rm {path} && {command}"
        self.problems.append(f"{self._where}{path}: {problem}; fix: {command}")

    def _command(self, path: str, wrong_entry: str = "") -> str:
        extra: Any = BY_PATH[path].json_schema_extra
        full, secret = self._where + path, "--secret " if path in SECRET_PATHS else ""
        entry = wrong_entry or extra["entry"]
        place = f"'{full}{entry}'" if entry else full
        wrong_kind = extra["entry"] and not isinstance(decoded(self._given.get(path)), (list, dict))
        first = f"pulumi config rm {'--path ' if '.' in full else ''}{full} && " if wrong_kind else ""
        flags = ("--path " if "." in full or extra["entry"] else "") + secret
        return f"{first}pulumi config set {flags}{place} {extra['example']}".rstrip()
