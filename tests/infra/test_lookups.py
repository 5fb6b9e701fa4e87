"""What is asked of the cloud before it is told anything: "there is none" in all its forms, and everything else is no guess."""

from __future__ import annotations

import json

import pytest

from tests.infra import harness
from tests.infra.harness import Cloud, Stack

MADE = {f"sms-{name}" for name in ("webhook-key", "callback-secret")}
MADE |= {f"{name}-previous" for name in (*MADE, "sms-auth-token")}
TWILIO = frozenset({"sms-account-sid", "sms-auth-token"})


def functions(stack: Stack) -> set[str]:
    return {function.name for function in stack.of("gcp:cloudfunctionsv2/function:Function")}


def mounted(stack: Stack) -> set[str]:
    connector = stack.named("gcp:cloudfunctionsv2/function:Function", "sms-connector")
    return {volume["secret"] for volume in connector.inputs["serviceConfig"]["secretVolumes"]}


@pytest.mark.parametrize(
    "answer",
    [
        "googleapi: Error 404: Secret [projects/1/secrets/sms-auth-token] not found or has no versions.",
        "Error 403: Secret Manager API has not been used in project 1 before or it is disabled.",
        "SERVICE_DISABLED",
    ],
)
def test_none(answer: str) -> None:
    """What needs the provider's credentials to start waits for them; the webhook doesn't."""
    waiting = harness.run(cloud=Cloud(fail={"getSecretVersion": answer}))
    assert functions(waiting) == {"sms-webhook"}
    assert waiting.of("gcp:cloudscheduler/job:Job") == []


@pytest.mark.parametrize("answer", ["Error 403: Permission denied", "Error 503: try again", "connection reset"])
def test_anything_else_stops_the_program(answer: str) -> None:
    """Taken for "none" it would unmount a secret that is in use."""
    with pytest.raises(Exception, match=answer):
        harness.run(cloud=Cloud(fail={"getSecretVersion": answer}))


def test_what_has_a_version_is_mounted_without_being_read() -> None:
    stack = harness.run(cloud=Cloud(versions=TWILIO))
    assert mounted(stack) == MADE | TWILIO
    asked = [args for token, args in stack.calls if token.endswith("getSecretVersion")]
    assert asked
    assert all(args["fetchSecretData"] is False for args in asked)


def test_what_the_configuration_gives_is_mounted_before_it_has_a_version() -> None:
    assert mounted(harness.run(secrets={"accountSid": "AC1", "authToken": "t"})) == MADE | TWILIO


@pytest.mark.parametrize("secret", ["sms-signing-key", "sms-auth-token-previous", "sms-callback-secret-previous"])
def test_a_disabled_newest_version_is_not_mounted(secret: str) -> None:
    """Also of a secret whose first version is made here: the platform refuses a function that mounts it."""
    stack = harness.run(cloud=Cloud(versions=TWILIO, disabled=frozenset({secret})))
    assert mounted(stack) == (MADE | TWILIO) - {secret}


@pytest.mark.parametrize("secret", ["sms-auth-token", "sms-webhook-key"])
def test_a_required_secret_that_is_disabled_stops_the_update(secret: str) -> None:
    """Unmounting it would take a running connector its credential."""
    with pytest.raises(Exception, match=f"newest version of {secret} is not enabled.*fix: enable it"):
        harness.run(cloud=Cloud(versions=TWILIO, disabled=frozenset({secret})))


def test_a_database_that_is_there_is_taken_in() -> None:
    """A database made a moment ago can read as absent, and the provider forgets it: every later create would be a 409."""
    kind = "gcp:firestore/database:Database"
    assert harness.run().named(kind, "sms-ledger").imported == ""
    there = harness.run(cloud=Cloud(databases=frozenset({"sms-ledger"}))).named(kind, "sms-ledger")
    assert there.imported == "projects/demo-project/databases/sms-ledger"


def test_a_function_that_is_there_stays() -> None:
    """Whatever became of its secrets: an update must not take a running connector away."""
    there = {name: {"SOURCE_DIGEST": "x"} for name in ("sms-connector", "sms-worker", "sms-webhook")}
    assert functions(harness.run(cloud=Cloud(built=there))) == set(there)


SUBNET = {"vpc": "company-vpc", "subnet": "run-egress"}


def test_all_traffic_through_a_subnetwork_that_does_not_reach_google() -> None:
    """The functions would start and then reach neither Firestore nor Cloud Tasks."""
    closed = Cloud(versions=TWILIO, unreached=frozenset({"run-egress"}))
    with pytest.raises(Exception, match=r"no Private Google Access.*fix: gcloud compute networks subnets update"):
        harness.run({"network": json.dumps({**SUBNET, "egress": "all"})}, cloud=closed)
    assert harness.run({"network": json.dumps(SUBNET)}, cloud=closed).resources, "private ranges alone go that way"
    assert harness.run({"network": json.dumps({**SUBNET, "egress": "all"})}, cloud=Cloud(versions=TWILIO)).resources


def test_a_subnetwork_that_may_not_be_read_is_trusted() -> None:
    """As in a Shared VPC, whose owner lets the deployer use it only."""
    unseen = Cloud(
        versions=TWILIO, fail={"getSubnetwork": "googleapi: Error 403: Required 'compute.subnetworks.get' permission"}
    )
    assert harness.run({"network": json.dumps({**SUBNET, "egress": "all"})}, cloud=unseen).resources


# --- what a function is built from -------------------------------------------------------------------------------------


def marks(stack: Stack) -> dict[str, dict[str, str]]:
    found = stack.of("gcp:cloudfunctionsv2/function:Function")
    return {function.name: function.inputs["buildConfig"]["environmentVariables"] for function in found}


def test_what_is_as_wanted_keeps_its_mark() -> None:
    built = marks(harness.run(cloud=Cloud(versions=TWILIO)))
    assert marks(harness.run(cloud=Cloud(versions=TWILIO, built=built))) == built


def test_what_is_not_as_wanted_gets_a_new_mark() -> None:
    """Also where the state believes otherwise: an update that failed is sent again."""
    wanted = marks(harness.run(cloud=Cloud(versions=TWILIO)))
    old = {name: {**mark, "SOURCE_DIGEST": "of-the-code-before"} for name, mark in wanted.items()}
    for name, mark in marks(harness.run(cloud=Cloud(versions=TWILIO, built=old))).items():
        assert mark["SOURCE_DIGEST"] == wanted[name]["SOURCE_DIGEST"]
        assert mark["SOURCE_ATTEMPT"] != wanted[name]["SOURCE_ATTEMPT"]


def test_an_unreadable_function_stops_the_program() -> None:
    with pytest.raises(Exception, match="Error 503"):
        harness.run(cloud=Cloud(fail={"getFunction": "Error 503"}))
