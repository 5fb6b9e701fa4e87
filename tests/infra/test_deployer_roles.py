"""The roles of docs/permissions.md let the deployer do what an update does, and no role is there for nothing."""

from __future__ import annotations

import re

import pytest

from tests.infra import configurations, deployer
from tests.infra.fake_google import permissions
from tests.infra.fake_google.values import Call

PLACE = "projects/demo-project/locations/us-central1"
PROJECT = "projects/demo-project"
# Kind of resource → the call that makes one, as the provider plugin sends it: (service, method, path, verb, body).
CREATES: dict[str, tuple[str, str, str, str, dict[str, object]]] = {
    "artifactregistry/repository:Repository": ("artifactregistry", "POST", f"{PLACE}/repositories", "", {}),
    "artifactregistry/repositoryIamMember:RepositoryIamMember": (
        "artifactregistry",
        "POST",
        f"{PLACE}/repositories/r",
        "setIamPolicy",
        {},
    ),
    "cloudfunctionsv2/function:Function": ("cloudfunctions", "POST", f"{PLACE}/functions", "", {}),
    "cloudrunv2/serviceIamMember:ServiceIamMember": ("run", "POST", f"{PLACE}/services/s", "setIamPolicy", {}),
    "cloudscheduler/job:Job": ("cloudscheduler", "POST", f"{PLACE}/jobs", "", {}),
    "cloudtasks/queue:Queue": ("cloudtasks", "POST", f"{PLACE}/queues", "", {}),
    "cloudtasks/queueIamMember:QueueIamMember": ("cloudtasks", "POST", f"{PLACE}/queues/q", "setIamPolicy", {}),
    "compute/address:Address": ("compute", "POST", f"{PROJECT}/regions/r/addresses", "", {}),
    "compute/forwardingRule:ForwardingRule": (
        "compute",
        "POST",
        f"{PROJECT}/regions/r/forwardingRules",
        "",
        {"target": "projects/p/serviceAttachments/a"},
    ),
    "compute/router:Router": ("compute", "POST", f"{PROJECT}/regions/r/routers", "", {}),
    "compute/routerNat:RouterNat": ("compute", "PATCH", f"{PROJECT}/regions/r/routers/x", "", {}),
    "compute/subnetwork:Subnetwork": ("compute", "POST", f"{PROJECT}/regions/r/subnetworks", "", {}),
    "dns/managedZone:ManagedZone": ("clouddns", "POST", f"{PROJECT}/managedZones", "", {}),
    "dns/recordSet:RecordSet": ("clouddns", "POST", f"{PROJECT}/managedZones/z/changes", "", {}),
    "firestore/backupSchedule:BackupSchedule": ("firestore", "POST", f"{PROJECT}/databases/d/backupSchedules", "", {}),
    "firestore/database:Database": ("firestore", "POST", f"{PROJECT}/databases", "", {}),
    "firestore/field:Field": ("firestore", "PATCH", f"{PROJECT}/databases/d/collectionGroups/c/fields/f", "", {}),
    "firestore/index:Index": ("firestore", "POST", f"{PROJECT}/databases/d/collectionGroups/c/indexes", "", {}),
    "logging/metric:Metric": ("logging", "POST", f"{PROJECT}/metrics", "", {}),
    "logging/projectExclusion:ProjectExclusion": ("logging", "POST", f"{PROJECT}/exclusions", "", {}),
    "monitoring/alertPolicy:AlertPolicy": ("monitoring", "POST", f"{PROJECT}/alertPolicies", "", {}),
    "monitoring/dashboard:Dashboard": ("monitoring", "POST", f"{PROJECT}/dashboards", "", {}),
    "monitoring/notificationChannel:NotificationChannel": (
        "monitoring",
        "POST",
        f"{PROJECT}/notificationChannels",
        "",
        {},
    ),
    "monitoring/uptimeCheckConfig:UptimeCheckConfig": ("monitoring", "POST", f"{PROJECT}/uptimeCheckConfigs", "", {}),
    "projects/iAMAuditConfig:IAMAuditConfig": ("resourcemanager", "POST", PROJECT, "setIamPolicy", {}),
    "projects/iAMMember:IAMMember": ("resourcemanager", "POST", PROJECT, "setIamPolicy", {}),
    "projects/service:Service": ("serviceusage", "POST", f"{PROJECT}/services/s", "enable", {}),
    "projects/serviceIdentity:ServiceIdentity": (
        "serviceusage",
        "POST",
        f"{PROJECT}/services/s",
        "generateServiceIdentity",
        {},
    ),
    "pubsub/subscription:Subscription": (
        "pubsub",
        "PUT",
        f"{PROJECT}/subscriptions/s",
        "",
        {"pushConfig": {"oidcToken": {"serviceAccountEmail": "push"}}},
    ),
    "pubsub/topic:Topic": ("pubsub", "PUT", f"{PROJECT}/topics/t", "", {}),
    "pubsub/topicIAMMember:TopicIAMMember": ("pubsub", "POST", f"{PROJECT}/topics/t", "setIamPolicy", {}),
    "secretmanager/secret:Secret": ("secretmanager", "POST", f"{PROJECT}/secrets", "", {}),
    "secretmanager/secretIamMember:SecretIamMember": (
        "secretmanager",
        "POST",
        f"{PROJECT}/secrets/s",
        "setIamPolicy",
        {},
    ),
    "secretmanager/secretVersion:SecretVersion": ("secretmanager", "POST", f"{PROJECT}/secrets/s", "addVersion", {}),
    "serviceaccount/account:Account": ("iam", "POST", f"{PROJECT}/serviceAccounts", "", {}),
    "serviceaccount/iAMMember:IAMMember": ("iam", "POST", f"{PROJECT}/serviceAccounts/a", "setIamPolicy", {}),
    "storage/bucket:Bucket": ("storage", "POST", "b", "", {}),
    "storage/bucketIAMMember:BucketIAMMember": ("storage", "PUT", "b/x/iam", "", {}),
    "storage/bucketObject:BucketObject": ("storage", "POST", "b/x/o", "", {}),
}
# What the program calls by itself, or asks the plugin.
QUESTIONS = (
    ("resourcemanager", "GET", PROJECT, "", {}),
    ("firestore", "GET", f"{PROJECT}/databases/d", "", {}),
    ("secretmanager", "GET", f"{PROJECT}/secrets/s/versions/latest", "", {}),
    ("cloudfunctions", "GET", f"{PLACE}/functions/f", "", {}),
    ("run", "GET", f"{PLACE}/services/s", "", {}),
    ("run", "PATCH", f"{PLACE}/services/s", "", {"invokerIamDisabled": True}),
    ("iamcredentials", "POST", "projects/demo-project/serviceAccounts/a", "generateIdToken", {}),
)


