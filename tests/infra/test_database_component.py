"""A connection's database: what is asked of Firestore, in which order, and what stays."""

from __future__ import annotations

import itertools

import indexes
from tests.infra import harness
from tests.infra.harness import Stack

FIELD, INDEX = "gcp:firestore/field:Field", "gcp:firestore/index:Index"
BACKUPS = "gcp:firestore/backupSchedule:BackupSchedule"


def order(stack: Stack) -> list[str]:
    return [r.name for r in stack.resources if r.type in (FIELD, INDEX)]


def test_operations_on_fields_and_indexes_follow_each_other() -> None:
    """Two at once collide: "Aborted due to cross-transaction contention"."""
    stack = harness.run()
    operations = [r for r in stack.resources if r.type in (FIELD, INDEX)]
    for before, operation in itertools.pairwise(operations):
        assert before.urn in operation.depends_on, operation.name


def test_two_operations_a_collection() -> None:
    assert len(harness.run().of(FIELD)) == 2 * len(indexes.COLLECTIONS)


def test_backups_are_made_each_day_and_kept_two_weeks() -> None:
    (schedule,) = harness.run().of(BACKUPS)
    assert schedule.inputs["retention"] == f"{14 * 24 * 3600}s"
    assert "dailyRecurrence" in schedule.inputs
    assert schedule.protect


def test_backups_as_configured() -> None:
    (schedule,) = harness.run({"backup": '{"days": 98}'}).of(BACKUPS)
    assert schedule.inputs["retention"] == "8467200s", "the longest that Firestore keeps one"
    assert harness.run({"backup": '{"days": 0}'}).of(BACKUPS) == []


def test_point_in_time_recovery_as_configured() -> None:
    for chosen, expected in (("false", "DISABLED"), ("true", "ENABLED")):
        stack = harness.run({"backup": f'{{"pointInTime": {chosen}}}'})
        database = stack.named("gcp:firestore/database:Database", "sms-ledger")
        assert database.inputs["pointInTimeRecoveryEnablement"] == f"POINT_IN_TIME_RECOVERY_{expected}"
