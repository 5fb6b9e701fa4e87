"""Versions of secrets in Secret Manager: what a rotation needs beside the mounted files.

The functions read their secrets as files (`local/secrets.py`): the platform mounts the newest version of each, and
the mount follows it. This is for who changes them: add a version, look at the older ones, disable one.
"""

from __future__ import annotations

from datetime import UTC, datetime

import google_crc32c
import msgspec
from google.api_core import exceptions, retry
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AddSecretVersionRequest,
    DisableSecretVersionRequest,
    ListSecretVersionsRequest,
    SecretPayload,
    SecretVersion,
)

from sms_connector.ports import Secret

SECONDS = 10.0
_repeated = retry.Retry(
    predicate=retry.if_exception_type(exceptions.ServiceUnavailable, exceptions.DeadlineExceeded),
    initial=0.2,
    maximum=2.0,
    timeout=20.0,
)


class StoredVersion(msgspec.Struct, frozen=True):
    """A version of a secret: its number, whether it can be read, and since when it is there."""

    number: int
    enabled: bool
    created: datetime


class CorruptSecret(Exception):
    """The value read isn't the value stored (its checksum differs): read it again."""


class SecretVersions:
    """The versions of one connection's secrets. A secret's id in the project is `prefix` and its name
    (`sms-auth-token`)."""

    def __init__(self, client: SecretManagerServiceClient, *, project: str, prefix: str = "") -> None:
        self._client = client
        self._parent = f"projects/{project}/secrets/{prefix}"

    @classmethod
    def connect(cls, project: str, *, prefix: str = "") -> SecretVersions:
        """Connect with the function's own credentials."""
        return cls(SecretManagerServiceClient(), project=project, prefix=prefix)

    def where(self, name: str) -> str:
        return self._parent + name

    def read(self, name: str, version: int | None = None) -> Secret | None:
        """Return the value of a version (the newest if none is named), without its trailing newline; None where there
        is none to read."""
        request = AccessSecretVersionRequest(name=f"{self.where(name)}/versions/{version or 'latest'}")
        try:
            payload = self._client.access_secret_version(request, retry=_repeated, timeout=SECONDS).payload
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return None  # no such secret or version; or it is disabled or destroyed
        if payload.data_crc32c != _checksum(payload.data):
            raise CorruptSecret(f"{request.name} arrived damaged; read it again")
        return Secret(payload.data.decode().removesuffix("\n").removesuffix("\r")) or None

    def versions(self, name: str) -> list[StoredVersion]:
        """Return all versions that aren't destroyed, newest first."""
        request = ListSecretVersionsRequest(parent=self.where(name), filter="state:(ENABLED OR DISABLED)")
        return [
            _version(stored) for stored in self._client.list_secret_versions(request, retry=_repeated, timeout=SECONDS)
        ]

    def add(self, name: str, value: Secret) -> int:
        """Make this the newest version; return its number. Not repeated by itself: an answer that is lost may leave a
        version too many."""
        data = value.encode()
        payload = SecretPayload(data=data, data_crc32c=_checksum(data))
        request = AddSecretVersionRequest(parent=self.where(name), payload=payload)
        return _version(self._client.add_secret_version(request, retry=None, timeout=SECONDS)).number

    def disable(self, name: str, version: int) -> None:
        """Disable a version: it can no longer be read, until it is enabled by hand."""
        request = DisableSecretVersionRequest(name=f"{self.where(name)}/versions/{version}")
        self._client.disable_secret_version(request, retry=_repeated, timeout=SECONDS)


def _version(stored: SecretVersion) -> StoredVersion:
    created = SecretVersion.pb(stored).create_time.ToDatetime(UTC)
    enabled = stored.state == SecretVersion.State.ENABLED
    return StoredVersion(int(stored.name.rpartition("/")[2]), enabled, created)


def _checksum(data: bytes) -> int:
    return int(google_crc32c.value(data))
