"""Secrets by name, read when they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol


class Secret(str):
    """A secret value. It is a string where it is used and `'***'` wherever it would be shown by repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class SecretSource(Protocol):
    """Named secrets, read when used, through a cache of at most 30 s, so that a rotation needs no redeploy."""

    def get(self, name: str) -> Secret | None:
        """Return the current value without its trailing newline; None for an absent or empty secret.

        Raises `errors.NotSent` where the secret exists, can't be read now, and no earlier value is known: an unreadable
        secret is not an absent one, so whatever needs it has to be repeated.
        """

    def refresh(self) -> None:
        """Forget the cache: the next `get` reads again. Called after a provider's 401."""

    def where(self, name: str) -> str:
        """Return the place `get` looks at, for messages (a path or a resource name, never a value)."""


class SecretVersions(Protocol):
    """The versions of secrets, for whoever rotates them. Numbers grow; the newest enabled one is what `SecretSource`
    reads."""

    def read(self, name: str, number: int | None = None) -> Secret | None:
        """Return the value of a version (by default the newest) without its trailing newline; None where it is absent
        or disabled."""

    def numbers(self, name: str) -> Sequence[int]:
        """Return the enabled versions, newest first."""

    def add(self, name: str, value: Secret) -> None:
        """Make this the newest version."""

    def disable(self, name: str, number: int) -> None:
        """Make a version unreadable."""


def secret_digest(name: str, value: Secret | None) -> str:
    """Return what identifies a value without revealing it: credentials are random, and 64 bits of a digest are no
    help in guessing one."""
    return hashlib.sha256(f"{name}:{value}".encode()).hexdigest()[:16] if value else ""
