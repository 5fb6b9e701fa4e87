"""`make soak`: campaigns of ten thousand messages on either backend, which takes many minutes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.emulators import firestore_is_missing

from .__main__ import show
from .campaign_run import FULL, soak_campaigns


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["sqlite", "google"])
def test_ten_thousand_messages_over_four_workers(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if backend == "google" and (reason := firestore_is_missing()):
        pytest.skip(reason)
    outcome = soak_campaigns(replace(FULL, backend=backend), tmp_path, seed=1)
    with capsys.disabled():
        show(outcome)
    assert not outcome.flaws
