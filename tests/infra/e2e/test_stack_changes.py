"""Changes to a stack that is up: each touches what it names and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.infra.e2e.cli import AT_ONCE, Project
from tests.infra.e2e.conftest import GRANTS, SECRETS
from tests.infra.fake_google.http import FakeGoogle
from tests.infra.harness import PROJECT

pytestmark = [pytest.mark.real, pytest.mark.deploy]


SENDER = "+15551234567"


def add_version(fake: FakeGoogle, secret: str, value: str) -> None:
    """`gcloud secrets versions add`, as the outputs say it."""
    import base64
    import urllib.request

    url = f"{fake.address}/secretmanager/v1/projects/{PROJECT}/secrets/{secret}:addVersion"
    body = json.dumps({"payload": {"data": base64.b64encode(value.encode()).decode()}}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request).close()


def functions(fake: FakeGoogle) -> set[str]:
    return {key.rpartition("/")[2] for key in fake.cloud.resources if key.startswith("cloudfunctions/")}


def service(fake: FakeGoogle, function: str) -> dict[str, Any]:
    held = fake.cloud.resources[f"cloudfunctions/projects/{PROJECT}/locations/us-central1/functions/{function}"]
    config: dict[str, Any] = held["serviceConfig"]
    return config


def volumes(fake: FakeGoogle, function: str) -> set[str]:
    return {volume["mountPath"] for volume in service(fake, function).get("secretVolumes", [])}


def variables(fake: FakeGoogle, function: str) -> dict[str, str]:
    found: dict[str, str] = service(fake, function)["environmentVariables"]
    return found


def test_a_secret_that_is_added_later_by_hand(new_project: Callable[..., Project], fake: FakeGoogle) -> None:
    project = new_project()
    project.set_all(GRANTS)
    project.run("up")
    missing = project.connection()["missingSecrets"]
    assert set(missing) == {"account-sid", "auth-token"}
    assert "gcloud secrets versions add sms-auth-token" in missing["auth-token"]
    assert project.connection()["state"]["state"] == "AUTH_ERROR"
    assert functions(fake) == {"sms-webhook"}, "the others can't start without them"
    assert project.run("up").changed == {}

    add_version(fake, "sms-account-sid", "AC0123456789abcdef0123456789abcdef")
    add_version(fake, "sms-auth-token", "by-hand")
    changes = project.run("up")
    assert set(changes.changed) == {"create"}
    assert functions(fake) == {"sms-webhook", "sms-connector", "sms-worker", "sms-rotator"}
    assert "/secrets/auth-token" in volumes(fake, "sms-worker")
    assert "/secrets/auth-token" not in volumes(fake, "sms-webhook")
    assert project.connection()["missingSecrets"] == {}
    assert project.run("up").changed == {}


def test_rotation_is_nothing_to_deploy(project: Project, fake: FakeGoogle) -> None:
    project.run("up")
    add_version(fake, "sms-auth-token", "the-next-token")
    assert project.run("up").changed == {}
    assert project.run("refresh").changed == {}
    assert fake.cloud.latest_payload(f"secretmanager/projects/{PROJECT}/secrets/sms-auth-token") == b"the-next-token"

    project.set_all({}, {"authToken": "yet-another-token"})
    assert set(project.run("up").changed) <= {"create-replacement", "replace", "delete-replaced", "update"}
    assert fake.cloud.latest_payload(f"secretmanager/projects/{PROJECT}/secrets/sms-auth-token") == b"yet-another-token"
    assert len(fake.cloud.below(f"secretmanager/projects/{PROJECT}/secrets/sms-auth-token/versions")) == 3


def test_a_second_connection_changes_nothing_of_the_first(
    new_project: Callable[..., Project], fake: FakeGoogle
) -> None:
    project = new_project()
    project.set_all(
        {
            "connections.retail.provider": "twilio",
            "connections.retail.sender": SENDER,
            "connections.retail.protect": "false",
            "connections.retail.grants.seconds": "2",
        },
        {f"connections.retail.{key}": value for key, value in SECRETS.items()},
    )
    project.run("up")
    assert variables(fake, "retail-worker")["SMS_SENDER"] == SENDER, "the command makes a number of it"
    of_first = {k: v for k, v in fake.cloud.shown().items() if "/retail-" in k and "serviceAccounts/" not in k}

    project.set_all(
        {
            f"connections.alarms.{key}": value
            for key, value in {"provider": "telesign", "protect": "false", **GRANTS}.items()
        },
        {f"connections.alarms.{key}": "a-value-of-telesign" for key in ("customerId", "apiKey")},
    )
    changes = project.run("up")
    assert set(changes.changed) == {"create"}
    assert {k: v for k, v in fake.cloud.shown().items() if k in of_first} == of_first
    assert set(project.outputs()["connections"]) == {"retail", "alarms"}
    assert len(functions(fake)) == 8
    assert "a-value-of-telesign" not in project.written()

    project.pulumi("config", "rm", "--path", "connections.alarms")
    assert set(project.run("up").changed) == {"delete"}
    assert {k for k in fake.cloud.shown() if "/alarms-" in k and "iamPolicy" not in k} == set()


def test_private_connectivity(project: Project, fake: FakeGoogle) -> None:
    network = {"name": "company-vpc", "autoCreateSubnetworks": False}
    fake.cloud.put(f"compute/projects/{PROJECT}/global/networks/company-vpc", network)
    settings = {
        "network.vpc": "company-vpc",
        "network.range": "10.8.0.0/23",
        "network.egress": "all",
        "network.staticAddress": "true",
        "network.serviceAttachment": "projects/partner/regions/us-central1/serviceAttachments/proxy",
        "network.serviceHost": "proxy.example.com",
        "proxy.url": "http://proxy.example.com:3128",
        "proxy.auth": "basic",
        "network.tags[0]": "sms",
        "protect": "false",
    }
    project.set_all(settings, {"proxyUsername": "me", "proxyPassword": "proxy-password-e2e"})
    project.run("up")
    assert project.run("up").changed == {}
    assert project.run("refresh").changed == {}
    assert project.connection()["egressAddress"].startswith("34.")
    assert "proxy-password-e2e" not in project.written()
    project.run("destroy")
    assert [key for key in fake.cloud.shown() if key.startswith(("compute/", "clouddns/"))] == [
        f"compute/projects/{PROJECT}/global/networks/company-vpc"
    ]


def test_mistakes_stop_before_anything_is_made(new_project: Callable[..., Project], fake: FakeGoogle) -> None:
    project = new_project()
    project.set_all({"nodes.min": "9", "nodes.max": "3", "sendr": "+15551234567", "authToken": "in-the-clear"})
    printed = project.pulumi("up", *AT_ONCE, fails=True)
    for expected in (
        "nodes.min: 9 is more than nodes.max (3)",
        "sendr: unknown key; did you mean sender?",
        "authToken:",
    ):
        assert expected in printed
    assert "Traceback" not in printed
    assert fake.cloud.resources == {}
