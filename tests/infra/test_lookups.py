"""What is asked of the cloud before it is told anything: "there is none" in all its forms, and everything else is no guess."""

from __future__ import annotations

import pytest

from tests.infra import harness
from tests.infra.harness import Cloud, Stack


def mounted(stack: harness.Stack) -> set[str]:
    functions = stack.of("gcp:cloudfunctionsv2/function:Function")
    (connector,) = (f for f in functions if f.name == "sms-connector")
    return {volume["secret"] for volume in connector.inputs["serviceConfig"]["secretVolumes"]}


MADE = {"sms-webhook-key", "sms-auth-token-previous"}


@pytest.mark.parametrize(
    "answer",
    [
        "googleapi: Error 404: Secret [projects/1/secrets/sms-auth-token] not found or has no versions.",
        "Error 403: Secret Manager API has not been used in project 1 before or it is disabled.",
        "SERVICE_DISABLED",
    ],
)
def test_none(answer: str) -> None:
    assert mounted(harness.run(cloud=Cloud(fail={"getSecretVersion": answer}))) == MADE


@pytest.mark.parametrize("answer", ["Error 403: Permission denied", "Error 503: try again", "connection reset"])
def test_anything_else_stops_the_program(answer: str) -> None:
    """Taken for "none" it would unmount a secret that is in use."""
    with pytest.raises(Exception, match=answer):
        harness.run(cloud=Cloud(fail={"getSecretVersion": answer}))


def test_what_has_a_version_is_mounted_without_being_read() -> None:
    stack = harness.run(cloud=Cloud(versions=frozenset({"sms-auth-token"})))
    assert mounted(stack) == MADE | {"sms-auth-token"}
    asked = [args for token, args in stack.calls if token.endswith("getSecretVersion")]
    assert asked
    assert all(args["fetchSecretData"] is False for args in asked)


def test_what_the_configuration_gives_is_not_asked_for() -> None:
    stack = harness.run(secrets={"accountSid": "AC1", "authToken": "t"})
    assert mounted(stack) == MADE | {"sms-auth-token", "sms-account-sid"}
    asked = {args["secret"] for token, args in stack.calls if token.endswith("getSecretVersion")}
    assert asked == {"sms-api-key-sid", "sms-api-key-secret", "sms-signing-key"}


# --- what a function is built from -------------------------------------------------------------------------------------


def marks(stack: Stack) -> dict[str, dict[str, str]]:
    functions = stack.of("gcp:cloudfunctionsv2/function:Function")
    return {f.name: f.inputs["buildConfig"]["environmentVariables"] for f in functions}


def test_what_is_as_wanted_keeps_its_mark() -> None:
    built = marks(harness.run())
    assert marks(harness.run(cloud=Cloud(built=built))) == built


def test_what_is_not_as_wanted_gets_a_new_mark() -> None:
    """Also where the state believes otherwise: an update that failed is sent again."""
    wanted = marks(harness.run())
    old = {name: {**mark, "SOURCE_DIGEST": "of-the-code-before"} for name, mark in wanted.items()}
    for name, mark in marks(harness.run(cloud=Cloud(built=old))).items():
        assert mark["SOURCE_DIGEST"] == wanted[name]["SOURCE_DIGEST"]
        assert mark["SOURCE_ATTEMPT"] != wanted[name]["SOURCE_ATTEMPT"]


def test_an_unreadable_function_stops_the_program() -> None:
    with pytest.raises(Exception, match="Error 503"):
        harness.run(cloud=Cloud(fail={"getFunction": "Error 503"}))
