"""The scheduled job that runs the maintenance of every connection each minute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra import configurations, harness
from tests.infra.harness import PROJECT, REGION, Stack

JOB = "gcp:cloudscheduler/job:Job"
FUNCTION = "gcp:cloudfunctionsv2/function:Function"


@pytest.mark.parametrize("name", ["smallest that sends", "everything", "several", "longest name", "vpc connector"])
def test_each_deployed_connector_is_called_each_minute(name: str) -> None:
    stack = configurations.stack(name)
    functions = {f.name: f.inputs["name"] for f in stack.of(FUNCTION)}
    connectors = {name.removesuffix("-connector"): functions[name] for name in functions if name.endswith("-connector")}
    assert connectors
    for connection, connector in connectors.items():
        job = stack.named(JOB, f"{connection}-maintenance").inputs
        assert job["schedule"] == "* * * * *"
        assert job["region"] == REGION
        assert job["httpTarget"]["uri"].endswith(f"/{connector}/tasks/maintenance")
        assert job["httpTarget"]["httpMethod"] == "POST"
        assert "body" not in job["httpTarget"]


def test_a_run_ends_before_the_next_begins() -> None:
    assert configurations.stack("several").named(JOB, "retail-maintenance").inputs["attemptDeadline"] == "60s"


def test_it_calls_as_an_account_that_may_call_the_connector_and_nothing_else() -> None:
    stack = configurations.stack("everything")
    email = f"orders-scheduler@{PROJECT}.iam.gserviceaccount.com"
    token: dict[str, Any] = stack.named(JOB, "orders-maintenance").inputs["httpTarget"]["oidcToken"]
    assert token["serviceAccountEmail"] == email
    assert token["audience"].endswith("/orders-connector"), "the address of the service, without the path"
    assert held_by(stack, email) == [("roles/run.invoker", "orders-connector")]


def held_by(stack: Stack, email: str) -> list[tuple[str, str]]:
    grants = [r.inputs for r in stack.resources if r.inputs.get("member") == f"serviceAccount:{email}"]
    return [(grant["role"], grant.get("name", "")) for grant in grants]


def test_a_connector_that_waits_for_its_secrets_is_not_called() -> None:
    assert harness.run().of(JOB) == []
