"""What the real Google Cloud refuses, delays or forgets, as rules of the fake. Each is on wherever the fake is strict.

Switches stand for what differs between real projects: `restrict_sharing` (an organisation made since May 2024 refuses `allUsers`),
`late_reads` (how often a new database reads as absent: now and then one does), `late_roles` (how many calls of the deployer are
refused before the roles that it was granted act).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.infra.fake_google.catalog import PROJECT, Json
from tests.infra.fake_google.values import need

DAY = 24 * 3600.0
# After a deletion the name is refused for so long. https://cloud.google.com/tasks/docs/deleting-appengine-queues-and-tasks and
# https://cloud.google.com/firestore/docs/manage-databases#delete_a_database
TOMBSTONES = {"queues": 7 * DAY, "databases": 300.0}
# For a grant to act; in reality two minutes, at times seven and more: https://cloud.google.com/iam/docs/access-change-propagation
GRANT_SECONDS = 1.0
BODY_LIMIT = (
    32 << 20
)  # of requests, and of responses that are not sent in chunks: https://cloud.google.com/run/quotas#request_limits
CONTENTION = "Aborted due to cross-transaction contention. This occurs when multiple transactions attempt to access the same data."

# Where App Engine is: https://cloud.google.com/about/locations
_LOCATIONS = """asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-southeast1 asia-southeast2
    australia-southeast1 europe-central2 europe-west1 europe-west2 europe-west3 europe-west6 northamerica-northeast1
    southamerica-east1 us-central1 us-east1 us-east4 us-west1 us-west2 us-west3 us-west4"""
LOCATIONS = {service: frozenset(_LOCATIONS.split()) for service in ("cloudtasks", "cloudscheduler")}


@dataclass
class Switches:
    """How this project differs from others."""

    restrict_sharing: bool = True
    late_reads: int = 0
    late_roles: int = 0


@dataclass
class Passing:
    """What passes with time. `offset` moves the clock on (`POST /_fake/advance`)."""

    offset: float = 0.0
    tombstones: dict[str, float] = field(default_factory=dict)  # key of what was deleted → until
    unread: dict[str, int] = field(default_factory=dict)  # key of what was made → how often it reads as absent
    busy: dict[str, str] = field(default_factory=dict)  # database → the operation on its fields that is not done
    granted: dict[tuple[str, str, str], float] = field(default_factory=dict)  # (key, role, member) → since
    messages: dict[str, list[Json]] = field(
        default_factory=dict
    )  # subscription → [{at, attributes, statuses of pushes}]


def check_location(service: str, parts: list[str]) -> None:
    place = parts[3] if parts[2:3] == ["locations"] and len(parts) > 3 else ""
    known = LOCATIONS.get(service)
    need(
        not place or known is None or place in known,
        400,
        f"Location '{place}' is not a valid location. Use ListLocations to list valid locations.",
    )


def check_queries(value: object) -> None:
    """A log metric exists for several kinds of resource; a PromQL query, wherever it stands in a resource, has to say which."""
    if isinstance(value, dict):
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        check_queries(part)
    for name, labels in (
        re.findall(r"(logging_googleapis_com:user_\w+)(\{[^}]*\})?", value) if isinstance(value, str) else ()
    ):
        need(
            "monitored_resource=" in labels,
            400,
            f"The metric {name} has more than one monitored resource: add monitored_resource to its selector.",
        )


def check_public(members: list[str], switches: Switches) -> None:
    public = {"allUsers", "allAuthenticatedUsers"} & set(members)
    need(
        not (public and switches.restrict_sharing),
        400,
        "One or more users named in the policy do not belong to a permitted customer, perhaps due to an organization policy.",
        "FAILED_PRECONDITION",
    )


def database_of(parts: list[str]) -> str:
    return "/".join(parts[:4])


def due(secret: Json, now: datetime) -> Json | None:
    """The notice that a secret sends when its time has come, and its next time. https://cloud.google.com/secret-manager/docs/secret-rotation"""
    rotation = secret.get("rotation", {})
    at = rotation.get("nextRotationTime")
    if not at or datetime.fromisoformat(at.replace("Z", "+00:00")) > now:
        return None
    period = float(rotation.get("rotationPeriod", "0s")[:-1])
    next_time = datetime.fromisoformat(at.replace("Z", "+00:00")) + timedelta(seconds=period or 1e9)
    rotation["nextRotationTime"] = next_time.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"eventType": "SECRET_ROTATE", "secretId": secret["name"]}


def wants(subscription: Json, attributes: Json) -> bool:
    """Whether a message passes a subscription's filter: equalities joined by AND."""
    asked = re.findall(r'attributes\.(\w+) = "([^"]*)"', subscription.get("filter", ""))
    return all(attributes.get(key) == value for key, value in asked)


OWN = f"projects/{PROJECT}"
