"""The simulators, open while the tests of one module run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Options, Sandbox
from sandbox.options import Settings


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Nothing is delivered before its clock is moved."""
    with Sandbox(Options(settings=Settings(delivery_seconds=100.0))) as opened:
        yield opened
