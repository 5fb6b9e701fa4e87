"""Two connections of a stack share the platform and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.infra import harness
from tests.infra.harness import Registration, Stack

RETAIL: Mapping[str, Any] = {"provider": "twilio", "sender": "+15551234567"}
ALARMS: Mapping[str, Any] = {"provider": "telesign", "nodes": {"min": 0, "max": 3}}


SECRETS = ("retail-account-sid", "retail-auth-token", "alarms-customer-id", "alarms-api-key")


def run(**connections: Mapping[str, Any]) -> Stack:
    """With the secrets' values there already."""
    return harness.run({"connections": json.dumps(connections)}, cloud=harness.Cloud(versions=frozenset(SECRETS)))


def comparable(resource: Registration) -> dict[str, Any]:
    """A registration without what is new in each run: a made secret's value, the time of the first notice."""
    text = json.dumps(resource.raw)
    if resource.type == "gcp:secretmanager/secretVersion:SecretVersion":
        text = ""
    text = re.sub(r'"SOURCE_ATTEMPT": "[0-9a-f]+"', "", text)
    rotation = resource.inputs.get("rotation", {}).get("nextRotationTime", "")
    return {"text": text.replace(rotation, "") if rotation else text, "waits": sorted(resource.depends_on)}


def of(stack: Stack, connection: str) -> dict[tuple[str, str], Registration]:
    inside = f"{connection}-"
    return {(r.type, r.name): r for r in stack.resources if r.name.startswith(inside) or r.name == connection}


def test_adding_one_changes_nothing_of_the_other() -> None:
    alone, both = run(retail=RETAIL), run(retail=RETAIL, alarms=ALARMS)
    before = {key: comparable(r) for key, r in of(alone, "retail").items()}
    assert {key: comparable(r) for key, r in of(both, "retail").items()} == before
    shared = {(r.type, r.name): comparable(r) for r in alone.resources} | before
    assert {
        key: value for key, value in ((k, comparable(r)) for k, r in index(both).items()) if key in shared
    } == shared


def index(stack: Stack) -> dict[tuple[str, str], Registration]:
    return {(r.type, r.name): r for r in stack.resources}


def test_each_has_its_own_of_everything() -> None:
    both = run(retail=RETAIL, alarms=ALARMS)
    for kind, key in (
        ("gcp:serviceaccount/account:Account", "accountId"),
        ("gcp:secretmanager/secret:Secret", "secretId"),
        ("gcp:cloudtasks/queue:Queue", "name"),
        ("gcp:cloudfunctionsv2/function:Function", "name"),
        ("gcp:firestore/database:Database", "name"),
        ("gcp:pubsub/topic:Topic", "name"),
    ):
        names = [r.inputs[key] for r in both.of(kind)]
        assert len(names) == len(set(names))
        assert {n.partition("-")[0] for n in names} >= {"retail", "alarms"}


def test_names_and_addresses_that_run_together_stay_apart() -> None:
    """`retail` with `eu-ops@…` and `retail-eu` with `ops@…` read the same end to end."""
    mailboxes = {"retail": "eu-ops@example.com", "retail-eu": "ops@example.com"}
    both = run(**{name: {**RETAIL, "alerts": {"emails": [address]}} for name, address in mailboxes.items()})
    channels = both.of("gcp:monitoring/notificationChannel:NotificationChannel")
    assert len({channel.urn for channel in channels}) == 2


def test_no_grant_crosses_the_border() -> None:
    """What an account of one may use is of that one, or of the platform's projects and APIs."""
    both = run(retail=RETAIL, alarms=ALARMS)
    for grant in both.resources:
        member = str(grant.inputs.get("member", ""))
        for own, other in (("retail", "alarms"), ("alarms", "retail")):
            if member.startswith(f"serviceAccount:{own}-"):
                assert f"{other}-" not in json.dumps(grant.raw), grant.name


def test_the_providers_secrets_differ() -> None:
    both = run(retail=RETAIL, alarms=ALARMS)
    names = {r.inputs["secretId"] for r in both.of("gcp:secretmanager/secret:Secret")}
    assert "retail-auth-token" in names
    assert {n for n in names if n.startswith("alarms-")} == {
        "alarms-customer-id",
        "alarms-api-key",
        "alarms-api-key-previous",
        "alarms-webhook-key",
        "alarms-webhook-key-previous",
        "alarms-callback-secret",
        "alarms-callback-secret-previous",
    }
