"""Each secret's rotation notice lies in an inbox of its own."""

from __future__ import annotations

from tests.infra import configurations
from tests.infra.harness import NUMBER

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


def test_ending_an_overlap_adds_a_random_version() -> None:
    """A disabled version could not be mounted, so the next deployment would fail."""
    commands = configurations.stack("everything").outputs["connections"]["orders"]["commands"]["endOverlap"]
    assert set(commands) == {"auth-token", "webhook-key", "callback-secret"}
    for secret, command in commands.items():
        assert command.startswith("openssl rand -base64 32 | gcloud secrets versions add ")
        assert f" orders-{secret}-previous " in command