def call(service: str, method: str, path: str, verb: str, body: dict[str, object]) -> Call:
    return Call(method, service, "v1", path.split("/"), verb, {}, body)


def declared() -> set[str]:
    stack = configurations.stack("everything")
    return {r.type.removeprefix("gcp:") for r in stack.resources if r.type.startswith("gcp:")}


def test_every_kind_of_resource_has_its_call_here() -> None:
    assert declared() <= set(CREATES)


@pytest.mark.parametrize("kind", CREATES)
def test_the_documented_roles_make_each_resource(kind: str) -> None:
    service, method, path, verb, body = CREATES[kind]
    assert permissions.lacking(call(service, method, path, verb, body), deployer.documented()) == []
    if not verb and method == "POST":  # and take it away again
        assert permissions.lacking(call(service, "DELETE", f"{path}/x", "", {}), deployer.documented()) == []


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: f"{asked[1]} {asked[0]} {asked[3]}")
def test_the_documented_roles_ask_each_question(asked: tuple[str, str, str, str, dict[str, object]]) -> None:
    assert permissions.lacking(call(*asked), deployer.documented()) == []


@pytest.mark.parametrize("role", deployer.roles())
def test_without_a_role_something_fails(role: str) -> None:
    """No role is there for nothing, and the fake would show that one is missing."""
    others = permissions.held([other for other in deployer.roles() if other != role], deployer.custom())
    calls = [call(*arguments) for arguments in (*CREATES.values(), *QUESTIONS)]
    assert [c for c in calls if permissions.lacking(c, others)], role


def test_the_commands_grant_the_tables_roles() -> None:
    loops = re.findall(r"for ROLE in ((?:[^;]|\n)+);", deployer.PAGE)
    granted = [f"roles/{role}" for loop in loops for role in loop.replace("\\", " ").split()]
    assert sorted(granted) == sorted(deployer.roles())


def test_no_secret_is_read() -> None:
    reading = call("secretmanager", "GET", f"{PROJECT}/secrets/s/versions/1", "access", {})
    assert permissions.lacking(reading, deployer.documented()) == ["secretmanager.versions.access"]
