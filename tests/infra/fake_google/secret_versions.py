"""Versions of secrets over the gRPC that Google's client speaks, on the fake's own state: what the rotator does.

Who calls is not said on an unencrypted channel: it is taken to be the rotator of the connection whose secret it is, and its grants
decide.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

from google.api_core import exceptions
from google.cloud import secretmanager_v1 as v1

from tests.fixtures.grpc_fake import Methods, serving
from tests.infra.fake_google.catalog import PROJECT, Json
from tests.infra.fake_google.services import Cloud
from tests.infra.fake_google.values import ApiError, Call

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
# Permissions of https://cloud.google.com/iam/docs/roles-permissions/secretmanager
READS, MANAGES = "roles/secretmanager.secretAccessor", "roles/secretmanager.secretVersionManager"


@contextlib.contextmanager
def serving_versions(cloud: Cloud) -> Iterator[str]:
    """The address for `SECRET_MANAGER_EMULATOR_HOST`."""
    with serving(SERVICE, _methods(cloud)) as address:
        yield address


def _methods(cloud: Cloud) -> Methods:
    def access(request: Any) -> Any:
        answer = _ask(cloud, READS, "GET", request.name, "access")
        data, checksum = base64.b64decode(answer["payload"]["data"]), int(answer["payload"]["dataCrc32c"])
        payload = v1.SecretPayload(data=data, data_crc32c=checksum)
        return v1.AccessSecretVersionResponse(name=answer["name"], payload=payload)

    def add(request: Any) -> Any:
        payload = {
            "data": base64.b64encode(request.payload.data).decode(),
            "dataCrc32c": str(request.payload.data_crc32c),
        }
        return _version(_ask(cloud, MANAGES, "POST", request.parent, "addVersion", {"payload": payload}))

    def disable(request: Any) -> Any:
        return _version(_ask(cloud, MANAGES, "POST", request.name, "disable"))

    def list_versions(request: Any) -> Any:
        assert request.filter == "state:ENABLED", request.filter
        held = _ask(cloud, MANAGES, "GET", f"{request.parent}/versions")["versions"]
        enabled = [_version(each) for each in held if each["state"] == "ENABLED"]
        return v1.ListSecretVersionsResponse(versions=enabled[::-1])

    return {
        "AccessSecretVersion": (v1.AccessSecretVersionRequest, v1.AccessSecretVersionResponse, access),
        "AddSecretVersion": (v1.AddSecretVersionRequest, v1.SecretVersion, add),
        "DisableSecretVersion": (v1.DisableSecretVersionRequest, v1.SecretVersion, disable),
        "ListSecretVersions": (v1.ListSecretVersionsRequest, v1.ListSecretVersionsResponse, list_versions),
    }


def _ask(cloud: Cloud, role: str, method: str, name: str, verb: str = "", body: Json | None = None) -> Json:
    parts = name.split("/")
    secret = f"secretmanager/{'/'.join(parts[:4])}"
    with cloud.lock:
        connection = cloud.resources.get(secret, {}).get("labels", {}).get("connection", "")
        who = f"{connection}-rotator@{PROJECT}.iam.gserviceaccount.com"
        if not cloud.granted(role, who, secret):
            raise exceptions.PermissionDenied(f"{who} lacks {role} on {secret}")  # type: ignore[no-untyped-call]
        try:
            answer: Json = cloud.handle(Call(method, "secretmanager", "v1", parts, verb, {}, body or {}))
        except ApiError as refused:
            kind = {404: exceptions.NotFound, 400: exceptions.FailedPrecondition}[refused.code]
            raise kind(str(refused)) from None  # type: ignore[no-untyped-call]
    return answer


def _version(held: Json) -> v1.SecretVersion:
    return v1.SecretVersion(name=held["name"], state=v1.SecretVersion.State[held["state"]])
