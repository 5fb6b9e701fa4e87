"""What a provider's catalogue gives to the suite that every catalogue passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox import Sandbox


@dataclass(frozen=True)
class EntityCase:
    """`fill` puts data into the simulator, so that the lists of `filled` have rows. `parents` are values for the
    columns that a list has to give; a parent in `absent` does not exist. `options` are the provider's, with `{url}` for
    the sandbox's address."""

    name: str
    fill: Callable[[Sandbox], None]
    filled: frozenset[str]
    parents: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)
