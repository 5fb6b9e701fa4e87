"""Rules over every resource the program declares, held against every configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra import configurations
from tests.infra.configurations import CONFIGURATIONS
from tests.infra.harness import PROJECT, REGION, SECRET_MARK, Registration, Stack

# The whole list of roles on the project, with why nothing narrower does. Datastore and storage are narrowed by a condition.
PROJECT_ROLES = {
    "roles/logging.logWriter": "a build writes its log, which is the project's",
    "roles/storage.objectViewer": "the bucket the platform builds from is not ours; the condition names it",
    "roles/datastore.user": "Firestore takes grants on projects only; the condition names the database",
}
CONDITIONED = {"roles/storage.objectViewer", "roles/datastore.user"}
LABELS = {
    "gcp:artifactregistry/repository:Repository": "labels",
    "gcp:cloudfunctionsv2/function:Function": "labels",
    "gcp:compute/address:Address": "labels",
    "gcp:compute/forwardingRule:ForwardingRule": "labels",
    "gcp:dns/managedZone:ManagedZone": "labels",
    "gcp:monitoring/alertPolicy:AlertPolicy": "userLabels",
    "gcp:monitoring/notificationChannel:NotificationChannel": "userLabels",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": "userLabels",
    "gcp:pubsub/subscription:Subscription": "labels",
    "gcp:pubsub/topic:Topic": "labels",
    "gcp:secretmanager/secret:Secret": "labels",
    "gcp:storage/bucket:Bucket": "labels",
}
# What holds data, what is part of the database, and queues, whose names are refused for days after they were deleted.
KEPT = (
    "gcp:cloudtasks/queue:Queue",
    "gcp:firestore/backupSchedule:BackupSchedule",
    "gcp:firestore/database:Database",
    "gcp:firestore/field:Field",
    "gcp:firestore/index:Index",
    "gcp:secretmanager/secret:Secret",
)


@pytest.fixture(params=CONFIGURATIONS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stack(name: str) -> Stack:
    return configurations.stack(name)


def grants(stack: Stack) -> Iterator[Registration]:
    return (r for r in stack.resources if "role" in r.inputs and "member" in r.inputs)


def test_what_takes_new_grants_is_made_when_they_act() -> None:
    """Secret Manager publishes to the topic of a secret that rotates; a build and a function read with grants of the same update."""
    stack = configurations.stack("everything")
    functions = stack.of("gcp:cloudfunctionsv2/function:Function")
    secrets = stack.of("gcp:secretmanager/secret:Secret")
    assert {f.before_create for f in functions} == {("orders-functions-wait-for-grants",)}
    assert {bool(s.before_create) for s in secrets if s.inputs.get("rotation")} == {True}
    assert {bool(s.before_create) for s in secrets if not s.inputs.get("rotation")} == {False}


def test_no_role_on_the_project_outside_the_list(stack: Stack) -> None:
    for grant in stack.of("gcp:projects/iAMMember:IAMMember"):
        assert grant.inputs["role"] in PROJECT_ROLES, grant.name
        assert (grant.inputs["role"] in CONDITIONED) == ("condition" in grant.inputs), grant.name


def test_only_additive_grants(stack: Stack) -> None:
    """A binding or a policy would throw out what others granted."""
    assert [
        r.name for r in stack.resources if re.search(r"I[aA]M(Binding|Policy)\b|IamBinding|IamPolicy", r.type)
    ] == []


def test_no_basic_roles(stack: Stack) -> None:
    basic = ("roles/owner", "roles/editor", "roles/viewer")
    assert [g.name for g in grants(stack) if g.inputs["role"] in basic] == []


def test_the_public_reaches_the_webhook_alone(stack: Stack) -> None:
    """By a switch of the service, so that nothing is granted to everybody: many organisations refuse such a grant."""
    assert [g.name for g in grants(stack) if g.inputs["member"] in ("allUsers", "allAuthenticatedUsers")] == []
    webhooks = [
        r.inputs["name"] for r in stack.of("gcp:cloudfunctionsv2/function:Function") if r.name.endswith("-webhook")
    ]
    place = f"projects/{PROJECT}/locations/{REGION}/services"
    assert sorted(stack.switched) == sorted((f"{place}/{webhook}", True) for webhook in webhooks)


def test_secrets_are_granted_one_by_one(stack: Stack) -> None:
    reading = [g for g in grants(stack) if "secretmanager" in g.inputs["role"]]
    assert {g.type for g in reading} == {"gcp:secretmanager/secretIamMember:SecretIamMember"}
    more = [g for g in reading if g.inputs["role"] != "roles/secretmanager.secretAccessor"]
    assert {g.inputs["role"] for g in more} <= {"roles/secretmanager.secretVersionManager"}
    assert all("-rotator-rotates-" in g.name for g in more), "only the rotator changes versions"


def test_the_webhook_reads_its_own_keys_alone(stack: Stack) -> None:
    keys = ("webhook-key", "webhook-key-previous")
    read = [g.name for g in grants(stack) if "secretmanager" in g.type and "-webhook-reads-" in g.name]
    assert {grant.partition("-webhook-reads-")[2] for grant in read} == set(keys)
    for function in stack.of("gcp:cloudfunctionsv2/function:Function"):
        if function.name.endswith("-webhook"):
            mounted = [v["mountPath"] for v in function.inputs["serviceConfig"].get("secretVolumes", [])]
            assert mounted == [f"/secrets/{key}" for key in keys]


def test_a_function_is_given_what_its_account_may_read_and_no_more(stack: Stack) -> None:
    for function in stack.of("gcp:cloudfunctionsv2/function:Function"):
        mounted = {volume["secret"] for volume in function.inputs["serviceConfig"].get("secretVolumes", [])}
        reading = stack.of("gcp:secretmanager/secretIamMember:SecretIamMember")
        assert mounted <= {g.inputs["secretId"] for g in reading if g.name.startswith(f"{function.name}-reads-")}


def test_no_account_has_a_key(stack: Stack) -> None:
    assert stack.of("gcp:serviceaccount/key:Key") == []


def test_labels_everywhere(stack: Stack) -> None:
    for resource in stack.resources:
        if resource.type in LABELS:
            found = resource.inputs.get(LABELS[resource.type], {})
            assert {"application": "sms-connector", "managed-by": "pulumi"}.items() <= found.items(), resource.name
            if "-" in resource.name and not resource.name.startswith("build-"):
                assert "connection" in found, resource.name


def test_every_kind_with_labels_is_in_the_list(stack: Stack) -> None:
    labelled = {r.type for r in stack.resources if "labels" in r.inputs or "userLabels" in r.inputs}
    assert labelled <= set(LABELS)


def test_data_is_protected_unless_told_otherwise(name: str, stack: Stack) -> None:
    for resource in stack.resources:
        if resource.type not in KEPT:
            assert not resource.protect, f"{resource.name} is made again as it was"
            continue
        wanted = name != "unprotected" and not resource.name.startswith("alarms-")
        assert resource.protect is wanted, resource.name
        if "deletionProtection" in resource.inputs:
            assert resource.inputs["deletionProtection"] is wanted
        if "deleteProtectionState" in resource.inputs:
            assert (resource.inputs["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED") is wanted


def test_nothing_is_left_behind_in_silence(stack: Stack) -> None:
    """Versions are the exception: they go with their secret, and before that one may be the way back."""
    assert [r.name for r in stack.resources if r.retain] == []
    kept = [r.type for r in stack.resources if r.inputs.get("deletionPolicy") == "ABANDON"]
    assert set(kept) <= {"gcp:secretmanager/secretVersion:SecretVersion"}


def test_functions_are_sized_sanely(stack: Stack) -> None:
    for function in stack.of("gcp:cloudfunctionsv2/function:Function"):
        service = function.inputs["serviceConfig"]
        assert 0 <= service["minInstanceCount"] <= service["maxInstanceCount"] <= 1000
        assert service["timeoutSeconds"] <= 3600
        assert service["availableCpu"] == "1", "more than one request at a time takes a whole CPU"
        assert service["environmentVariables"]["THREADS"] == str(int(service["maxInstanceRequestConcurrency"]))
        assert "secretEnvironmentVariables" not in service, "a variable keeps its value until the next deployment"


def test_each_function_has_an_account_of_its_own(stack: Stack) -> None:
    used = [
        f.inputs["serviceConfig"]["serviceAccountEmail"] for f in stack.of("gcp:cloudfunctionsv2/function:Function")
    ]
    assert len(used) == len(set(used))


def test_workers_take_one_chunk_at_a_time(stack: Stack) -> None:
    """The queue's concurrent dispatches are then the number of workers."""
    queues = {r.name: r.inputs["rateLimits"] for r in stack.of("gcp:cloudtasks/queue:Queue")}
    for function in stack.of("gcp:cloudfunctionsv2/function:Function"):
        if function.name.endswith("-worker"):
            chunks = queues[function.name.removesuffix("-worker") + "-chunks"]
            assert function.inputs["serviceConfig"]["maxInstanceRequestConcurrency"] == 1
            assert chunks["maxConcurrentDispatches"] == function.inputs["serviceConfig"]["maxInstanceCount"]


