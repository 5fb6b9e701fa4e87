"""The grants are those of the table in docs/permissions.md: no more, no fewer, and each has a reason there."""

from __future__ import annotations

import re

import pytest

from components.accounts import ROLES
from providers import PROVIDERS
from tests.infra import configurations
from tests.infra.harness import NUMBER, PROJECT, ROOT, Registration

Grant = tuple[str, str, str]  # who, role, on

CONNECTION = "orders"
READS = "roles/secretmanager.secretAccessor"
ONLY_WITH = {"campaign buckets": "campaigns.buckets", "callers": "callers"}


def documented() -> list[tuple[str, ...]]:
    """The rows of the page's first table: who, role, on, why."""
    return table("| who | role | on | why |")


def table(head: str) -> list[tuple[str, ...]]:
    text = (ROOT / "docs" / "permissions.md").read_text()
    rows = text.split(head)[1].split("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in rows]


def who(member: str) -> str:
    if member == "allUsers":
        return "everyone"
    agents = {
        "gcp-sa-secretmanager": "Secret Manager",
        "gcf-admin-robot": "Cloud Functions",
        "serverless-robot-prod": "Cloud Run",
        "gcp-sa-cloudtasks": "Cloud Tasks",
        "gcp-sa-cloudscheduler": "Cloud Scheduler",
        "gcp-sa-pubsub": "Pub/Sub",
    }
    for agent, name in agents.items():
        if agent in member:
            return name
    account = re.fullmatch(rf"serviceAccount:([a-z-]+)@{PROJECT}.iam.gserviceaccount.com", member)
    role = account[1].removeprefix(f"{CONNECTION}-") if account else ""
    if role.startswith("sms-build"):
        return "build"
    return role if role in ROLES else "callers"


def place(grant: Registration) -> str:
    """What a grant lies on, in the page's words."""
    short = grant.type.rpartition(":")[2]
    inputs = grant.inputs
    if short == "IAMMember" and "serviceAccountId" in inputs:
        return "account " + str(inputs["serviceAccountId"]).rpartition("/")[2].partition("@")[0].removeprefix(
            f"{CONNECTION}-"
        )
    if short == "IAMMember":
        return f"project{condition(grant)}"
    if short == "BucketIAMMember":
        return "source bucket" if "sms-connector" in inputs["bucket"] else "campaign buckets"
    if short == "SecretIamMember":
        return "each secret it reads" if inputs["role"] == READS else "each secret it rotates"
    if short == "RepositoryIamMember":
        return "image repository"
    kind, key = {
        "QueueIamMember": ("queue", "name"),
        "ServiceIamMember": ("function", "name"),
        "TopicIAMMember": ("topic", "topic"),
    }[short]
    return f"{kind} {inputs[key].removeprefix(f'{CONNECTION}-')}"


def condition(grant: Registration) -> str:
    expressions = {
        "": "",
        f'resource.name == "projects/{PROJECT}/databases/{CONNECTION}-ledger"': ", only its database",
        f'resource.name.startsWith("projects/_/buckets/gcf-v2-sources-{NUMBER}-us-central1")': ", only `gcf-v2-sources-…`",
    }
    return expressions[grant.inputs.get("condition", {}).get("expression", "")]


def declared(stack_name: str) -> set[Grant]:
    grants = [r for r in configurations.stack(stack_name).resources if "role" in r.inputs and "member" in r.inputs]
    return {(who(g.inputs["member"]), f"`{g.inputs['role']}`", place(g)) for g in grants}


def test_the_grants_are_the_documented_ones() -> None:
    assert declared("everything") == {(row[0], row[1], row[2]) for row in documented()}


@pytest.mark.parametrize("row", documented(), ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_each_grant_has_a_reason(row: tuple[str, ...]) -> None:
    assert len(row) == 4
    assert len(row[3]) > 10


def test_no_row_is_there_twice() -> None:
    rows = [row[:3] for row in documented()]
    assert len(rows) == len(set(rows))


def granted() -> list[tuple[str, str, str]]:
    """Secret, who, role: of each grant on a secret."""
    grants = configurations.stack("everything").of("gcp:secretmanager/secretIamMember:SecretIamMember")
    names = [(g.inputs["secretId"].removeprefix(f"{CONNECTION}-"), who(g.inputs["member"])) for g in grants]
    return [(*name, grant.inputs["role"]) for name, grant in zip(names, grants, strict=True)]


def test_only_the_rotator_may_change_secrets_and_only_what_it_rotates() -> None:
    found = {(secret, who) for secret, who, role in granted() if role != READS}
    rotated = ("auth-token", "auth-token-previous", "api-key-sid", "api-key-secret")
    assert found == {(secret, "rotator") for secret in rotated}


def test_what_the_rotator_changes_is_documented() -> None:
    sentence = (ROOT / "docs" / "permissions.md").read_text().split("The rotator changes")[1].split("none.")[0]
    rotated = {name for provider in PROVIDERS.values() for name in provider.rotated}
    assert set(re.findall("`([a-z-]+)`", sentence)) == rotated


def test_who_reads_which_secret_is_documented() -> None:
    found = {(secret, who) for secret, who, role in granted() if role == READS}
    rows = table("| secret | read by | why |")
    assert found == {(row[0].strip("`"), role) for row in rows for role in row[1].split(", ")}
    assert all(len(row[2]) > 10 for row in rows)


def test_every_secret_is_read_by_somebody() -> None:
    full = configurations.stack("everything")
    secrets = {r.inputs["secretId"].removeprefix(f"{CONNECTION}-") for r in full.of("gcp:secretmanager/secret:Secret")}
    assert secrets == {row[0].strip("`") for row in table("| secret | read by | why |")}


def test_what_is_not_configured_is_not_granted() -> None:
    rows = {(row[0], row[2]) for row in documented()}
    optional = {(w, on) for w, on in rows if on == "campaign buckets" or w == "callers"}
    minimal = configurations.stack("minimal")
    grants = [r for r in minimal.resources if "role" in r.inputs and "member" in r.inputs]
    found = {
        (r.name, r.inputs["role"]) for r in grants if "caller-" in r.name or r.name.endswith("-reads-my-campaigns")
    }
    assert optional
    assert found == set()
