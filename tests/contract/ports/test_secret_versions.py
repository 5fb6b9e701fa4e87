"""Versions of secrets: a folder of one's own, and Secret Manager over Google's own client against a server that keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import google_crc32c
import pytest
from google.api_core import exceptions
from google.cloud import secretmanager_v1 as v1

from sms_connector.cloud.secrets import ManagedVersions
from sms_connector.errors import NotSent
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets, FolderVersions
from sms_connector.ports import Secret, SecretVersions
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
        assert request.filter == "state:ENABLED"
        versions = [self.version(index) for index, state in enumerate(self.states) if state == ENABLED]
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
def managed(manager: FakeSecretManager) -> Iterator[SecretVersions]:
    with serving("google.cloud.secretmanager.v1.SecretManagerService", manager.methods()) as address:
        environ = {"SECRET_MANAGER_EMULATOR_HOST": address}
        yield ManagedVersions.connect("p", "sms", environ=environ)


@pytest.fixture(params=["folder", "managed"])
def versions(request: pytest.FixtureRequest, tmp_path: Path) -> SecretVersions:
    chosen: SecretVersions = (
        FolderVersions(tmp_path) if request.param == "folder" else request.getfixturevalue("managed")
    )
    return chosen


def test_the_newest_is_read_and_the_one_before_can_be(versions: SecretVersions) -> None:
    assert versions.read("auth-token") is None
    assert versions.numbers("auth-token") == []
    versions.add("auth-token", Secret("one"))
    versions.add("auth-token", Secret("two"))
    assert versions.numbers("auth-token") == [2, 1]
    assert [versions.read("auth-token", number) for number in (None, 2, 1, 7)] == ["two", "two", "one", None]


def test_a_disabled_one_is_read_no_more_and_its_number_is_not_given_again(versions: SecretVersions) -> None:
    for value in ("one", "two"):
        versions.add("auth-token", Secret(value))
    versions.disable("auth-token", 1)
    versions.disable("auth-token", 1)
    versions.add("auth-token", Secret("three"))
    assert versions.numbers("auth-token") == [3, 2]
    assert versions.read("auth-token", 1) is None


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        pytest.param("one\n", "one", id="the newline an editor adds"),
        pytest.param("geheimnis-ü", "geheimnis-ü", id="not ASCII"),
        pytest.param("\n", None, id="an empty one is none"),
    ],
)
def test_a_value_is_read_as_from_a_file(versions: SecretVersions, stored: str, read: str | None) -> None:
    versions.add("auth-token", Secret(stored))
    value = versions.read("auth-token")
    assert value == read
    assert value is None or repr(value) == "'***'"


def test_a_damaged_value_is_not_used(managed: SecretVersions, manager: FakeSecretManager) -> None:
    managed.add("auth-token", Secret("one"))
    manager.damaged = True
    with pytest.raises(NotSent, match="arrived damaged") as error:
        managed.read("auth-token")
    assert "one" not in str(error.value)


def test_a_secret_that_infrastructure_did_not_make(managed: SecretVersions) -> None:
    assert managed.read("other") is None
    with pytest.raises(exceptions.NotFound):
        managed.add("other", Secret("one"))


def test_the_folder_that_is_rotated_is_the_one_that_is_read(tmp_path: Path) -> None:
    FolderVersions(tmp_path).add("auth-token", Secret("one"))
    FolderVersions(tmp_path).add("auth-token", Secret("two"))
    assert FileSecrets(tmp_path, clock=SystemClock()).get("auth-token") == "two"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()} == {0o600}
