"""Fixtures that the tests of several subjects share."""

from tests.fixtures.nodes import clock, world

__all__ = ["clock", "world"]
