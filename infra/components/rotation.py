"""Notices that a secret is due for rotation."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels
from naming import ConnectionNames

WEEK = f"{7 * 24 * 3600}s"


class RotationNotices(Component):
    """Owns the topic that Secret Manager sends notices to, and the inbox in which they lie until somebody has rotated.

    Refuses to rotate: only the provider can make a new credential. An old notice in the inbox raises an alert (`alerts.py`).
    """

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        names, labels = ConnectionNames(config.name), own_labels(config.name, config.labels)
        self.topic = gcp.pubsub.Topic(
            f"{config.name}-rotation",
            project=platform.project,
            name=names.other("rotation"),
            labels=labels,
            opts=self.child(platform.apis["pubsub"]),
        )
        self.publisher = gcp.pubsub.TopicIAMMember(
            f"{config.name}-rotation-publisher",
            project=platform.project,
            topic=self.topic.name,
            role="roles/pubsub.publisher",
            member=platform.secret_agent.email.apply(lambda email: f"serviceAccount:{email}"),
            opts=self.child(),
        )
        self.inbox = gcp.pubsub.Subscription(
            f"{config.name}-rotation-inbox",
            project=platform.project,
            name=names.other("rotation"),
            topic=self.topic.id,
            filter='attributes.eventType = "SECRET_ROTATE"',  # the topic also tells of every other change of a secret
            ack_deadline_seconds=60,
            message_retention_duration=WEEK,
            expiration_policy=gcp.pubsub.SubscriptionExpirationPolicyArgs(ttl=""),  # never: silence is its usual state
            labels=labels,
            opts=self.child(),
        )
        self.register_outputs({})