def test_credentials_have_a_rotation_schedule(stack: Stack) -> None:
    for secret in stack.of("gcp:secretmanager/secret:Secret"):
        credential = re.search(
            r"-(auth-token|(client|api-key|signing)-secret|api-key|((proxy|webhook)-)?password|access-key)$",
            secret.name,
        )
        assert bool(credential) == ("rotation" in secret.inputs) == ("topics" in secret.inputs), secret.name


def test_no_secret_value_in_a_plain_property(name: str, stack: Stack) -> None:
    """The engine shows and stores what isn't marked."""
    values = configurations.secret_values(name)
    for resource in stack.resources:
        plain = json.dumps(without_secrets(resource.raw))
        assert [value for value in values if value in plain] == [], resource.name
    for version in stack.of("gcp:secretmanager/secretVersion:SecretVersion"):
        assert SECRET_MARK in json.dumps(version.raw["secretDataWo"]), "the value is marked"
        assert SECRET_MARK in json.dumps(version.raw["secretDataWoVersion"]), "so is what is derived from it"


def without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if SECRET_MARK in value else {k: without_secrets(v) for k, v in value.items()}
    return [without_secrets(v) for v in value] if isinstance(value, list) else value


def test_what_has_no_version_is_not_mounted(name: str, stack: Stack) -> None:
    """A function that mounts a version that isn't there can't be deployed."""
    there = {r.name for r in stack.of("gcp:secretmanager/secretVersion:SecretVersion")} | CONFIGURATIONS[name].versions
    for function in stack.of("gcp:cloudfunctionsv2/function:Function"):
        for volume in function.inputs["serviceConfig"].get("secretVolumes", []):
            assert volume["secret"] in there
            assert [v["version"] for v in volume["versions"]] == ["latest"]


