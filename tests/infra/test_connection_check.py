"""How the apply asks the deployed connector, and what it makes of every answer."""

from __future__ import annotations

import asyncio
import json
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from connection_check import PATIENCE_SECONDS, Check, Verdict, read
from tests.infra import configurations, harness
from tests.infra.harness import Cloud

ACTIVE = {"state": "ACTIVE", "description": "the provider knows us", "latencyMillis": 81}


@dataclass
class Connector:
    """Answers in turn; a clock that moves only when somebody sleeps."""

    answers: Sequence[tuple[int, bytes] | OSError]
    now: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def fetch(self, url: str, token: str) -> tuple[int, bytes]:
        self.asked.append((url, token))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds


async def minted(account: str, audience: str) -> str:
    return f"token of {account} for {audience}"


async def not_minted(_account: str, _audience: str) -> str:
    token = "gcp:serviceaccount/getAccountIdToken:getAccountIdToken"
    raise RuntimeError(
        f"invoke of {token} failed: invocation of {token} returned an error: invoking {token}: 1 error occurred:\n"
        "\t* error calling iamcredentials.GenerateIdToken: Error 403: Permission denied\n\n"
    )


def ask(connector: Connector, mint: Callable[..., object] = minted) -> Verdict:
    check = Check(mint, connector.fetch, connector.sleep, lambda: connector.now)  # type: ignore[arg-type]  # a coroutine function
    return asyncio.run(check.run("https://sms.example", "check@p.iam.gserviceaccount.com"))


@pytest.mark.parametrize(
    ("answers", "state", "part", "why"),
    [
        ([(200, json.dumps(ACTIVE).encode())], "ACTIVE", "the provider knows us", "as it is"),
        (
            [(200, b'{"state": "AUTH_ERROR", "description": "20003: wrong token"}')],
            "AUTH_ERROR",
            "wrong token",
            "the reason is the connector's",
        ),
        ([(200, b'{"state": "ERROR", "description": "no route"}')], "ERROR", "no route", "the way there"),
        ([(403, b""), (403, b""), (200, json.dumps(ACTIVE).encode())], "ACTIVE", "", "a grant takes a while"),
        ([(503, b""), (200, json.dumps(ACTIVE).encode())], "ACTIVE", "", "a first instance takes a while"),
        ([(403, b"")] * 40 + [(200, json.dumps(ACTIVE).encode())], "ACTIVE", "", "a grant that takes minutes"),
        ([TimeoutError("timed out"), (200, json.dumps(ACTIVE).encode())], "ACTIVE", "", "a slow first instance"),
        (
            [urllib.error.URLError(TimeoutError("timed out")), (200, json.dumps(ACTIVE).encode())],
            "ACTIVE",
            "",
            "the same, as urllib tells of a time-out while it connects",
        ),
        ([TimeoutError("timed out")], "ERROR", "can't be reached (timed out)", "an instance that never answers"),
        ([(403, b"")], "ERROR", "front door answered 403", "a grant that never comes"),
        ([(500, b"oops")], "ERROR", "answered 500 without a state", "not an answer"),
        ([(200, b"[]")], "ERROR", "without a state", "not an answer either"),
        ([(200, b'{"state": "SLEEPING"}')], "ERROR", "'SLEEPING'", "a state nobody knows"),
        ([OSError("no such host")], "ERROR", "can't be reached (no such host)", "no answer at all"),
    ],
)
def test_every_answer_is_a_verdict(
    answers: Sequence[tuple[int, bytes] | OSError], state: str, part: str, why: str
) -> None:
    verdict = ask(Connector(answers))
    assert verdict.state == state, why
    assert part in verdict.description, why


def test_the_connector_is_asked_as_its_check_account() -> None:
    connector = Connector([(200, json.dumps(ACTIVE).encode())])
    assert ask(connector) == Verdict("ACTIVE", "the provider knows us", 81)
    assert connector.asked == [
        ("https://sms.example/v1/connection:test", "token of check@p.iam.gserviceaccount.com for https://sms.example")
    ]


def test_waiting_has_an_end() -> None:
    connector = Connector([(503, b"")])
    ask(connector)
    assert connector.now <= PATIENCE_SECONDS


def test_a_deployer_without_the_right_is_told_which() -> None:
    verdict = ask(Connector([]), not_minted)
    assert verdict.state == "ERROR"
    assert "roles/iam.serviceAccountOpenIdTokenCreator" in verdict.description
    assert "(error calling iamcredentials.GenerateIdToken: Error 403: Permission denied)" in verdict.description


def test_latency_is_a_number_or_nothing() -> None:
    assert read(200, b'{"state": "ACTIVE", "latencyMillis": "fast"}').latency_millis is None


def test_an_update_succeeds_whatever_the_state() -> None:
    """In the harness nobody listens, so the state is an ERROR; the run ended well all the same."""
    assert configurations.stack("minimal").resources


READY = Cloud(versions=configurations.TWILIO_VERSIONS)


@pytest.mark.parametrize(
    ("cloud", "told"),
    [
        (READY, "ERROR: not asked: .* can't be reached"),
        (Cloud(), "AUTH_ERROR: not deployed: no value for account-sid, "),
    ],
    ids=["deployed", "waiting for secrets"],
)
def test_require_active_fails_the_update(cloud: Cloud, told: str) -> None:
    stack = harness.Stack()
    with pytest.raises(Exception, match=f"connection sms is {told}.*requireActive is set"):
        harness.run({"requireActive": "true"}, cloud=cloud, into=stack)
    assert stack.of("gcp:secretmanager/secret:Secret"), "all is made that can be"


def test_a_refused_token_does_not_fail_the_update() -> None:
    assert harness.run(cloud=Cloud(READY.versions, fail={"getAccountIdToken": "Error 403"})).outputs


def test_a_preview_tells_of_missing_values_and_fails_nothing() -> None:
    assert harness.run({"requireActive": "true"}, preview=True).resources
