"""Rotation and addresses from the command line."""

from __future__ import annotations

import re

from tests.cli.conftest import Run, run_command


def test_without_an_address_it_says_where_one_is_found() -> None:
    ran = run_command("rotate", "auth-token")
    assert ran.code == 2
    assert "SMS_CLI_ROTATOR_URL" in ran.err


def test_a_plan_shows_the_stages_and_does_nothing(sms: Run) -> None:
    ran = sms("rotate", "auth-token", "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "now   keep the old token for callbacks"
    assert ran.out.splitlines()[-1] == "nothing was done"


def test_a_rotation_goes_on_with_each_call(sms: Run) -> None:
    ran = sms("--json", "rotate", "auth-token")
    assert (ran.code, ran.document["state"], ran.document["stage"]) == (0, "WAITING", ran.document["stages"][0])
    assert 0 < sms("--json", "rotate", "auth-token").document["retryAfterSeconds"] <= 60


def test_what_only_an_operator_can_make_says_how(sms: Run) -> None:
    ran = sms("rotate", "signing-key")
    assert ran.code == 2
    assert "add the new one as a version" in ran.err.replace("\n", " ")


def test_addresses_say_where_they_are_entered(sms: Run) -> None:
    found = sms("--json", "connection", "addresses").document["addresses"]
    assert [each["kind"] for each in found] == ["status", "inbound"]
    assert all(
        re.fullmatch(r"http://127.0.0.1:\d+/webhooks/twilio/(status|inbound)/[0-9a-f]{24}", each["url"])
        for each in found
    )
    assert "Twilio Console" in sms("connection", "addresses").out