def test_functions_wait_for_what_their_deployment_checks(stack: Stack) -> None:
    for function in stack.of("gcp:cloudfunctionsv2/function:Function"):
        role = function.name.rpartition("-")[2]
        connection = function.name.removesuffix(f"-{role}")
        waits = " ".join(function.depends_on)
        for volume in function.inputs["serviceConfig"].get("secretVolumes", []):
            secret = volume["mountPath"].rpartition("/")[2]
            assert f"::{connection}-{role}-reads-{secret}" in waits
        assert "::build-writes-images" in waits


def test_every_resource_waits_for_its_api(stack: Stack) -> None:
    """Directly, or through what it refers to: on a fresh project nothing else is on."""
    by_urn = {r.urn: r for r in stack.resources}
    for resource in stack.resources:
        if resource.type.startswith("gcp:") and resource.type != "gcp:projects/service:Service":
            assert any("service:Service" in urn for urn in closure(resource, by_urn)), resource.name


def closure(resource: Registration, by_urn: dict[str, Registration]) -> set[str]:
    found: set[str] = set()
    ahead = list(resource.depends_on)
    while ahead:
        urn = ahead.pop()
        if urn not in found:
            found.add(urn)
            ahead += by_urn[urn].depends_on if urn in by_urn else ()
    return found


def test_every_resource_belongs_to_a_component(stack: Stack) -> None:
    orphans = [r.name for r in stack.resources if not r.is_component and "sms-connector:index:" not in r.parent]
    assert orphans == []


def test_an_invoker_grant_is_replaced_with_its_function(stack: Stack) -> None:
    """A new function has a new Run service, without the grants of the old one."""
    for grant in stack.of("gcp:cloudrunv2/serviceIamMember:ServiceIamMember"):
        assert len(grant.replace_with) == 1
        assert "cloudfunctionsv2/function:Function" in grant.replace_with[0]


def test_names_fit(stack: Stack) -> None:
    limits = {
        "gcp:cloudfunctionsv2/function:Function": ("name", r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?"),
        "gcp:serviceaccount/account:Account": ("accountId", r"[a-z][-a-z0-9]{4,28}[a-z0-9]"),
        "gcp:cloudtasks/queue:Queue": ("name", r"[A-Za-z0-9-]{1,100}"),
        "gcp:firestore/database:Database": ("name", r"[a-z][a-z0-9-]{2,61}[a-z0-9]"),
        "gcp:storage/bucket:Bucket": ("name", r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
        "gcp:secretmanager/secret:Secret": ("secretId", r"[A-Za-z0-9_-]{1,255}"),
    }
    for kind, (key, form) in limits.items():
        for resource in stack.of(kind):
            assert re.fullmatch(form, resource.inputs[key]), resource.inputs[key]


def test_a_preview_of_a_first_deployment_runs() -> None:
    """Nothing is known yet, and nothing is asked of functions that aren't there."""
    wanted = CONFIGURATIONS["everything"]
    from tests.infra import harness

    previewed = harness.run(wanted.plain, secrets=wanted.secret, preview=True)
    assert len(previewed.resources) == len(configurations.stack("everything").resources)
    assert [token for token, _ in previewed.calls if token.endswith("getAccountIdToken")] == []
