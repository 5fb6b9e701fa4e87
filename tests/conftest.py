"""Fixtures of several subjects. A session's fixture is imported here alone: each further import would start it again."""

from hypothesis import settings

from tests.fixtures.emulators import firestore_emulator
from tests.fixtures.nodes import clock, world

__all__ = ["clock", "firestore_emulator", "world"]

# A machine that is busy with something else is no fault of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
