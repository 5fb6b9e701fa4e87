"""Notices that a secret is due for rotation."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels
from naming import ConnectionNames
from providers import PROVIDERS

# The longest that Pub/Sub keeps a message: https://cloud.google.com/pubsub/quotas. Secret Manager sends one notice a
# period.
KEPT = f"{31 * 24 * 3600}s"
# The rotator's time for a request: where a rotation has to wait, it answers; what is left are calls of the provider's
# API. It is the deadline of a push too, of which the longest is 600.
ROTATOR_SECONDS = 300
# The rotator's path for notices.
PUSHED_TO = "/tasks/rotation"


class RotationNotices(Component):
    """Owns the topic that Secret Manager sends notices to, and a subscription for each secret that has a value.

    Where the rotator can make a new credential, the notice is pushed to it, and comes again until the rotation is done.
    Any other notice lies in the secret's inbox until an operator has rotated. Refuses to rotate. An old notice in either
    raises an alert (`alerts.py`). Each secret has a subscription of its own, so that rotating one leaves the notices of
    the others.
    """

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform, self._names = config, platform, ConnectionNames(config.name)
        self._labels = own_labels(config.name, config.labels)
        self.inboxes: dict[str, gcp.pubsub.Subscription] = {}
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

    def subscribe(
        self,
        secrets: Mapping[str, gcp.secretmanager.Secret],
        *,
        rotator: gcp.cloudfunctionsv2.Function | None,
        caller: gcp.serviceaccount.Account,
    ) -> None:
        """Make the subscription of each of these secrets. `caller` is who notices call the rotator as."""
        rotated = PROVIDERS[self._config.provider].rotated
        for name, secret in secrets.items():
            pushed = rotator if name in rotated else None
            self.inboxes[name] = self._subscription(name, secret.name, _push(pushed, caller) if pushed else None)

    def _subscription(
        self, secret: str, full_name: pulumi.Output[str], push: gcp.pubsub.SubscriptionPushConfigArgs | None
    ) -> gcp.pubsub.Subscription:
        """Make the subscription of one secret. `full_name` is the secret's as notices carry it, with the project's
        number.

        Attributes: https://cloud.google.com/secret-manager/docs/event-notifications. Pushed, a notice is answered with
        503 until the rotation is done, and comes again after the retry policy's pauses: Pub/Sub reads no Retry-After.
        """
        return gcp.pubsub.Subscription(
            f"{self._config.name}-rotation-{secret}",
            project=self._platform.project,
            name=self._names.rotation(secret),
            topic=self.topic.id,
            filter=full_name.apply(
                lambda name: f'attributes.eventType = "SECRET_ROTATE" AND attributes.secretId = "{name}"'
            ),
            push_config=push,
            ack_deadline_seconds=ROTATOR_SECONDS if push else 60,
            retry_policy=gcp.pubsub.SubscriptionRetryPolicyArgs(minimum_backoff="10s", maximum_backoff="600s")
            if push
            else None,
            message_retention_duration=KEPT,
            expiration_policy=gcp.pubsub.SubscriptionExpirationPolicyArgs(ttl=""),  # never: silence is its usual state
            labels=self._labels,
            opts=self.child(),
        )


def _push(
    rotator: gcp.cloudfunctionsv2.Function, caller: gcp.serviceaccount.Account
) -> gcp.pubsub.SubscriptionPushConfigArgs:
    uri = rotator.service_config.apply(lambda service: (service.uri if service else None) or "")
    return gcp.pubsub.SubscriptionPushConfigArgs(
        push_endpoint=pulumi.Output.concat(uri, PUSHED_TO),
        oidc_token=gcp.pubsub.SubscriptionPushConfigOidcTokenArgs(service_account_email=caller.email, audience=uri),
    )
