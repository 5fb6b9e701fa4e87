"""What is decided when a sandbox starts, and the part of it that may be changed while it runs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

NULLABLE = frozenset({"statuses", "concurrencyLimit", "rateLimit"})


class SettingsError(ValueError):
    """A setting that does not exist or has the wrong type; the message names it and what is allowed."""


@dataclass(frozen=True, slots=True)
class CallbackBehaviour:
    """How status callbacks misbehave. Each chance is 0 to 1 (true and false are taken as 1 and 0).

    `statuses`: which statuses are called back; None means as the provider documents.
    `delay_seconds`: every callback comes this much late. `reorder`: chance that a message's callbacks come last first.
    `repeat`: how many extra copies, each with chance `repeat_chance`. `drop`: chance that one is never sent.
    `before_answer`: chance that a message is settled and called back before its create request is answered.
    """

    enabled: bool = True
    statuses: tuple[str, ...] | None = None
    delay_seconds: float = 0.0
    repeat: int = 0
    repeat_chance: float = 1.0
    reorder: float = 0.0
    drop: float = 0.0
    before_answer: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Changeable while running, by `POST /_sandbox/settings`.

    `delivery_seconds`: from accept to the final status, 0 for at once; `delivery_spread_seconds`: at random up to this
    much more. `latency_seconds`: every answer takes this long. `concurrency_limit`, `rate_limit` (requests under way
    at once, starts in any one second): more are answered 429; None means no limit.
    """

    delivery_seconds: float = 2.0
    delivery_spread_seconds: float = 0.0
    latency_seconds: float = 0.0
    concurrency_limit: int | None = None
    rate_limit: int | None = None
    callbacks: CallbackBehaviour = field(default_factory=CallbackBehaviour)

    def changed(self, document: Mapping[str, Any]) -> Self:
        """These settings with the camelCase fields of `document` replaced.

        Raises SettingsError for an unknown name or a value of the wrong type.
        """
        return replace(self, **_checked(self, document, where="settings"))


@dataclass(frozen=True, slots=True)
class Options:
    """`port` 0 takes a free one. `seed` makes ids, faults and every other chance repeatable.

    Callbacks go to loopback addresses only, unless `external_callbacks`: a test must not call other hosts.
    The journals keep the newest `journal_size` entries.
    """

    port: int = 0
    seed: int = 1
    settings: Settings = field(default_factory=Settings)
    external_callbacks: bool = False
    journal_size: int = 200_000


@dataclass(slots=True)
class Context:
    """What everything in one running sandbox shares: the settings in force and the dice."""

    settings: Settings
    dice: random.Random


def settings_document(settings: Settings | CallbackBehaviour) -> dict[str, Any]:
    """Return the settings as the admin API shows them, and takes them."""
    document: dict[str, Any] = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        document[_camel(item.name)] = settings_document(value) if isinstance(value, CallbackBehaviour) else value
    return document


def _checked(current: Settings | CallbackBehaviour, document: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    names = {_camel(item.name): item.name for item in fields(current)}
    unknown = sorted(set(document) - set(names))
    if unknown:
        raise SettingsError(f"{where}: no such setting: {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    return {
        names[key]: _value(getattr(current, names[key]), value, where=f"{where}.{key}")
        for key, value in document.items()
    }


def _value(current: object, value: Any, *, where: str) -> Any:
    name = where.rpartition(".")[2]
    if isinstance(current, CallbackBehaviour):
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where}: an object is needed, not {value!r}")
        return replace(current, **_checked(current, value, where=where))
    if value is None and name in NULLABLE:
        return None
    if name == "statuses":
        if not isinstance(value, list):
            raise SettingsError(f"{where}: a list of statuses or null is needed, not {value!r}")
        return tuple(str(status) for status in value)
    if not isinstance(value, int | float) or value < 0:
        raise SettingsError(f"{where}: a number of at least 0 is needed, not {value!r}")
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
