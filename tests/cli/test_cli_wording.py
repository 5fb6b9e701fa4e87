"""The connector's words in the command's own: commands for calls, lines of the file for places in a request."""

from __future__ import annotations

from typing import Any

import pytest

from cli.errors import Refused
from cli.wording import in_commands, locate
from tests.cli.conftest import run_command
from tests.cli.scripted_http import Scripted, desk, problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resume it with POST /v1/connection:resume", "resume it with `sms resume`"),
        ("check it with POST /v1/connection:test, then", "check it with `sms test`, then"),
        ("DELETE /v1/optOuts/{number} once", "`sms opt-outs remove NUMBER` once"),
        ("POST /v1/campaigns/cmp_c1:resume.", "`sms campaign resume cmp_c1`."),
        (
            "look in GET /v1/messages or GET /v1/campaigns before",
            "look in `sms messages` or `sms campaign list` before",
        ),
        ("GET /v1/elsewhere/x lists them", "GET /v1/elsewhere/x lists them"),
        ("'2026-01-01 10:00' is no time; a + in a query is written %2B", "'2026-01-01 10:00' is no time"),
        ("records[3].mobile (line 5): is empty", "line 5, mobile: is empty"),
        ("records[3] (line 5): has 3 values", "line 5: has 3 values"),
        ("records[3].mobile: is empty", "records[3].mobile: is empty"),
    ],
)
def test_in_commands(text: str, said: str) -> None:
    assert in_commands(text) == said


@pytest.mark.parametrize(
    ("detail", "where"),
    [
        ({"field": "records[3].mobile", "line": 5}, "line 5, mobile"),
        ({"field": "records[3]", "line": 5}, "line 5"),
        ({"field": "records[3].mobile"}, "records[3].mobile"),
        ({"field": "message"}, "message"),
        ({}, ""),
    ],
)
def test_locate(detail: dict[str, Any], where: str) -> None:
    assert locate(detail) == where


def test_errors_are_said_so() -> None:
    suspended = problem(422, "the connection is suspended: resume it with POST /v1/connection:resume")
    assert list(Refused(422, suspended.body).lines()) == ["the connection is suspended: resume it with `sms resume`"]


def test_version() -> None:
    ran = run_command("--version")
    assert (ran.code, ran.out.startswith("sms 0.")) == (0, True)


@pytest.mark.parametrize("words", [("--json", "test"), ("test", "--json"), ("campaign", "list", "--json")])
def test_json_wherever_it_stands(words: tuple[str, ...]) -> None:
    answer = {"state": "ACTIVE", "description": "", "latencyMillis": 1, "campaigns": [], "nextPageToken": None}
    assert run_command(*words, connect=desk(Scripted(200, answer)).connect).document


def test_a_text_may_be_json() -> None:
    sent = {"index": 0, "id": "msg_1", "to": "+15558675310", "status": "sent", "segments": 1, "error": None}
    at = desk(Scripted(200, {"results": [sent], "summary": {}, "warnings": []}))
    assert run_command("send", "--to", "+15558675310", "--message", "--json", connect=at.connect).code == 0
    assert at.adapter.bodies[0]["message"] == "--json"


def test_inbound_shows_media_and_what_it_answers() -> None:
    row = {
        "receivedAt": "2026-01-01T00:00:00.000Z",
        "sender": "+15558675310",
        "to": "+15551234567",
        "text": "see",
        "keyword": None,
        "inReplyTo": "msg_1",
        "mediaUrls": ["https://example.com/cat.png"],
    }
    ran = run_command("inbound", connect=desk(Scripted(200, {"inboundMessages": [row], "nextPageToken": None})).connect)
    assert "msg_1" in ran.out
    assert "https://example.com/cat.png" in ran.out


def test_redact_shows_that_the_text_is_forgotten() -> None:
    message = {
        **dict.fromkeys(("id", "to", "sender", "providerMessageId", "encoding"), "x"),
        **dict.fromkeys(("createdAt", "sentAt", "updatedAt"), "2026-01-01T00:00:00.000Z"),
        "status": "delivered",
        "final": True,
        "segments": 1,
        "error": None,
        "redacted": True,
    }
    assert (
        "asked to forget the text" in run_command("redact", "msg_1", connect=desk(Scripted(200, message)).connect).out
    )
