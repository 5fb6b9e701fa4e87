"""The real command and plugin against the fake cloud: what a platform engineer does with a stack, in the order she does it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.infra.e2e.cli import AT_ONCE, Changes, CommandFailed, Project
from tests.infra.e2e.conftest import SECRETS
from tests.infra.fake_google.http import FakeGoogle

pytestmark = [pytest.mark.real, pytest.mark.deploy]

ONLY_FUNCTIONS = {"update": ("Function",) * 4}
MADE = 5  # webhook-key, callback-secret, and three that take a value before
ENABLED = "serviceusage/"  # APIs stay on: other workloads of the project may live on them


def code_only(changes: Changes) -> bool:
    """The functions are updated, and the archive's object is another one."""
    replaced = {kind for op, kinds in changes.changed.items() if op != "update" for kind in kinds}
    return changes.by_operation["update"] == ONLY_FUNCTIONS["update"] and replaced == {"BucketObject"}


def change_code(project: Project, line: str) -> None:
    main = project.folder / "function" / "main.py"
    main.write_text(main.read_text() + line + "\n")


def deployed_objects(fake: FakeGoogle) -> set[str]:
    """The archives that the functions were really built from."""
    functions = [v for k, v in fake.cloud.resources.items() if k.startswith("cloudfunctions/")]
    return {f["buildConfig"]["sourceProvenance"]["resolvedStorageSource"]["object"] for f in functions}


def payloads(fake: FakeGoogle) -> set[str]:
    """Every value that Secret Manager holds, those that were made at deployment included."""
    return {data.decode() for key, data in fake.cloud.payloads.items() if key.startswith("secretmanager/")}


def left(fake: FakeGoogle) -> list[str]:
    return [key for key in fake.cloud.shown() if not key.startswith(ENABLED)]


def indexes_of(fake: FakeGoogle) -> list[str]:
    return [key for key in left(fake) if "/indexes/" in key]


def test_a_stack_from_preview_to_destroy(project: Project, fake: FakeGoogle) -> None:
    preview = project.run("preview")
    assert preview.count("create") > 100
    assert left(fake) == [], "a preview creates nothing"

    first = project.run("up")
    assert set(first.changed) == {"create"}
    assert first.count("create") == preview.count("create")

    assert project.run("up").changed == {}, "nothing changed, so nothing is done"

    change_code(project, "# another line")
    assert code_only(project.run("up"))

    assert project.run("refresh").changed == {}, "what the cloud holds is what the state says"
    assert project.run("up").changed == {}, "and a refresh leaves nothing to do"

    everything = project.written() + preview.printed + first.printed + str(project.outputs())
    assert len(payloads(fake)) == len(SECRETS) + MADE
    assert {*SECRETS.values()} < payloads(fake)
    assert [value for value in payloads(fake) if value in everything] == []

    project.set_all({"protect": "false"})
    project.run("up")
    project.run("destroy")
    assert left(fake) == []


def test_what_relies_on_new_grants_is_made_when_they_act(project: Project, fake: FakeGoogle) -> None:
    """Between the last grant and what takes it; the fake's act after a second, which the command's own slowness often covers."""
    project.set_all({"grants.seconds": "20"})
    project.run("up")
    for made, grant in (
        ("POST .*/functions$", "repositories.*:setIamPolicy"),
        ("POST .*/secrets$", "topics.*:setIamPolicy"),
    ):
        granted = max(told(call) for call in fake.calls(grant))
        first = min(told(call) for call in fake.calls(made) if "functions" in made or "rotation" in call["body"])
        assert (first - granted).total_seconds() >= 20


def told(call: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(call["time"])


def test_a_failed_create_is_healed_by_the_next_up(project: Project, fake: FakeGoogle) -> None:
    fake.fail(r"POST .*/functions\?.*functionId=sms-worker", status=400, message="the build failed")
    with pytest.raises(CommandFailed, match="the build failed"):
        project.run("up")
    healed = project.run("up")
    assert "Function" in healed.changed["create"]
    assert project.run("up").changed == {}
    assert project.run("refresh").changed == {}


def test_a_new_database_that_reads_as_absent_is_taken_in_by_the_next_up(project: Project, fake: FakeGoogle) -> None:
    """The provider forgets it, and would be refused with 409 for ever."""
    fake.cloud.switches.late_reads = 1
    with pytest.raises(CommandFailed):
        project.run("up")
    fake.cloud.switches.late_reads = 0
    project.run("up")
    assert project.run("up").changed == {}


def test_a_deployment_that_puts_the_callers_check_back_is_healed(project: Project, fake: FakeGoogle) -> None:
    project.run("up")
    assert fake.cloud.may_call("sms-webhook", None)
    change_code(project, "# a line that deploys the functions again")
    assert code_only(project.run("up"))
    assert fake.cloud.may_call("sms-webhook", None)
    assert project.connection()["webhookAccess"].startswith("public")


def test_a_failed_update_does_not_leave_the_old_code(project: Project, fake: FakeGoogle) -> None:
    """The provider never reads a function's source back: without the digest in its variables the second `up` would do nothing."""
    project.run("up")
    (before,) = deployed_objects(fake)
    change_code(project, "# a line whose deployment fails once")
    fake.fail(r"PATCH .*/functions/sms-worker", status=400, message="the build failed")
    with pytest.raises(CommandFailed, match="the build failed"):
        project.run("up")
    assert before in deployed_objects(fake)
    project.run("up")
    (after,) = deployed_objects(fake)
    assert after != before


def test_protected_data_stays_and_is_named(project: Project, fake: FakeGoogle) -> None:
    project.run("up")
    with pytest.raises(CommandFailed, match="protected") as refused:
        project.run("destroy")
    kept = project.connection()["keptByDestroy"]
    assert "sms-ledger" in kept
    assert any(name in str(refused.value) for name in kept), "it stops at the first that it meets"
    assert "firestore/projects/demo-project/databases/sms-ledger" in left(fake)

    printed = project.pulumi("destroy", *AT_ONCE, "--exclude-protected")
    kinds = {key.split("/")[0] for key in left(fake)}
    assert "cloudfunctions" not in kinds
    assert {"firestore", "secretmanager", "cloudtasks"} <= kinds
    assert indexes_of(fake), "and what the database has with it"
    assert "protected" in printed
    assert project.run("up").count("create") > 50, "what stayed is taken up again"
