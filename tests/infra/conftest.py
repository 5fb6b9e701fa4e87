"""What all tests of the infrastructure share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    """A run of the program makes some hundred thousand objects and drops them at its end: to look through them meanwhile is a third
    of these tests' time."""
    gc.disable()
    yield
    gc.enable()
