"""`make soak`: the whole of it, which takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import show
from .run import FULL, soak


@pytest.mark.soak
def test_two_thousand_messages_under_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = soak(FULL, tmp_path, seed=1)
    with capsys.disabled():
        show(outcome)
    assert not outcome.flaws
