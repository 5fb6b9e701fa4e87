"""Versions of secrets in Secret Manager. The functions read their secrets as mounted files (`local/secrets.py`), which
follow the newest version; this is for the rotator, which adds and disables versions."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial

import google_crc32c
import grpc
from google.api_core import exceptions, retry
from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AddSecretVersionRequest,
    DisableSecretVersionRequest,
    ListSecretVersionsRequest,
    SecretPayload,
)

from sms_connector.errors import NotSent
from sms_connector.ports import Secret

SECONDS = 10.0
_repeated = retry.Retry(
    predicate=retry.if_exception_type(exceptions.ServiceUnavailable, exceptions.DeadlineExceeded),
    initial=0.2,
    maximum=2.0,
    timeout=20.0,
)


class ManagedVersions:
    """`ports.SecretVersions` of one connection, whose secrets are named `<connection>-<name>` in the project."""

    def __init__(self, make_client: Callable[[], SecretManagerServiceClient], *, project: str, connection: str) -> None:
        self._make_client = make_client
        self._prefix = f"projects/{project}/secrets/{connection}-"

    @classmethod
    def connect(cls, project: str, connection: str, *, environ: Mapping[str, str] = os.environ) -> ManagedVersions:
        """Connect with the function's own credentials, or to the emulator that `SECRET_MANAGER_EMULATOR_HOST` names."""
        emulator = environ.get("SECRET_MANAGER_EMULATOR_HOST")
        make_client = partial(_emulator_client, emulator) if emulator else SecretManagerServiceClient
        return cls(make_client, project=project, connection=connection)

    @cached_property
    def _client(self) -> SecretManagerServiceClient:
        """Make it at the first call, hence after the server has forked: a channel does not survive a fork
        (grpc/grpc#41725)."""
        return self._make_client()

    def read(self, name: str, number: int | None = None) -> Secret | None:
        request = AccessSecretVersionRequest(name=f"{self._prefix}{name}/versions/{number or 'latest'}")
        try:
            payload = self._client.access_secret_version(request, retry=_repeated, timeout=SECONDS).payload
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return None  # no such secret or version; or it is disabled or destroyed
        if payload.data_crc32c != google_crc32c.value(payload.data):
            raise NotSent(f"{request.name} arrived damaged; it is read again with the next attempt")
        return Secret(payload.data.decode().removesuffix("\n").removesuffix("\r")) or None

    def numbers(self, name: str) -> Sequence[int]:
        request = ListSecretVersionsRequest(parent=self._prefix + name, filter="state:ENABLED")
        found = self._client.list_secret_versions(request, retry=_repeated, timeout=SECONDS)
        return sorted((int(each.name.rpartition("/")[2]) for each in found), reverse=True)

    def add(self, name: str, value: Secret) -> None:
        """Not repeated by itself: an answer that is lost may leave a version too many."""
        data = value.encode()
        payload = SecretPayload(data=data, data_crc32c=int(google_crc32c.value(data)))
        request = AddSecretVersionRequest(parent=self._prefix + name, payload=payload)
        self._client.add_secret_version(request, retry=None, timeout=SECONDS)

    def disable(self, name: str, number: int) -> None:
        request = DisableSecretVersionRequest(name=f"{self._prefix}{name}/versions/{number}")
        self._client.disable_secret_version(request, retry=_repeated, timeout=SECONDS)


def _emulator_client(address: str) -> SecretManagerServiceClient:
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth has no types here
    transport = SecretManagerServiceGrpcTransport(channel=grpc.insecure_channel(address), credentials=anonymous)
    return SecretManagerServiceClient(transport=transport)
