"""What goes wrong between the command and the connector: exit code, words, and how often it was asked."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from cli.errors import ConnectionLost
from cli.identity import IdentityToken
from tests.cli.conftest import run_command
from tests.cli.scripted_http import Scripted, desk, problem

SENT = {
    "index": 0,
    "id": "msg_1",
    "to": "+15558675310",
    "status": "delivered",
    "final": True,
    "segments": 1,
    "error": None,
}
ANSWER = Scripted(200, {"requestId": "r", "results": [SENT], "summary": {"delivered": 1}})
ACTIVE = Scripted(200, {"state": "ACTIVE", "description": "", "latencyMillis": 1})
LIMITS = ("limits",)
SEND = ("send", "--to", "+15558675310", "--message", "Hi")
NOBODY = requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused")))  # type: ignore[arg-type]
LOST = requests.ConnectionError("Remote end closed connection without response")


class Case(NamedTuple):
    why: str
    command: tuple[str, ...]
    answers: tuple[Scripted | Exception, ...]
    code: int
    words: str
    asked: int = 1
    slept: tuple[float, ...] = ()


CASES = [
    Case("nobody there is told at once", LIMITS, (NOBODY,), 3, "no answer from http://127.0.0.1:9"),
    Case(
        "a send has a key, so it is asked again after a lost connection",
        SEND,
        (LOST, LOST, ANSWER),
        0,
        "asking again in 2 s",
        3,
        (1.0, 2.0),
    ),
    Case("once it was there, nobody may be a restart", SEND, (LOST, NOBODY, ANSWER), 0, "refused", 3, (1.0, 2.0)),
    Case("what has no key may have been done", ("suspend",), (LOST,), 3, "broke before the answer came"),
    Case("busy: as long as it says", SEND, (problem(429, "busy", Retry_After="7"), ANSWER), 0, "busy", 2, (7.0,)),
    Case(
        "busy is safe without a key too", ("test",), (problem(429, "busy", Retry_After="1"), ACTIVE), 0, "", 2, (1.0,)
    ),
    Case(
        "the same key still running", SEND, (problem(409, "running", Retry_After="2"), ANSWER), 0, "running", 2, (2.0,)
    ),
    Case("no instance yet", SEND, (Scripted(503, "no instance", {"Retry-After": "3"}), ANSWER), 0, "503", 2, (3.0,)),
    Case("an hour is too long", SEND, (problem(429, "busy", Retry_After="3600"),), 2, "busy"),
    Case(
        "one problem's words",
        SEND,
        (problem(400, "to: is not a phone number", {"field": "to", "kind": "INVALID_RECIPIENT"}),),
        2,
        "error: to: is not a phone number",
    ),
    Case(
        "several problems, a line each",
        SEND,
        (problem(400, "x (and 1 more)", {"field": "to", "message": "no"}, {"field": "sender", "message": "neither"}),),
        2,
        "error: to: no\nerror: sender: neither",
    ),
    Case(
        "the provider is down",
        ("status", "msg_1"),
        (problem(502, "the provider does not answer"),),
        3,
        "does not answer",
    ),
    Case("the platform's door", LIMITS, (Scripted(403, "<html>Forbidden"),), 3, "roles/run.invoker"),
    Case("an unknown caller", LIMITS, (Scripted(401, "<html>Unauthorized"),), 3, "gcloud auth login"),
    Case("something else answers", LIMITS, (Scripted(200, "<html>Welcome"),), 3, "is it the connector?"),
    Case("a redirect is not followed with a token", LIMITS, (Scripted(302, "", {"Location": "x"}),), 3, "connector?"),
    Case("no recipient", ("send", "--message", "Hi"), (), 2, "name one of --to, --csv and --ndjson", 0),
    Case("two recipients", (*SEND, "--csv", "x.csv"), (), 2, "name one of", 0),
    Case("a file that is not there", ("send", "--csv", "no.csv", "--message", "Hi"), (), 2, "no.csv can't be read", 0),
    Case("nothing to map", (*SEND, "--map", "to=x"), (), 2, "without a file", 0),
    Case("a mapping that is none", (*SEND, "--map", "to"), (), 2, "NAME=FIELD", 0),
    Case("an option that does not exist", ("limits", "--nope"), (), 2, "No such option", 0),
]


@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_errors(case: Case) -> None:
    on = desk(*case.answers)
    ran = run_command(*case.command, connect=on.connect)
    assert ran.code == case.code, ran.err
    assert case.words in ran.err
    assert len(on.adapter.requests) == case.asked
    assert tuple(on.slept) == case.slept


def test_the_same_key_at_every_try() -> None:
    on = desk(LOST, LOST, ANSWER)
    run_command(*SEND, "--key", "k1", connect=on.connect)
    assert [request.headers["Idempotency-Key"] for request in on.adapter.requests] == ["k1"] * 3


def test_patience_ends() -> None:
    on = desk(LOST)
    with pytest.raises(ConnectionLost):
        on.client().post("/x", key="k")
    assert 0 < sum(on.slept) <= 300


def test_programs_get_the_problem_document() -> None:
    on = desk(problem(422, "suspended"))
    ran = run_command("--json", *SEND, connect=on.connect)
    assert ran.code == 2
    assert ran.document["error"]["message"] == "suspended"


def test_not_active_is_an_exit_code() -> None:
    on = desk(Scripted(200, {"state": "AUTH_ERROR", "description": "wrong token", "latencyMillis": 1}))
    ran = run_command("test", connect=on.connect)
    assert ran.code == 1
    assert "wrong token" in ran.out


def test_an_expired_token_is_asked_for_once_more() -> None:
    tokens = iter(("old", "new"))
    on = desk(Scripted(401, ""), Scripted(200, {}))
    on.client(auth=IdentityToken(lambda: next(tokens))).get("/v1/limits")
    assert [request.headers["Authorization"] for request in on.adapter.requests] == ["Bearer old", "Bearer new"]
    assert on.slept == []


def test_pages_are_followed_to_the_limit() -> None:
    first = Scripted(200, {"messages": [1, 2], "nextPageToken": "t"})
    on = desk(first, Scripted(200, {"messages": [3, 4], "nextPageToken": "u"}))
    assert list(on.client().pages("/v1/messages", "messages", limit=3, to=None)) == [1, 2, 3]
    assert [request.path_url for request in on.adapter.requests] == [
        "/v1/messages?pageSize=3",
        "/v1/messages?pageSize=1&pageToken=t",
    ]
