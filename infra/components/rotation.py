"""Notices that a secret is due for rotation."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels
from naming import ConnectionNames

# The longest that Pub/Sub keeps a message: https://cloud.google.com/pubsub/quotas. Secret Manager sends one notice a
# period.
KEPT = f"{31 * 24 * 3600}s"


class RotationNotices(Component):
    """Owns the topic that Secret Manager sends notices to, and an inbox for each secret in which its notice lies until
    it was rotated.

    Refuses to rotate: only the provider can make a new credential. An old notice in an inbox raises an alert
    (`alerts.py`). Each secret has an inbox of its own, so that rotating one leaves the notices of the others.
    """

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform, self._names = config, platform, ConnectionNames(config.name)
        self._labels = own_labels(config.name, config.labels)
        self.topic = gcp.pubsub.Topic(
            f"{config.name}-rotation",
            project=platform.project,
            name=self._names.other("rotation"),
            labels=self._labels,
            opts=self.child(platform.apis["pubsub"]),
        )
        self.publisher = gcp.pubsub.TopicIAMMember(
            f"{config.name}-rotation-publisher",
            project=platform.project,
            topic=self.topic.name,
            role="roles/pubsub.publisher",
            member=platform.agents["secretmanager"],
            opts=self.child(),
        )
        self.register_outputs({})

    def inbox(self, secret: str, full_name: pulumi.Output[str]) -> gcp.pubsub.Subscription:
        """Make the inbox of one secret. `full_name` is the secret's as notices carry it, with the project's number.

        Attributes: https://cloud.google.com/secret-manager/docs/event-notifications
        """
        return gcp.pubsub.Subscription(
            f"{self._config.name}-rotation-{secret}",
            project=self._platform.project,
            name=self._names.rotation(secret),
            topic=self.topic.id,
            filter=full_name.apply(
                lambda name: f'attributes.eventType = "SECRET_ROTATE" AND attributes.secretId = "{name}"'
            ),
            ack_deadline_seconds=60,
            message_retention_duration=KEPT,
            expiration_policy=gcp.pubsub.SubscriptionExpirationPolicyArgs(ttl=""),  # never: silence is its usual state
            labels=self._labels,
            opts=self.child(),
        )
