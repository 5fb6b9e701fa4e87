"""A connection's secrets."""

from __future__ import annotations

import hashlib
import secrets as randomness
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import pulumi
import pulumi_gcp as gcp

from components.accounts import ConnectionAccounts
from components.component import Component
from components.platform import Platform
from components.rotation import RotationNotices
from connection_config import ConnectionConfig
from grants import wait_for_grants
from labels import own_labels
from lookups import Lookups, Newest
from naming import ConnectionNames
from providers import CA_CERTIFICATES, PROVIDERS, Origin, SecretSpec

GRANTED = {"read": "roles/secretmanager.secretAccessor", "rotate": "roles/secretmanager.secretVersionManager"}


class ConnectionSecrets(Component):
    """Owns the containers, who may read and who may rotate each, when a notice is due, and the first version of what
    the configuration gives.

    Refuses to own versions that were added by hand: it takes no version away, ever, and reads none. A secret without
    any value stays without a version and is not mounted (a function that mounts a missing version can't be deployed);
    `missing` names those. See docs/decisions/0101-secrets-without-a-value.md.
    """

    def __init__(
        self,
        name: str,
        config: ConnectionConfig,
        platform: Platform,
        accounts: ConnectionAccounts,
        *,
        rotation: RotationNotices,
        lookups: Lookups,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform, self._rotation, self._now = config, platform, rotation, now
        self.names = ConnectionNames(config.name)
        self._granted = wait_for_grants(config, "secrets")
        self.specs = config.secret_specs
        self.by_name = {spec.name: self._secret(spec) for spec in self.specs}
        self.versions = {spec.name: made for spec in self.specs if (made := self._first_version(spec))}
        self.newest = {
            spec.name: lookups.newest_version(platform.project, self.names.secret(spec.name)) for spec in self.specs
        }
        self.mounted = [spec.name for spec in self.specs if self._can_be_mounted(spec.name)]
        needed = {spec.name for spec in self.specs if spec.required} | PROVIDERS[config.provider].lacking(self.mounted)
        self.missing = [spec for spec in self.specs if spec.name in needed.difference(self.mounted)]
        self._refuse_disabled()
        self.grants = {
            role: [self._grant(spec, role, accounts, to="read") for spec in self.specs if role in spec.readers]
            for role in ("connector", "worker", "webhook", "rotator")
        }
        rotated = [spec for spec in self.specs if spec.name in PROVIDERS[config.provider].rotated]
        # It adds, lists and disables versions; a role that can't destroy them as well is none of Google's:
        # https://cloud.google.com/iam/docs/roles-permissions/secretmanager
        self.grants["rotator"] += [self._grant(spec, "rotator", accounts, to="rotate") for spec in rotated]
        self.register_outputs({})

    @property
    def noticed(self) -> dict[str, gcp.secretmanager.Secret]:
        """The secrets whose rotation notices count: those that rotate and have a value."""
        return {s.name: self.by_name[s.name] for s in self.specs if s.rotates and s.name in self.mounted}

    def ready(self, role: str) -> list[pulumi.Resource]:
        """Return what has to exist before a function of this role can be deployed."""
        return [*self.grants[role], *(self.versions[n] for n in self.mounts(role) if n in self.versions)]

    def mounts(self, role: str) -> list[str]:
        """Return the secrets a function of this role gets as files."""
        return [spec.name for spec in self.specs if spec.name in self.mounted and role in spec.readers]

    def _refuse_disabled(self) -> None:
        """Stop before a required secret would be unmounted from functions that run."""
        stuck = [spec.name for spec in self.missing if self.newest[spec.name] is Newest.DISABLED]
        if stuck:
            names = ", ".join(self.names.secret(name) for name in stuck)
            raise pulumi.RunError(
                f"the newest version of {names} is not enabled, so no function can be deployed with it; fix: enable it "
                "(gcloud secrets versions enable) or add a version (gcloud secrets versions add)"
            )

    def _can_be_mounted(self, name: str) -> bool:
        """Tell whether `latest` can be read. The platform refuses a function that mounts a disabled version."""
        return self.newest[name] is Newest.ENABLED or (self.newest[name] is Newest.NONE and name in self.versions)

    def _secret(self, spec: SecretSpec) -> gcp.secretmanager.Secret:
        config = self._config
        return gcp.secretmanager.Secret(
            f"{config.name}-{spec.name}",
            project=self._platform.project,
            secret_id=self.names.secret(spec.name),
            replication=gcp.secretmanager.SecretReplicationArgs(
                user_managed=gcp.secretmanager.SecretReplicationUserManagedArgs(
                    replicas=[gcp.secretmanager.SecretReplicationUserManagedReplicaArgs(location=self._platform.region)]
                )
            ),
            annotations={"meaning": spec.meaning},
            labels=own_labels(config.name, config.labels),
            topics=[gcp.secretmanager.SecretTopicArgs(name=self._rotation.topic.id)] if spec.rotates else None,
            rotation=self._schedule() if spec.rotates else None,
            deletion_protection=config.protect,
            opts=self.child(
                self._platform.apis["secretmanager"],
                self._rotation.publisher,
                protect=config.protect,
                hooks=self._granted if spec.rotates else None,  # Secret Manager has to publish to the topic
                # Secret Manager moves the time on by itself; what was said at creation must not be said again.
                ignore_changes=["rotation.nextRotationTime"],
            ),
        )

    def _schedule(self) -> gcp.secretmanager.SecretRotationArgs:
        period = timedelta(days=self._config.rotation_days)
        return gcp.secretmanager.SecretRotationArgs(
            rotation_period=f"{int(period.total_seconds())}s",
            next_rotation_time=(self._now() + period).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def _first_version(self, spec: SecretSpec) -> gcp.secretmanager.SecretVersion | None:
        """Add the value write-only: the provider never reads it back, so a deployer needs no right to read secrets."""
        value, mark = self._value(spec)
        if value is None:
            return None
        return gcp.secretmanager.SecretVersion(
            f"{self._config.name}-{spec.name}",
            secret=self.by_name[spec.name].id,
            secret_data_wo=pulumi.Output.secret(value),
            secret_data_wo_version=pulumi.Output.secret(mark),
            # A version may be in use or may be the way back: it is left in place when another value is configured or
            # none is.
            deletion_policy="ABANDON",
            opts=self.child(ignore_changes=["enabled"]),  # rotating by hand disables old versions
        )

    def _value(self, spec: SecretSpec) -> tuple[str | None, int]:
        """Return the first value and its mark: only another mark makes another version, so a value made here is used
        once."""
        if spec.origin is Origin.MADE:
            return spec.prefix + b64encode(randomness.token_bytes(32)).decode(), 1
        if spec is CA_CERTIFICATES:
            return self._config.network_ca, _mark(self._config.network_ca or "")
        given = self._config.secrets.get(spec.name)
        return (given.get_secret_value(), _mark(given.get_secret_value())) if given else (None, 0)

    def _grant(
        self, spec: SecretSpec, role: str, accounts: ConnectionAccounts, *, to: Literal["read", "rotate"]
    ) -> gcp.secretmanager.SecretIamMember:
        return gcp.secretmanager.SecretIamMember(
            f"{self._config.name}-{role}-{to}s-{spec.name}",
            project=self._platform.project,
            secret_id=self.by_name[spec.name].secret_id,
            role=GRANTED[to],
            member=accounts[role].member,
            opts=self.child(),
        )


def _mark(value: str) -> int:
    """Return a number for a value, since the provider's older versions take nothing else; it is kept encrypted like the
    value."""
    return int(hashlib.sha256(value.encode()).hexdigest()[:7], 16) + 1
