"""Fixtures of several subjects. A session's fixture is imported here alone: each further import would start it again."""

from tests.fixtures.emulators import firestore_emulator
from tests.fixtures.nodes import clock, world

__all__ = ["clock", "firestore_emulator", "world"]
