"""The stack's configuration: typed, frozen, and checked as a whole before anything is created.

`load` takes what Pulumi hands over (texts by full key, and which keys are secret) and either returns a StackConfig or raises
ConfigError with every mistake at once: the key, what is wrong, and the command that mends it. No message repeats a secret value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import config_keys
import config_rules
import connection_config
import regions
from config_values import Wrong, decoded
from connection_config import ConnectionConfig

PROJECT_NAME = "sms-connector"
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")


class ConfigError(Exception):
    """The configuration can't be used; the message lists every mistake, one a line, each with its fix."""

    def __init__(self, mistakes: list[str]) -> None:
        noun = "mistake" if len(mistakes) == 1 else "mistakes"
        super().__init__(
            f"{len(mistakes)} {noun} in the stack's configuration:\n" + "\n".join(f"  - {m}" for m in mistakes)
        )
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class StackConfig:
    project: str
    region: str
    connections: tuple[ConnectionConfig, ...]


def load(values: Mapping[str, str], secret_keys: frozenset[str] = frozenset()) -> StackConfig:
    """The configuration of a stack, from values by full key (`gcp:project`, `sms-connector:sender`)."""
    prefix = f"{PROJECT_NAME}:"
    ours = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    sealed = frozenset(key.removeprefix(prefix) for key in secret_keys if key.startswith(prefix))
    mistakes = [*_place_mistakes(values)]
    described = _described(ours, mistakes)
    readers = [_Reader(name, where, raw, sealed) for name, where, raw in described]
    region = values.get("gcp:region", "")
    place = config_rules.Place(values.get("gcp:project", ""), region if region in regions.REGIONS else "")
    connections = [reader.connection(place) for reader in readers]
    mistakes += [mistake for reader in readers for mistake in reader.mistakes]
    mistakes += config_rules.find_clashes([c for c in connections if c])
    if mistakes:
        raise ConfigError(mistakes)
    return StackConfig(values["gcp:project"], values["gcp:region"], tuple(c for c in connections if c))


def _place_mistakes(values: Mapping[str, str]) -> list[str]:
    project, region = values.get("gcp:project", ""), values.get("gcp:region", "")
    lacking = regions.lacking(region)
    place = f"a region with {' and '.join(lacking)}" if lacking else "a region with functions"
    wanted = (
        ("gcp:project", project, PROJECT.fullmatch(project), "a project's id", "my-project"),
        ("gcp:region", region, region in regions.REGIONS, place, regions.nearest(region)),
    )
    return [
        f"{key}: {f'{value!r} is not {what}' if value else 'is missing'}; fix: pulumi config set {key} {example}"
        for key, value, right, what, example in wanted
        if not right
    ]


def _described(ours: dict[str, str], mistakes: list[str]) -> list[tuple[str | None, str, Mapping[str, object]]]:
    """(name, prefix of its keys, raw values) of each connection: the flat keys describe one, `connections` several."""
    several = decoded(ours.pop("connections", "")) or {}
    if not isinstance(several, dict):
        mistakes.append(
            "connections: is not a map of names; fix: pulumi config set --path connections.<name>.sender <value>"
        )
        return []
    if not several:
        return [(None, "", ours)]
    flat = sorted(path for path, value in flatten(ours).items() if not config_rules.is_default(path, value))
    if flat:
        mistakes.append(
            f"connections: is set beside {', '.join(flat)}; flat keys describe one connection, `connections` several; "
            "fix: move the flat keys below connections.<name>"
        )
    return [
        (name, f"connections.{name}.", raw if isinstance(raw, dict) else {"": raw}) for name, raw in several.items()
    ]


def flatten(raw: Mapping[str, object]) -> dict[str, object]:
    """Values by path. A group may come as a map (`--path nodes.min`) or as dotted keys; both are the same thing."""
    found: dict[str, object] = {}
    for key, value in raw.items():
        parts = decoded(value) if key in config_keys.GROUPS else None
        if isinstance(parts, dict):
            found |= {f"{key}.{part}": inner for part, inner in parts.items()}
        else:
            found[key] = value
    return {path: value for path, value in found.items() if value not in ("", None)}


