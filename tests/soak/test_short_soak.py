"""A soak short enough for every run of the tests: every fault of the sandbox, and the connector killed a few times."""

from __future__ import annotations

from pathlib import Path

from .run import SHORT, soak


def test_what_is_promised_holds_under_faults_and_kills(tmp_path: Path) -> None:
    outcome = soak(SHORT, tmp_path, seed=11)
    assert not outcome.flaws, "\n".join([*outcome.flaws, *outcome.stories])
    assert outcome.kills
    assert sum(number for name, number in outcome.counts.items() if name.startswith("status ")) == SHORT.messages
