"""Secrets by name, read when they are used."""

from __future__ import annotations

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
