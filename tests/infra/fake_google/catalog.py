"""What the fake serves: services, kinds of resources, and what a server fills in where the client said nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

PROJECT, NUMBER, REGION = "demo-project", "123456789012", "us-central1"
COMPUTE_AGENT = f"{NUMBER}-compute@developer.gserviceaccount.com"
COMPUTE_URL = "https://www.googleapis.com/compute/beta/"
NUMBERS = map(str, itertools.count(1760000000000001))  # exact as floats, as state files hold them

# Prefix -> (API for service usage, '' = always on; {provider's key: version path}; version paths that are served).
SERVICES: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "artifactregistry": ("artifactregistry", {"artifactRegistry": "v1"}, ("v1",)),
    "cloudbilling": ("", {"cloudBilling": "v1"}, ("v1",)),
    "cloudfunctions": ("cloudfunctions", {"cloudfunctions2": "v2beta"}, ("v2", "v2beta")),
    "cloudscheduler": ("cloudscheduler", {"cloudScheduler": "v1"}, ("v1",)),
    "cloudtasks": ("cloudtasks", {"cloudTasks": "v2"}, ("v2",)),
    "compute": ("compute", {"compute": "compute/beta"}, ("compute/beta", "compute/v1")),
    "clouddns": ("dns", {"dns": "dns/v1"}, ("dns/v1",)),
    "firestore": ("firestore", {"firestore": "v1"}, ("v1",)),
    "iam": ("iam", {"iamBeta": "v1", "iam": ""}, ("v1",)),
    "iamcredentials": ("iamcredentials", {"iamCredentials": "v1"}, ("v1",)),
    "logging": ("", {"logging": "v2"}, ("v2",)),
    "monitoring": ("", {"monitoring": ""}, ("v1", "v3")),
    "pubsub": ("pubsub", {"pubsub": "v1"}, ("v1",)),
    "resourcemanager": ("", {"resourceManager": "v1"}, ("v1",)),
    "run": ("run", {"cloudRunV2": "v2", "cloudRun": ""}, ("v1", "v2")),
    "secretmanager": ("secretmanager", {"secretManager": "v1"}, ("v1",)),
    "serviceusage": ("", {"serviceUsage": "v1beta1"}, ("v1", "v1beta1")),
    "storage": ("", {"storage": "storage/v1"}, ("storage/v1", "upload/storage/v1")),
    "vpcaccess": ("vpcaccess", {"vpcAccess": "v1beta1"}, ("v1", "v1beta1")),
}

# What can be enabled; anything else is taken for a typo and refused as Google refuses it.
_APIS = """apikeys artifactregistry bigquery billingbudgets cloudapis cloudasset cloudbilling cloudbuild
    cloudfunctions cloudkms cloudquotas cloudresourcemanager cloudscheduler cloudtasks cloudtrace compute connectors
    containeranalysis containerregistry dns eventarc firestore iam iamcredentials iap integrations logging monitoring
    networkconnectivity networkmanagement networksecurity networkservices orgpolicy parametermanager pubsub recommender
    run secretmanager servicecontrol servicedirectory servicemanagement servicenetworking serviceusage storage
    storage-api storage-component sts telemetry vpcaccess workflows"""
KNOWN_APIS = frozenset(_APIS.split())

# Each API's service agent. Those in LATE exist only after generateServiceIdentity, the others once the API is enabled.
_AGENTS = """artifactregistry cloudbuild cloudfunctions=gcf-admin-robot cloudscheduler cloudtasks
    compute=compute-system eventarc firestore logging monitoring=gcp-sa-monitoring-notification pubsub
    run=serverless-robot-prod secretmanager vpcaccess"""
AGENTS = {
    api: f"service-{NUMBER}@{domain or 'gcp-sa-' + api}.iam.gserviceaccount.com"
    for api, _, domain in (entry.partition("=") for entry in _AGENTS.split())
}
LATE = {"cloudscheduler", "cloudtasks", "eventarc", "firestore", "logging", "monitoring", "secretmanager"}


@dataclass
class ResourceKind:
    """How a collection behaves. `id_from`: '?query parameter', a field of the body, 'put', 'patch', 'verb', '' (generated)."""

    service: str
    pattern: str
    id_from: str
    lro: str = ""  # methods answered by an operation
    id_regex: str = r"[^/]+"
    replace: bool = False  # a PATCH without mask replaces the whole
    wrap: str = ""  # PATCH bodies carry the resource below this key
    numbered: bool = False  # names in answers carry the project's number
    required: str = ""

    def __post_init__(self) -> None:
        self.collection = self.pattern.split("/")[-2]

    def matches(self, parts: list[str], collection: bool = False) -> bool:
        want = self.pattern.split("/")[: -1 if collection else None]
        return len(want) == len(parts) and all(w in ("*", p) and p for w, p in zip(want, parts, strict=True))


LOC, DNS = "projects/*/locations/*/", "[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
DB, TOPIC = "projects/*/databases/*", "[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
KINDS = [
    ResourceKind("clouddns", "projects/*/managedZones/*", "name", "", DNS, required="dnsName"),
    ResourceKind("artifactregistry", LOC + "repositories/*", "?repository_id", "POST DELETE", DNS, required="format"),
    ResourceKind("cloudfunctions", LOC + "functions/*", "?functionId", "POST PATCH DELETE", DNS),
    ResourceKind(
        "cloudscheduler", LOC + "jobs/*", "name", "", "[A-Za-z0-9_-]{1,500}", replace=True, required="schedule"
    ),
    ResourceKind("cloudtasks", LOC + "queues/*", "name", "", "[A-Za-z0-9-]{1,100}", replace=True),
    ResourceKind(
        "firestore",
        DB,
        "?databaseId",
        "POST PATCH DELETE",
        r"\(default\)|[a-z][a-z0-9-]{3,62}",
        required="locationId type",
    ),
    ResourceKind("firestore", DB + "/backupSchedules/*", ""),
    ResourceKind("firestore", DB + "/collectionGroups/*/fields/*", "patch", "PATCH"),
    ResourceKind("firestore", DB + "/collectionGroups/*/indexes/*", "", "POST", required="fields"),
    ResourceKind("iam", "projects/*/roles/*", "roleId"),
    ResourceKind(
        "iam",
        "projects/*/serviceAccounts/*",
        "accountId",
        "",
        "[a-z][-a-z0-9]{4,28}[a-z0-9](@.+)?",
        wrap="serviceAccount",
    ),
    ResourceKind("logging", "projects/*/metrics/*", "name", "", ".{1,100}", required="filter"),
    ResourceKind("logging", "projects/*/exclusions/*", "name", "", "[A-Za-z0-9_.-]{1,100}", required="filter"),
    ResourceKind("monitoring", "projects/*/dashboards/*", "", replace=True, numbered=True),
    ResourceKind(
        "monitoring", "projects/*/alertPolicies/*", "", replace=True, required="conditions combiner displayName"
    ),
    ResourceKind("monitoring", "projects/*/notificationChannels/*", "", replace=True, required="type"),
    ResourceKind("monitoring", "projects/*/uptimeCheckConfigs/*", "", replace=True, required="displayName"),
    ResourceKind("pubsub", "projects/*/topics/*", "put", "", TOPIC, wrap="topic"),
    ResourceKind("pubsub", "projects/*/subscriptions/*", "put", "", TOPIC, wrap="subscription", required="topic"),
    ResourceKind(
        "run", LOC + "services/*", "verb", "PATCH"
    ),  # only what functions make; a deployment puts their switches back
    ResourceKind(
        "secretmanager",
        "projects/*/secrets/*",
        "?secretId",
        "",
        "[A-Za-z0-9_-]{1,255}",
        numbered=True,
        required="replication",
    ),
    ResourceKind("secretmanager", "projects/*/secrets/*/versions/*", "verb", numbered=True),
    ResourceKind("storage", "b/*", "name", "", "[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"),
    ResourceKind("storage", "b/*/o/*", "verb"),
    ResourceKind(
        "vpcaccess", LOC + "connectors/*", "?connectorId", "POST PATCH DELETE", "[a-z][-a-z0-9]{0,23}[a-z0-9]"
    ),
]
for _scope, _names in (
    ("regions/*", "addresses forwardingRules networkAttachments subnetworks serviceAttachments routers"),
    ("global", "addresses forwardingRules networks firewalls routes"),
):
    KINDS += [
        ResourceKind("compute", f"projects/*/{_scope}/{n}/*", "name", "POST PUT PATCH DELETE", DNS)
        for n in _names.split()
    ]

# What the server fills in where the client said nothing: constants, @id, @now, @number, @uuid; updateTime anew each time.
FILLED: dict[str, Json] = {
    "artifactregistry/repositories": {"createTime": "@now", "updateTime": "@now", "mode": "STANDARD_REPOSITORY"},
    "cloudfunctions/functions": {
        "createTime": "@now",
        "updateTime": "@now",
        "state": "ACTIVE",
        "environment": "GEN_2",
        "buildConfig": {"serviceAccount": f"projects/{PROJECT}/serviceAccounts/{COMPUTE_AGENT}"},
        "serviceConfig": {
            "timeoutSeconds": 60,
            "availableMemory": "256M",
            "maxInstanceCount": 100,
            "maxInstanceRequestConcurrency": 1,
            "ingressSettings": "ALLOW_ALL",
            "allTrafficOnLatestRevision": True,
            "serviceAccountEmail": COMPUTE_AGENT,
            "environmentVariables": {"LOG_EXECUTION_ID": "true"},
        },
    },
    "cloudscheduler/jobs": {
        "userUpdateTime": "@now",
        "state": "ENABLED",
        "timeZone": "Etc/UTC",
        "attemptDeadline": "180s",
    },
    "cloudtasks/queues": {
        "state": "RUNNING",
        "rateLimits": {"maxDispatchesPerSecond": 500, "maxConcurrentDispatches": 1000},
        "retryConfig": {"maxAttempts": 100, "maxDoublings": 16, "minBackoff": "0.100s", "maxBackoff": "3600s"},
    },
    "compute/addresses": {"addressType": "EXTERNAL", "status": "RESERVED", "networkTier": "PREMIUM"},
    "compute/networks": {
        "autoCreateSubnetworks": True,
        "mtu": 1460,
        "routingConfig": {"routingMode": "REGIONAL"},
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
    },
    "compute/subnetworks": {"purpose": "PRIVATE", "stackType": "IPV4_ONLY", "privateIpGoogleAccess": False},
    "clouddns/managedZones": {
        "id": "@number",
        "creationTime": "@now",
        "kind": "dns#managedZone",
        "nameServers": ["ns-1.example."],
        "cloudLoggingConfig": {"kind": "dns#managedZoneCloudLoggingConfig", "enableLogging": False},
    },
    "firestore/databases": {
        "createTime": "@now",
        "updateTime": "@now",
        "uid": "@uuid",
        "concurrencyMode": "PESSIMISTIC",
        "appEngineIntegrationMode": "DISABLED",
        "databaseEdition": "STANDARD",
        "earliestVersionTime": "@now",
        "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
        "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
        "versionRetentionPeriod": "3600s",
    },
    "firestore/indexes": {"queryScope": "COLLECTION", "apiScope": "ANY_API", "density": "SPARSE_ALL", "state": "READY"},
    "iam/serviceAccounts": {"email": "@id", "projectId": PROJECT, "uniqueId": "@number", "etag": "MDEwMjE5MjA="},
    "logging/metrics": {
        "createTime": "@now",
        "updateTime": "@now",
        "metricDescriptor": {"metricKind": "DELTA", "valueType": "INT64", "unit": "1"},
    },
    "monitoring/alertPolicies": {
        "enabled": True,
        "creationRecord": {"mutateTime": "@now", "mutatedBy": "me@example.com"},
    },
    "monitoring/notificationChannels": {"enabled": True, "creationRecord": {"mutateTime": "@now"}},
    "pubsub/subscriptions": {"ackDeadlineSeconds": 10, "messageRetentionDuration": "604800s", "state": "ACTIVE"},
    "secretmanager/secrets": {"createTime": "@now"},
    "storage/b": {
        "id": "@id",
        "kind": "storage#bucket",
        "projectNumber": NUMBER,
        "timeCreated": "@now",
        "location": "US",
        "storageClass": "STANDARD",
        "iamConfiguration": {"publicAccessPrevention": "inherited"},
        "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": "@now"},
    },
    "storage/o": {"kind": "storage#object", "timeCreated": "@now", "storageClass": "STANDARD"},
    "vpcaccess/connectors": {
        "state": "READY",
        "machineType": "e2-micro",
        "connectedProjects": [PROJECT],
        "minInstances": 2,
        "maxInstances": 10,
        "minThroughput": 200,
        "maxThroughput": 1000,
    },
}

# What a client can't set; a replacing PATCH or PUT keeps it.
OUTPUT_ONLY = {
    "name",
    "createTime",
    "updateTime",
    "userUpdateTime",
    "creationRecord",
    "state",
    "uid",
    "uri",
    "id",
    "kind",
    "creationTimestamp",
    "selfLink",
    "region",
    "generation",
}

# Methods on one resource other than GET, PATCH, DELETE; POST :verb that only changes fields; GETs with a fixed answer.
METHODS = {
    "logging": "GET PUT DELETE",
    "exclusions": "GET PATCH DELETE",
    "pubsub": "GET PUT PATCH DELETE",
    "compute": "GET PUT PATCH DELETE",
    "run": "GET PATCH",
    "storage": "GET PUT PATCH DELETE",
    "fields": "GET PATCH",
    "indexes": "GET DELETE",
    "versions": "GET",
}
VERBS: dict[str, dict[str, Json]] = {
    "cloudscheduler": {"pause": {"state": "PAUSED"}, "resume": {"state": "ENABLED"}},
    "cloudtasks": {"pause": {"state": "PAUSED"}, "resume": {"state": "RUNNING"}, "purge": {}},
    "iam": {"enable": {"disabled": False}, "disable": {"disabled": True}},
}
FIXED: dict[str, Json] = {
    f"cloudbilling/projects/{PROJECT}/billingInfo": {"projectId": PROJECT, "billingEnabled": True},
    f"compute/projects/{PROJECT}": {"id": NUMBER, "defaultServiceAccount": COMPUTE_AGENT},
    f"resourcemanager/projects/{PROJECT}": {"projectId": PROJECT, "projectNumber": NUMBER, "lifecycleState": "ACTIVE"},
}

CODES = {
    400: "INVALID_ARGUMENT invalid",
    403: "PERMISSION_DENIED forbidden",
    404: "NOT_FOUND notFound",
    409: "ALREADY_EXISTS alreadyExists",
    412: "FAILED_PRECONDITION conditionNotMet",
    500: "INTERNAL backendError",
    429: "RESOURCE_EXHAUSTED rateLimitExceeded",
    503: "UNAVAILABLE backendError",
}
STATE = "FAILED_PRECONDITION"  # status of a 400 about the resource's state
