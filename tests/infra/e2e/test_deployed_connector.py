"""What one `pulumi up` deployed really runs: the archive is complete, the settings fit, and only those who may come in do.

All tests but the last use one deployment, each with messages of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN
from tests.fixtures.processes import SENDER
from tests.infra.e2e.cli import AT_ONCE, Project
from tests.infra.e2e.conftest import GRANTS, strict_fake
from tests.infra.e2e.test_stack_changes import add_version
from tests.infra.e2e.world import World, around, eventually
from tests.infra.harness import PROJECT, ROOT

pytestmark = [pytest.mark.real, pytest.mark.deploy]

CALLER = "app@another-project.iam.gserviceaccount.com"
STRANGER = "stranger@another-project.iam.gserviceaccount.com"
RECIPIENT = "+15558675310"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all tests, so that what the archive requires is installed once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, firestore_emulator: str, environments: Path
) -> Iterator[tuple[Project, World]]:
    """The real functions, at the sandbox, and up."""
    folder = tmp_path_factory.mktemp("deployed")
    with strict_fake() as fake, around(fake, folder, firestore=firestore_emulator, environments=environments) as world:
        project = Project(folder, fake, ROOT / "function")
        configure(project, world, token=AUTH_TOKEN)
        project.run("up")
        yield project, world


@pytest.fixture(scope="module")
def deployed(deployment: tuple[Project, World]) -> Project:
    return deployment[0]


@pytest.fixture(scope="module")
def world(deployment: tuple[Project, World]) -> World:
    return deployment[1]


def configure(project: Project, world: World, *, token: str, **more: str) -> None:
    plain = {
        "providerUrl": world.provider,
        "network.ca": Path(world.runner.authority.ca_file).read_text(),
        "sender": SENDER,
        "callers[0]": f"serviceAccount:{CALLER}",
        "tracking.retryIntervalMillis": "500",
    }
    project.set_all(plain | GRANTS | more, {"accountSid": ACCOUNT_SID, "authToken": token})


def test_one_up_says_that_it_works(deployed: Project, world: World) -> None:
    state = deployed.connection()["state"]
    assert state["state"] == "ACTIVE", (state, world.logs())
    assert isinstance(state["latencyMillis"], int)


def test_who_may_come_in(world: World) -> None:
    message = {"to": RECIPIENT, "message": "Hello"}
    assert world.call("sms-connector", "/v1/messages:send", message)[0] == 401, "nobody"
    assert world.call("sms-connector", "/v1/messages:send", message, account=STRANGER)[0] == 403, "not a caller"
    assert world.call("sms-webhook", "/health", method="GET")[0] == 200, "the webhook answers to anyone"
    assert world.call("sms-worker", "/health", method="GET", account=CALLER)[0] == 403, "the queue's alone"


def test_a_message_and_its_callbacks(world: World) -> None:
    """Through the public webhook, the queue and the connector."""
    message = {"to": RECIPIENT, "message": "Hello"}
    status, answer = world.call("sms-connector", "/v1/messages:send", message, account=CALLER)
    assert status == 200, (answer, world.logs())
    (result,) = answer["results"]
    assert result["error"] is None, result

    def delivered() -> bool:
        _, held = world.call("sms-connector", f"/v1/messages/{result['id']}", account=CALLER, method="GET")
        return bool(held["status"] == "delivered")

    eventually(delivered, within=60, what=f"no callback arrived\n{world.logs()}")


def test_a_wrong_token_is_told_and_the_right_one_taken_up(deployed: Project, world: World) -> None:
    """Neither takes a deployment, only half a minute; an update, which has nothing to do, tells the state."""
    for token, expected in (("f" * 32, "AUTH_ERROR"), (AUTH_TOKEN, "ACTIVE")):
        add_version(world.fake, "sms-auth-token", token)
        eventually(lambda: asked(world) == expected, within=90, what=f"not {expected}")  # noqa: B023 - used in its round
        assert deployed.run("up").changed == {}
        state = deployed.connection()["state"]
        assert state["state"] == expected
        assert state["description"]


def asked(world: World) -> str:
    """What the connector says of itself now."""
    status, answer = world.call("sms-connector", "/v1/connection:test", account=CALLER)
    assert status == 200, answer
    told: str = answer["state"]
    return told


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


def test_the_scheduled_jobs_call_the_connector(world: World) -> None:
    assert world.run_job("sms-maintenance") == {}
    assert world.run_job("sms-test") == {}


def test_the_functions_run_as_the_platform_runs_them(world: World) -> None:
    """The settings that the platform refuses were not used, and no instance took more memory than it has."""
    for name, service in world.runner.served.items():
        assert service.declaration is not None
        assert service.declaration.runtime == "python312"
        assert "Memory limit" not in world.runner.log(name), name


def test_no_log_holds_a_secret_value(world: World) -> None:
    """After all that was sent above. The account's SID is a name, and part of addresses."""
    payloads = {data.decode() for key, data in world.fake.cloud.payloads.items() if key.startswith("secretmanager/")}
    assert AUTH_TOKEN in payloads
    logs = world.logs()
    assert "connection test" in logs
    assert [value for value in payloads - {ACCOUNT_SID} if value in logs] == []


def test_require_active_fails_an_update_that_does_not_work(
    tmp_path: Path, firestore_emulator: str, environments: Path
) -> None:
    with (
        strict_fake() as fake,
        around(fake, tmp_path, firestore=firestore_emulator, environments=environments) as world,
    ):
        project = Project(tmp_path, fake, ROOT / "function")
        configure(project, world, token="f" * 32, requireActive="true")
        printed = project.pulumi("up", *AT_ONCE, fails=True)
        assert "connection sms is AUTH_ERROR" in printed
        assert f"cloudfunctions/projects/{PROJECT}" in "".join(fake.cloud.resources), "it is up all the same"

        add_version(fake, "sms-auth-token", AUTH_TOKEN)
        eventually(lambda: asked(world) == "ACTIVE", within=90, what=f"not ACTIVE\n{world.logs()}")
        project.run("up")
        assert project.connection()["state"]["state"] == "ACTIVE", "and goes on once it does"
