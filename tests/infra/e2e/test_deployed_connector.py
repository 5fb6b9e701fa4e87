"""What one `pulumi up` deployed really runs: the archive is complete, the settings fit, and only those who may come in do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN
from tests.fixtures.emulators import firestore_emulator as firestore_emulator  # a fixture
from tests.fixtures.processes import SENDER
from tests.infra.e2e.cli import Project
from tests.infra.e2e.test_stack_changes import add_version
from tests.infra.e2e.world import World, around, eventually
from tests.infra.fake_google.http import FakeGoogle
from tests.infra.harness import PROJECT, ROOT

pytestmark = [pytest.mark.real, pytest.mark.deploy]

CALLER = "app@another-project.iam.gserviceaccount.com"
STRANGER = "stranger@another-project.iam.gserviceaccount.com"
RECIPIENT = "+15558675310"


@pytest.fixture
def world(fake: FakeGoogle, tmp_path: Path, firestore_emulator: str) -> Iterator[World]:
    with around(fake, tmp_path / "services", firestore=firestore_emulator) as made:
        yield made


@pytest.fixture
def deployed(world: World, new_project: Callable[..., Project]) -> Project:
    """The real functions, at the sandbox."""
    project = new_project(ROOT / "function")
    project.set("providerUrl", world.sandbox.url)
    project.set("sender", SENDER)
    project.set("callers[0]", f"serviceAccount:{CALLER}")
    project.set("tracking.retryIntervalMillis", "500")
    project.set_all({"accountSid": ACCOUNT_SID, "authToken": AUTH_TOKEN}, secret=True)
    project.run("up")
    return project


def state(project: Project) -> str:
    told: str = project.connection()["state"]["state"]
    return told


def test_one_up_shows_that_it_works(deployed: Project, world: World) -> None:
    assert deployed.connection()["state"]["state"] == "ACTIVE", (deployed.connection()["state"], world.logs())
    assert isinstance(deployed.connection()["state"]["latencyMillis"], int)

    # Who may come in.
    message = {"to": RECIPIENT, "message": "Hello"}
    assert world.call("sms-connector", "/v1/messages:send", message)[0] == 401, "nobody"
    assert world.call("sms-connector", "/v1/messages:send", message, account=STRANGER)[0] == 403, "not a caller"
    assert world.call("sms-webhook", "/health", method="GET")[0] == 200, "the webhook answers to anyone"
    assert world.call("sms-worker", "/health", method="GET", account=CALLER)[0] == 403, "the queue's alone"

    # A message, and its callbacks through the public webhook, the queue and the connector.
    status, answer = world.call("sms-connector", "/v1/messages:send", message, account=CALLER)
    assert status == 200, (answer, world.logs())
    (result,) = answer["results"]
    assert result["error"] is None, result

    def delivered() -> bool:
        _, held = world.call("sms-connector", f"/v1/messages/{result['id']}", account=CALLER, method="GET")
        return bool(held["status"] == "delivered")

    eventually(delivered, within=60, what=f"no callback arrived\n{world.logs()}")

    # A wrong token is told with its reason, the right one is taken up; neither takes a deployment, only half a minute.
    for token, expected in (("f" * 32, "AUTH_ERROR"), (AUTH_TOKEN, "ACTIVE")):
        add_version(world.fake, "sms-auth-token", token)
        eventually(functools.partial(says, deployed, expected), within=90, what=f"not {expected}")
        assert deployed.connection()["state"]["description"]


def says(project: Project, expected: str) -> bool:
    """Whether an update, which has nothing to do, tells this state."""
    assert project.run("up").changed == {}
    return state(project) == expected


def test_a_campaign_runs_through_queue_and_worker(deployed: Project, world: World) -> None:
    records = [{"to": f"+155586753{n:02}"} for n in range(30)]
    status, campaign = world.call(
        "sms-connector", "/v1/campaigns", {"message": "Hello", "records": records}, account=CALLER
    )
    assert status == 202, (campaign, world.logs())

    def done() -> bool:
        _, held = world.call("sms-connector", f"/v1/campaigns/{campaign['id']}", account=CALLER, method="GET")
        return bool(held["state"] == "done")

    eventually(done, within=120, what=f"the campaign did not end\n{world.logs()}")
    _, page = world.call("sms-connector", f"/v1/campaigns/{campaign['id']}/results", account=CALLER, method="GET")
    assert len(page["results"]) == len(records)
    assert {result["status"] for result in page["results"]} == {"delivered"}


def test_require_active_fails_an_update_that_does_not_work(world: World, new_project: Callable[..., Project]) -> None:
    project = new_project(ROOT / "function")
    project.set("providerUrl", world.sandbox.url)
    project.set("sender", SENDER)
    project.set("requireActive", "true")
    project.set_all({"accountSid": ACCOUNT_SID, "authToken": "f" * 32}, secret=True)
    printed = project.pulumi("up", "--yes", "--skip-preview", fails=True)
    assert "connection sms is AUTH_ERROR" in printed
    assert f"cloudfunctions/projects/{PROJECT}" in "".join(world.fake.cloud.resources), "it is up all the same"
