"""What a stack tells when it is up: nothing secret, and commands that can be pasted."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

import providers
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from tests.infra import configurations, harness
from tests.infra.configurations import CONFIGURATIONS


def told(name: str) -> dict[str, Any]:
    connections: dict[str, Any] = configurations.stack(name).outputs["connections"]
    return connections


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_secret_value_is_told(name: str) -> None:
    text = json.dumps(configurations.stack(name).outputs)
    assert [value for value in configurations.secret_values(name) if value in text] == []


def test_the_outputs_of_a_connection() -> None:
    connection = told("smallest that sends")["sms"]
    assert connection["webhookUrl"] == "https://sms-webhook-123456789012.us-central1.run.app"
    assert connection["connectorUrl"].endswith("/sms-connector")
    assert set(connection["accounts"]) == {
        "connector",
        "worker",
        "webhook",
        "rotator",
        "tasks",
        "check",
        "scheduler",
        "push",
    }
    assert connection["queues"] == {"chunks": "sms-chunks", "events": "sms-events"}
    assert set(connection["state"]) == {"state", "description", "latencyMillis"}
    assert connection["missingSecrets"] == {}
    assert "sms-auth-token" in connection["secrets"].values()


def test_every_missing_secret_has_its_command() -> None:
    missing = told("minimal")["sms"]["missingSecrets"]
    assert missing == {
        name: f'printf %s "$VALUE" | gcloud secrets versions add sms-{name} --project=demo-project --data-file=-'
        for name in ("account-sid", "auth-token")
    }


def test_rotating_keeps_the_token_before() -> None:
    commands = told("everything")["orders"]["commands"]["rotate"]
    assert set(commands) == {"auth-token", "api-key-secret", "proxy-password", "webhook-key", "callback-secret"}
    overlapping = {"auth-token", "webhook-key", "callback-secret"}
    for name, command in commands.items():
        assert f"versions add orders-{name} " in command
        kept = f"--secret=orders-{name} --project=demo-project | gcloud secrets versions add orders-{name}-previous "
        assert (kept in command) == (name in overlapping)


def test_rotating_takes_a_notice_out_of_the_inbox_where_there_is_one() -> None:
    commands = told("everything")["orders"]["commands"]["rotate"]
    noticed = {
        name
        for name, c in commands.items()
        if c.endswith(f"seek orders-rotation-{name} --project=demo-project --time=$(date -u +%Y-%m-%dT%H:%M:%SZ)")
    }
    assert noticed == {"auth-token", "api-key-secret", "proxy-password"}


@pytest.mark.parametrize(
    ("name", "begin"), [("webhook-key", 'VALUE="$(openssl '), ("callback-secret", 'VALUE="whsec_$(openssl ')]
)
def test_what_is_ours_is_made_anew_by_its_command(name: str, begin: str) -> None:
    assert told("everything")["orders"]["commands"]["rotate"][name].startswith(begin)


def test_what_a_destroy_keeps_is_told() -> None:
    assert told("unprotected")["sms"]["keptByDestroy"] == []
    kept = {"sms-ledger", "sms-auth-token", "sms-webhook-key", "sms-chunks", "sms-events"}
    assert set(told("minimal")["sms"]["keptByDestroy"]) >= kept


def test_commands_call_the_connector() -> None:
    commands = told("smallest that sends")["sms"]["commands"]
    assert commands["send"].startswith("curl -X POST -H ")
    assert commands["send"].endswith("/sms-connector/v1/messages:send")
    assert commands["test"].endswith("/v1/connection:test")
    assert " -d " in commands["test"], "Google's front end refuses a POST without a length (411)"


def test_each_connection_tells_for_itself() -> None:
    assert set(told("several")) == {"retail", "alarms"}
    assert configurations.stack("several").outputs["archive"] == harness.run().outputs["archive"]


def test_a_connection_that_waits_for_values_says_for_which() -> None:
    connection = told("two keys")["sms"]
    assert connection["state"]["state"] == "AUTH_ERROR"
    assert "no value for auth-token;" in connection["state"]["description"]
    assert connection["connectorUrl"] is None
    assert set(connection["commands"]) == {"rotate", "endOverlap", "watch", "callbackSecret", "inboundAddress"}


@pytest.mark.parametrize("kind", ["status", "inbound"])
@pytest.mark.parametrize("key", ["a-key", "k+/=$`'", "S3Yp6t2cFBGpOzRzmUwpH8lT3v0Zf1l5x9K2nQ7aY4w="])
def test_an_address_is_the_one_that_the_webhook_takes(key: str, kind: str, tmp_path: Path) -> None:
    """Run as it is pasted, with a stand-in for gcloud that tells the key."""
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(key)}\n")
    gcloud.chmod(0o755)
    connection = told("smallest that sends")["sms"]
    command = connection["callbackAddresses"][kind]["command"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    printed = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True).stdout
    (tmp_path / "webhook-key").write_text(key)
    secrets = FileSecrets(tmp_path, clock=SystemClock())
    url = "https://sms-webhook-123456789012.us-central1.run.app"
    address = CallbackAddress(url, provider="twilio", connection="sms", secrets=secrets).of_kind(kind)
    assert printed.strip() == address
    assert connection["callbackAddresses"][kind]["url"] == address.rpartition("/")[0] + "/{token}"


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_where_each_address_is_entered_is_told(name: str) -> None:
    addresses = told(f"provider {name}")[name]["callbackAddresses"]
    assert {kind: entry["enterAt"] for kind, entry in addresses.items()} == providers.PROVIDERS[name].places
    assert set(addresses) == {"status", "inbound"}
    assert all(f".run.app/webhooks/{name}/{kind}/" in entry["url"] for kind, entry in addresses.items())


def test_where_nothing_can_come_in_no_address_is_told() -> None:
    stack = harness.run({"webhook": '{"public": "none"}'})
    assert stack.outputs["connections"]["sms"]["callbackAddresses"] == {}
