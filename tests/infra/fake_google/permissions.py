"""What the deployer may do: each call of the control plane needs permissions, which roles bring.

`ROLES` has, of each role in docs/permissions.md, what of it the calls need: prefixes of permissions, as Google lists them at
https://cloud.google.com/iam/docs/roles-permissions. A role that isn't here brings nothing, so a new row of the page needs one here.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.infra.fake_google.values import Call

ROLES: dict[str, str] = {
    "roles/owner": "*",
    "roles/serviceusage.serviceUsageAdmin": "serviceusage.",
    "roles/resourcemanager.projectIamAdmin": "resourcemanager.projects.get resourcemanager.projects.setIamPolicy",
    "roles/iam.serviceAccountAdmin": (
        "iam.serviceAccounts.create iam.serviceAccounts.delete iam.serviceAccounts.get iam.serviceAccounts.list"
        " iam.serviceAccounts.update iam.serviceAccounts.setIamPolicy resourcemanager.projects.get"
    ),
    "roles/iam.serviceAccountUser": "iam.serviceAccounts.actAs iam.serviceAccounts.get resourcemanager.projects.get",
    "roles/iam.serviceAccountOpenIdTokenCreator": "iam.serviceAccounts.getOpenIdToken",
    "roles/storage.admin": "storage. resourcemanager.projects.get",
    "roles/artifactregistry.admin": "artifactregistry.",
    "roles/cloudfunctions.admin": "cloudfunctions. run.services.get cloudbuild.builds.get resourcemanager.projects.get",
    "roles/run.admin": "run. resourcemanager.projects.get",
    "roles/datastore.owner": "datastore. resourcemanager.projects.get",
    "roles/cloudtasks.admin": "cloudtasks. resourcemanager.projects.get",
    "roles/cloudscheduler.admin": "cloudscheduler. resourcemanager.projects.get",
    "roles/pubsub.admin": "pubsub. resourcemanager.projects.get",
    "roles/logging.configWriter": (
        "logging.logMetrics. logging.exclusions. logging.sinks. logging.buckets. logging.operations. resourcemanager.projects.get"
    ),
    "roles/monitoring.editor": (
        "monitoring.alertPolicies. monitoring.dashboards. monitoring.notificationChannels. monitoring.uptimeCheckConfigs."
        " resourcemanager.projects.get"
    ),
    "roles/compute.networkAdmin": "compute. servicedirectory.namespaces.get",
    "roles/servicedirectory.editor": "servicedirectory.",
    "roles/dns.admin": "dns. resourcemanager.projects.get",
}

# Service → (permission's service, names of collections where they differ).
_SERVICES = {"firestore": "datastore", "clouddns": "dns", "resourcemanager": "resourcemanager"}
_COLLECTIONS = {
    ("storage", "b"): "buckets",
    ("storage", "o"): "objects",
    ("logging", "metrics"): "logMetrics",
    ("firestore", "fields"): "indexes",
    ("clouddns", "rrsets"): "resourceRecordSets",
}
_METHODS = {"POST": "create", "GET": "get", "PATCH": "update", "PUT": "update", "DELETE": "delete"}
# (service, verb) → the permission.
_VERBS = {
    ("serviceusage", "enable"): "serviceusage.services.enable",
    ("serviceusage", "batchEnable"): "serviceusage.services.enable",
    ("serviceusage", "disable"): "serviceusage.services.disable",
    ("serviceusage", "generateServiceIdentity"): "serviceusage.services.enable",
    ("secretmanager", "addVersion"): "secretmanager.versions.add",
    ("secretmanager", "enable"): "secretmanager.versions.enable",
    ("secretmanager", "disable"): "secretmanager.versions.disable",
    ("secretmanager", "destroy"): "secretmanager.versions.destroy",
    ("secretmanager", "access"): "secretmanager.versions.access",
    ("iamcredentials", "generateIdToken"): "iam.serviceAccounts.getOpenIdToken",
    ("cloudscheduler", "pause"): "cloudscheduler.jobs.pause",
    ("cloudscheduler", "resume"): "cloudscheduler.jobs.enable",
    ("cloudtasks", "pause"): "cloudtasks.queues.pause",
    ("cloudtasks", "resume"): "cloudtasks.queues.resume",
}
_NO_COLLECTION = {"getIamPolicy", "setIamPolicy", "iam", "global", "setLabels", "setTarget", "setPrivateIpGoogleAccess"}
# What some calls need beside their own: https://cloud.google.com/functions/docs/reference/iam/roles#additional-configuration
_ACT_AS = {("cloudfunctions", "functions"), ("cloudscheduler", "jobs"), ("run", "services")}


def needed(call: Call) -> list[str]:
    """The permissions of a call; none for what anybody may read of his own work (operations, his identity)."""
    if "operations" in call.parts or (call.service, call.parts[0]) == ("cloudbilling", "projects"):
        return []
    if found := _VERBS.get((call.service, call.verb)):
        return [found]
    service = _SERVICES.get(call.service, call.service)
    collection = _collection(call)
    if call.verb in ("getIamPolicy", "setIamPolicy") or call.parts[-1] in ("getIamPolicy", "setIamPolicy", "iam"):
        asked = call.verb or call.parts[-1]
        asked = {"iam": "getIamPolicy" if call.method == "GET" else "setIamPolicy"}.get(asked, asked)
        return [f"{service}.{collection}.{asked}"]
    own = [f"{service}.{collection}.{_METHODS[call.method]}"]
    if (
        call.method in ("POST", "PATCH")
        and (call.service, collection) in _ACT_AS
        and "invokerIamDisabled" not in call.body
    ):
        own.append("iam.serviceAccounts.actAs")
    push = call.body.get("pushConfig", call.body.get("subscription", {}).get("pushConfig", {}))
    if collection == "subscriptions" and push.get("oidcToken"):
        own.append("iam.serviceAccounts.actAs")  # as whom it calls: google.pubsub.v1.PushConfig.OidcToken
    if "invokerIamDisabled" in call.body:
        own.append("run.services.setIamPolicy")  # switching the check off is a change of who may call
    if (
        collection == "forwardingRules"
        and call.method == "POST"
        and "/serviceAttachments/" in str(call.body.get("target"))
    ):
        own.append("servicedirectory.services.create")
    return own


def _collection(call: Call) -> str:
    """The collection that is meant: in a path, names of collections and of what is in them take turns."""
    name = [part for part in call.parts if part not in _NO_COLLECTION][::2][-1]
    return _COLLECTIONS.get((call.service, name), name)


def held(roles: Iterable[str], custom: Iterable[str] = ()) -> frozenset[str]:
    """What the roles and single permissions bring, as prefixes."""
    return frozenset(prefix for role in roles for prefix in ROLES.get(role, "").split()) | frozenset(custom)


def lacking(call: Call, having: frozenset[str]) -> list[str]:
    """The permissions of the call that the deployer does not have. Whoever may set a policy may read it, in every role listed."""
    return [p for p in needed(call) if not any(_covers(prefix, p) for prefix in having)]


def _covers(prefix: str, permission: str) -> bool:
    if prefix.endswith(".") or prefix == "*":
        return prefix == "*" or permission.startswith(prefix)
    return permission == prefix or permission == prefix.replace("setIamPolicy", "getIamPolicy")
