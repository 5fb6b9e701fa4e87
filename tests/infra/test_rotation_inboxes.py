"""Each secret's rotation notices have a subscription of their own: pushed to the rotator, or an inbox."""

from __future__ import annotations

import pytest

import providers
from components.alerts import alerts
from naming import ConnectionNames
from tests.infra import configurations
from tests.infra.harness import NUMBER, Registration

FUNCTION = "gcp:cloudfunctionsv2/function:Function"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"


def test_an_inbox_takes_the_notices_of_one_secret() -> None:
    stack = configurations.stack("everything")
    filters = {inbox.inputs["name"]: inbox.inputs["filter"] for inbox in stack.of(SUBSCRIPTION)}
    rotating = ("auth-token", "api-key-secret", "proxy-password")
    assert filters == {
        f"orders-rotation-{secret}": (
            'attributes.eventType = "SECRET_ROTATE" AND '
            f'attributes.secretId = "projects/{NUMBER}/secrets/orders-{secret}"'
        )
        for secret in rotating
    }


def test_a_notice_is_kept_as_long_as_possible() -> None:
    for inbox in configurations.stack("everything").of(SUBSCRIPTION):
        assert inbox.inputs["messageRetentionDuration"] == f"{31 * 24 * 3600}s"
        assert inbox.inputs["expirationPolicy"] == {"ttl": ""}


def test_a_notice_is_pushed_to_the_rotator_where_that_can_rotate() -> None:
    stack = configurations.stack("everything")
    rotator = stack.named(FUNCTION, "orders-rotator")
    for secret, inbox in inboxes("everything", "orders").items():
        if secret == "proxy-password":
            assert "pushConfig" not in inbox.inputs, "only its owner can make a new one"
            continue
        push, uri = inbox.inputs["pushConfig"], "http://127.0.0.1:9/orders-rotator"
        account = "orders-push@demo-project.iam.gserviceaccount.com"
        assert push["pushEndpoint"] == f"{uri}/tasks/rotation"
        assert push["oidcToken"] == {"serviceAccountEmail": account, "audience": uri}
        assert inbox.inputs["retryPolicy"] == {"minimumBackoff": "10s", "maximumBackoff": "600s"}
        assert inbox.inputs["ackDeadlineSeconds"] == rotator.inputs["serviceConfig"]["timeoutSeconds"] <= 600


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_what_the_rotator_can_not_rotate_is_an_operators(name: str) -> None:
    found = inboxes(f"provider {name}", name)
    pushed = {secret for secret, inbox in found.items() if "pushConfig" in inbox.inputs}
    assert found, "each provider has a credential"
    assert pushed == set(found) & providers.PROVIDERS[name].rotated


def test_a_secret_without_a_value_is_due_for_nothing() -> None:
    assert set(inboxes("two keys", "sms")) == set()
    assert set(inboxes("smallest that sends", "sms")) == {"auth-token"}


def inboxes(configuration: str, connection: str) -> dict[str, Registration]:
    """By the secret."""
    found = configurations.stack(configuration).of(SUBSCRIPTION)
    return {inbox.inputs["name"].removeprefix(f"{connection}-rotation-"): inbox for inbox in found}


def test_the_alerts_tell_a_rotation_that_is_stuck_from_one_that_is_due() -> None:
    due, stuck = (
        next(alert.query for alert in alerts(ConnectionNames("sms"), "twilio") if alert.key == key)
        for key in ("rotation-overdue", "rotation-stuck")
    )
    assert '"sms-rotation-proxy-password"' in due
    assert '"sms-rotation-api-key-secret|sms-rotation-auth-token"' in stuck
    keys = {name: {alert.key for alert in alerts(ConnectionNames("sms"), name)} for name in providers.PROVIDERS}
    assert {name for name, found in keys.items() if "rotation-stuck" in found} == {
        name for name, provider in providers.PROVIDERS.items() if provider.rotations
    }


def test_ending_an_overlap_adds_a_random_version() -> None:
    """A disabled version could not be mounted, so the next deployment would fail."""
    commands = configurations.stack("everything").outputs["connections"]["orders"]["commands"]["endOverlap"]
    assert set(commands) == {"auth-token", "webhook-key", "callback-secret"}
    for secret, command in commands.items():
        assert command.startswith("openssl rand -base64 32 | gcloud secrets versions add ")
        assert f" orders-{secret}-previous " in command
