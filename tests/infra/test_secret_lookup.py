"""Whether a secret has a version: "there is none" in all its forms, and everything else is no guess."""

from __future__ import annotations

import pytest

from tests.infra import harness


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
    assert mounted(harness.run(fail={"getSecretVersion": answer})) == MADE


@pytest.mark.parametrize("answer", ["Error 403: Permission denied", "Error 503: try again", "connection reset"])
def test_anything_else_stops_the_program(answer: str) -> None:
    """Taken for "none" it would unmount a secret that is in use."""
    with pytest.raises(Exception, match=answer):
        harness.run(fail={"getSecretVersion": answer})


def test_what_has_a_version_is_mounted_without_being_read() -> None:
    stack = harness.run(versions=frozenset({"sms-auth-token"}))
    assert mounted(stack) == MADE | {"sms-auth-token"}
    asked = [args for token, args in stack.calls if token.endswith("getSecretVersion")]
    assert asked
    assert all(args["fetchSecretData"] is False for args in asked)


def test_what_the_configuration_gives_is_not_asked_for() -> None:
    stack = harness.run(secrets={"accountSid": "AC1", "authToken": "t"})
    assert mounted(stack) == MADE | {"sms-auth-token", "sms-account-sid"}
    asked = {args["secret"] for token, args in stack.calls if token.endswith("getSecretVersion")}
    assert asked == {"sms-api-key-sid", "sms-api-key-secret", "sms-signing-key"}
