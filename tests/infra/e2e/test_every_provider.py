"""One stack with a connection for each provider: each sends a message and hears of it, and Twilio's token is rotated by its notice."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.functions import RUNTIME
from providers import PROVIDERS, key_of
from sandbox.providers import simulator
from sandbox.twilio.accounts import AUTH_TOKEN
from sms_connector import rotation
from sms_connector.cloud.ledger import FirestoreLedger
from sms_connector.local.clock import SystemClock
from sms_connector.ports import Write
from sms_connector.ports.ledger_access import document_data, read_document
from tests.infra.e2e.cli import Project
from tests.infra.e2e.conftest import GRANTS, strict_fake
from tests.infra.e2e.world import World, around, eventually
from tests.infra.harness import PROJECT, ROOT

pytestmark = [pytest.mark.real, pytest.mark.deploy]

CALLER = "app@another-project.iam.gserviceaccount.com"
RECIPIENT = "+15558675310"
DAYS = 24 * 3600
STAGES = ("keep", "make", "promote", "disable")
TOKEN, PREVIOUS = (f"secretmanager/projects/{PROJECT}/secrets/twilio-auth-token{end}" for end in ("", "-previous"))


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, firestore_emulator: str
) -> Iterator[tuple[dict[str, Any], World]]:
    """The outputs by connection, which is named like its provider, and what is around them."""
    folder = tmp_path_factory.mktemp("every-provider")
    environments = tmp_path_factory.mktemp("environments")
    with (
        strict_fake() as fake,
        around(fake, folder, firestore=firestore_emulator, environments=environments, connections=PROVIDERS) as world,
    ):
        world.runner.prepare(RUNTIME, ROOT / "function" / "requirements.txt")
        project = Project(folder, fake, ROOT / "function")
        for name in PROVIDERS:
            configure(project, world, name)
        project.run("up")
        yield project.outputs()["connections"], world


@pytest.fixture(scope="module")
def twilio_ledger(firestore_emulator: str) -> FirestoreLedger:
    environ = {"FIRESTORE_EMULATOR_HOST": firestore_emulator}
    return FirestoreLedger.connect(PROJECT, "twilio-ledger", clock=SystemClock(), environ=environ)


@pytest.fixture(scope="module")
def outputs(deployment: tuple[dict[str, Any], World]) -> dict[str, Any]:
    return deployment[0]


@pytest.fixture(scope="module")
def world(deployment: tuple[dict[str, Any], World]) -> World:
    return deployment[1]


def configure(project: Project, world: World, name: str) -> None:
    simulated = simulator(name)
    options = {option: value.replace("{url}", world.provider) for option, value in simulated.options.items()}
    plain = {
        "provider": name,
        "providerUrl": world.provider + simulated.path,
        "network.ca": Path(world.runner.authority.ca_file).read_text(),
        "sender": simulated.sender,
        "callers[0]": f"serviceAccount:{CALLER}",
        "tracking.retryIntervalMillis": "500",
        **GRANTS,
        **{f"providerOptions.{option}": value for option, value in options.items()},
    }
    where = f"connections.{name}."
    secret = {where + key_of(file): value for file, value in simulated.secrets.items()}
    project.set_all({where + key: value for key, value in plain.items()}, secret)


def address(command: str, world: World, folder: Path) -> str:
    """What a command of the outputs prints, with a stand-in for gcloud; at the door of the service, as DNS would say."""
    gcloud = folder / "gcloud"
    secret = command.partition("--secret=")[2].partition(" ")[0]
    key = world.fake.cloud.latest_payload(f"secretmanager/projects/{PROJECT}/secrets/{secret}")
    assert key is not None
    gcloud.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(key.decode())}\n")
    gcloud.chmod(0o755)
    run = ["sh", "-c", command]
    found = subprocess.run(run, env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    return world.runner.resolved(found.stdout.strip())


def send(world: World, connection: str) -> dict[str, Any]:
    message = {"to": RECIPIENT, "message": "Hello"}
    status, answer = world.call(f"{connection}-connector", "/v1/messages:send", message, account=CALLER)
    assert status == 200, (answer, world.runner.log(f"{connection}-connector"))
    result: dict[str, Any] = answer["results"][0]
    assert result["error"] is None, result
    return result


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_message_is_sent_and_its_end_is_heard_of(
    name: str, outputs: dict[str, Any], world: World, tmp_path: Path
) -> None:
    """The addresses are entered at the simulated provider as the outputs print them."""
    assert outputs[name]["state"]["state"] == "ACTIVE", (outputs[name]["state"], world.logs())
    told = outputs[name]["callbackAddresses"]
    status_url, inbound_url = (address(told[kind]["command"], world, tmp_path) for kind in ("status", "inbound"))
    simulator(name).enter_addresses(world.sandbox, status_url, inbound_url)
    sent = send(world, name)

    def delivered() -> bool:
        _, held = world.call(f"{name}-connector", f"/v1/messages/{sent['id']}", account=CALLER, method="GET")
        return bool(held["status"] == "delivered")

    eventually(delivered, within=60, what=f"not delivered\n{world.runner.log(f'{name}-connector')}")


def test_a_notice_rotates_the_token(world: World, twilio_ledger: FirestoreLedger) -> None:
    """No send fails from the notice to the end. The hour in which old and new overlap is moved past in the ledger."""
    cloud = world.fake.cloud
    with cloud.lock:
        cloud.advance(91 * DAYS)

    def reached(stage: str) -> bool:
        send(world, "twilio")
        state = read_state(twilio_ledger)
        return state is not None and STAGES[state.stage] == stage and state.acted

    eventually(lambda: reached("promote"), within=300, what=f"not promoted\n{world.runner.log('twilio-rotator')}")
    *before, new = values(world, TOKEN)
    assert before == [AUTH_TOKEN]
    assert new != AUTH_TOKEN
    assert values(world, PREVIOUS)[-1] == AUTH_TOKEN
    state = read_state(twilio_ledger)
    assert state is not None
    state.since -= 3600.0
    twilio_ledger.commit([Write(rotation.COLLECTION, state.id, document_data(state))])
    eventually(lambda: reached("disable"), within=60, what=f"not done\n{world.runner.log('twilio-rotator')}")

    assert [version["state"] for _, version in cloud.below(f"{TOKEN}/versions")] == ["DISABLED", "ENABLED"]
    eventually(lambda: inbox("twilio", "auth-token", world) == [], within=30, what="the notice was not taken")
    logs = world.logs()
    assert '"message": "rotation_done"' in logs
    assert '"rotation": "auth-token"' in logs
    assert [value for value in (AUTH_TOKEN, new) if value in logs] == []
    send(world, "twilio")


def test_what_only_the_provider_can_make_waits_for_an_operator(world: World) -> None:
    """At the same time, by itself."""
    found = inbox("azure", "access-key", world)
    assert [message["attributes"]["eventType"] for message in found] == ["SECRET_ROTATE"]
    assert inbox("twilio", "api-key-secret", world) == [], "a secret without a value"


def values(world: World, secret: str) -> list[str]:
    return [world.fake.cloud.payloads[key].decode() for key, _ in world.fake.cloud.below(f"{secret}/versions")]


def inbox(connection: str, secret: str, world: World) -> list[dict[str, Any]]:
    messages = world.fake.cloud.passing.messages
    return messages.get(f"projects/{PROJECT}/subscriptions/{connection}-rotation-{secret}", [])


def read_state(ledger: FirestoreLedger) -> rotation.RotationState | None:
    [found] = ledger.get(rotation.COLLECTION, ["rotation:auth-token"])
    return None if found is None else read_document(found, rotation.RotationState)