class _Reader:
    """Reads one connection and collects what is wrong with it."""

    def __init__(self, name: str | None, where: str, raw: Mapping[str, object], sealed: frozenset[str]) -> None:
        self._name = name
        self._where = where
        self._given = flatten(raw)
        # Set without `--path`: a key of its own, which would still hold after its path was set.
        self._dotted = frozenset(key for key in raw if "." in key and not where)
        self._sealed = sealed
        self._values: dict[str, Any] = {}
        self.mistakes: list[str] = []

    def connection(self, place: config_rules.Place) -> ConnectionConfig | None:
        for path, value in self._given.items():
            self._read(path, value)
        if self._name is not None:
            self._read_name(self._name)
        values = {key.path: key.default for key in config_keys.KEYS} | self._values
        secrets = {path: value for path, value in self._values.items() if path in config_keys.SECRET_PATHS}
        for path, problem, fix in config_rules.find(values, secrets, place):
            if path not in self._given or path in self._values:  # what couldn't be read has its mistake already
                self._mistake(path, problem, fix)
        return None if self.mistakes else connection_config.build(values, secrets)

    def _read_name(self, name: str) -> None:
        if "connection" in self._given:
            self._mistake(
                "connection",
                "is named by its place below `connections` already",
                f"pulumi config rm --path {self._where}connection",
            )
        self._values.pop("connection", None)
        try:
            self._values["connection"] = config_keys.BY_PATH["connection"].read(name)
        except Wrong as wrong:
            self.mistakes.append(f"connections: the name {wrong}; fix: choose another name")

    def _read(self, path: str, value: object) -> None:
        key = config_keys.BY_PATH.get(path)
        if key is None:
            self._refuse_unknown(path)
            return
        if problem := self._seal_problem(path):
            self._mistake(path, problem)
        try:
            self._values[path] = key.read(value)
        except Wrong as wrong:
            self._mistake(path, str(wrong), self._command(path, wrong))

    def _seal_problem(self, path: str) -> str:
        """Secret values have to be secrets of the stack, and what is put on functions in the clear must not be."""
        top = (self._where + path).partition(".")[0]
        sealed = bool({top, self._where + path} & self._sealed)
        if path in config_keys.SECRET_PATHS and not sealed:
            return "is a secret value but is in the configuration in the clear; if it was ever committed, change it at the provider"
        if path not in config_keys.SECRET_PATHS and sealed and not self._where:
            return "is encrypted but goes to the functions in the clear; set it without --secret"
        return ""

    def _refuse_unknown(self, path: str) -> None:
        if path in config_keys.GROUPS or not path:
            place = f"{self._where}{path}".rstrip(".")
            self.mistakes.append(f"{place}: is not a map; fix: pulumi config set --path {place}.<key> <value>")
            return
        near = difflib.get_close_matches(path, config_keys.BY_PATH, n=1)
        hint = f"did you mean {self._where}{near[0]}?" if near else "docs/deploy.md lists every key"
        self._mistake(
            path,
            f"is not a key; {hint}",
            f"pulumi config rm {'--path ' if '.' in self._where + path else ''}{self._where}{path}",
        )

    def _mistake(self, path: str, problem: str, fix: str = "") -> None:
        command = (fix or self._command(path)).replace("{where}", self._where)
        if path in self._dotted:
            command = f"pulumi config rm {path}" if " rm " in command else f"pulumi config rm {path} && {command}"
        self.mistakes.append(f"{self._where}{path}: {problem}; fix: {command}")

    def _command(self, path: str, wrong: Wrong | None = None) -> str:
        key, full = config_keys.BY_PATH[path], self._where + path
        if wrong and wrong.surplus:
            return f"pulumi config rm --path '{full}{wrong.entry}'"
        flags = ("--path " if "." in full or key.entry else "") + (
            "--secret " if path in config_keys.SECRET_PATHS else ""
        )
        entry = (wrong and wrong.entry) or key.entry
        place = f"'{full}{entry}'" if entry else full
        wrong_kind = key.entry and not isinstance(decoded(self._given.get(path)), (list, dict))
        first = f"pulumi config rm {'--path ' if '.' in full else ''}{full} && " if wrong_kind else ""
        return f"{first}pulumi config set {flags}{place} {key.example}".rstrip()
