"""Versions of secrets, over Google's own client against a server that keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import google_crc32c
import grpc
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager_v1 as v1
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from sms_connector.cloud.secrets import CorruptSecret, SecretVersions, StoredVersion
from sms_connector.ports import Secret
from tests.fixtures.grpc_fake import Methods, serving

NAME = "projects/p/secrets/sms-auth-token"
ENABLED, DISABLED = v1.SecretVersion.State.ENABLED, v1.SecretVersion.State.DISABLED


def refuse(kind: Any, message: str) -> NoReturn:
    raise kind(message)


class FakeSecretManager:
    """One secret, `sms-auth-token`, and its versions."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.states: list[int] = []
        self.damaged = False

    def methods(self) -> Methods:
        return {
            "AccessSecretVersion": (v1.AccessSecretVersionRequest, v1.AccessSecretVersionResponse, self.access),
            "AddSecretVersion": (v1.AddSecretVersionRequest, v1.SecretVersion, self.add),
            "DisableSecretVersion": (v1.DisableSecretVersionRequest, v1.SecretVersion, self.disable),
            "ListSecretVersions": (v1.ListSecretVersionsRequest, v1.ListSecretVersionsResponse, self.list),
        }

    def access(self, request: Any) -> Any:
        index = self.index(request.name)
        if self.states[index] != ENABLED:
            refuse(exceptions.FailedPrecondition, "the version is disabled")
        checksum = int(google_crc32c.value(self.values[index])) + self.damaged
        payload = v1.SecretPayload(data=self.values[index], data_crc32c=checksum)
        return v1.AccessSecretVersionResponse(name=self.version(index).name, payload=payload)

    def add(self, request: Any) -> Any:
        if request.parent != NAME:
            refuse(exceptions.NotFound, request.parent)
        assert request.payload.data_crc32c == int(google_crc32c.value(request.payload.data))
        self.values.append(request.payload.data)
        self.states.append(ENABLED)
        return self.version(len(self.values) - 1)

    def disable(self, request: Any) -> Any:
        self.states[self.index(request.name)] = DISABLED
        return self.version(self.index(request.name))

    def list(self, request: Any) -> Any:
        assert request.filter == "state:(ENABLED OR DISABLED)"
        versions = [self.version(index) for index in reversed(range(len(self.values)))]
        return v1.ListSecretVersionsResponse(versions=versions)

    def version(self, index: int) -> v1.SecretVersion:
        created = {"seconds": 1_800_000_000 + index}
        return v1.SecretVersion(name=f"{NAME}/versions/{index + 1}", state=self.states[index], create_time=created)

    def index(self, name: str) -> int:
        parent, _, version = name.partition("/versions/")
        number = len(self.values) if version == "latest" else int(version)
        if parent != NAME or not 1 <= number <= len(self.values):
            refuse(exceptions.NotFound, name)
        return number - 1


@pytest.fixture
def manager() -> FakeSecretManager:
    return FakeSecretManager()


@pytest.fixture
def secrets(manager: FakeSecretManager) -> Iterator[SecretVersions]:
    with serving("google.cloud.secretmanager.v1.SecretManagerService", manager.methods()) as address:
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth has no types here
        with grpc.insecure_channel(address) as channel:
            transport = SecretManagerServiceGrpcTransport(channel=channel, credentials=anonymous)
            client = v1.SecretManagerServiceClient(transport=transport)
            yield SecretVersions(client, project="p", prefix="sms-")


def test_a_rotation(secrets: SecretVersions) -> None:
    """Add the new one, keep reading the one before while both are in use, then disable it."""
    assert secrets.read("auth-token") is None
    assert secrets.add("auth-token", Secret("one")) == 1
    assert secrets.add("auth-token", Secret("two")) == 2
    assert (secrets.read("auth-token"), secrets.read("auth-token", 1)) == ("two", "one")
    secrets.disable("auth-token", 1)
    assert secrets.read("auth-token", 1) is None
    assert [(version.number, version.enabled) for version in secrets.versions("auth-token")] == [(2, True), (1, False)]


def test_a_version_tells_since_when_it_is_there(secrets: SecretVersions) -> None:
    secrets.add("auth-token", Secret("one"))
    version: StoredVersion = secrets.versions("auth-token")[0]
    assert version.created.timestamp() == 1_800_000_000


VALUES = [
    pytest.param("one\n", "one", id="the newline an editor adds"),
    pytest.param("geheimnis-ü", "geheimnis-ü", id="not ASCII"),
    pytest.param("\n", None, id="an empty one is none"),
]


@pytest.mark.parametrize(("stored", "read"), VALUES)
def test_a_value_is_read_as_from_a_file(secrets: SecretVersions, stored: str, read: str | None) -> None:
    secrets.add("auth-token", Secret(stored))
    value = secrets.read("auth-token")
    assert value == read
    assert value is None or repr(value) == "'***'"


def test_a_damaged_value_is_not_used(secrets: SecretVersions, manager: FakeSecretManager) -> None:
    secrets.add("auth-token", Secret("one"))
    manager.damaged = True
    with pytest.raises(CorruptSecret, match=r"arrived damaged; read it again") as error:
        secrets.read("auth-token")
    assert "one" not in str(error.value)


def test_a_secret_that_infrastructure_did_not_make(secrets: SecretVersions) -> None:
    assert secrets.read("other") is None
    with pytest.raises(exceptions.NotFound):
        secrets.add("other", Secret("one"))
    assert secrets.where("other") == "projects/p/secrets/sms-other"
