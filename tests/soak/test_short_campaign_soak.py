"""A soak of campaigns short enough for every run of the tests: two workers, every fault, and a few kills."""

from __future__ import annotations

from pathlib import Path

from .campaign_run import SHORT, soak_campaigns


def test_campaigns_keep_their_promises_under_faults_and_kills(tmp_path: Path) -> None:
    outcome = soak_campaigns(SHORT, tmp_path, seed=11)
    assert not outcome.flaws, "\n".join([*outcome.flaws, *outcome.stories])
    assert outcome.kills
    assert sum(number for name, number in outcome.counts.items() if name.startswith("status ")) == SHORT.messages
