"""`sms templates`, and `--template` of the commands that send: what is asked of the connector, and what people see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import run_command
from tests.cli.scripted_http import Scripted, desk, problem

SAVED: dict[str, Any] = {
    "name": "welcome",
    "version": 2,
    "message": "Hello <Vorname>",
    "mapping": {"to": "mobile"},
    "tracking": {"retryAttempts": 3},
    "placeholders": ["Vorname"],
    "createdAt": "2026-01-01T00:00:00.000Z",
    "updatedAt": "2026-01-02T00:00:00.000Z",
}


def test_a_template_is_saved_from_options() -> None:
    at = desk(Scripted(200, SAVED))
    options = ("--message", "Hello <Vorname>", "--map", "to=mobile", "--attempts", "3", "--on-unknown", "resend")
    ran = run_command("templates", "save", "welcome", *options, connect=at.connect)
    assert (ran.code, at.adapter.requests[0].method) == (0, "PUT")
    assert str(at.adapter.requests[0].url).endswith("/v1/templates/welcome")
    assert at.adapter.bodies == [
        {
            "message": "Hello <Vorname>",
            "mapping": {"to": "mobile"},
            "tracking": {"retryAttempts": 3},
            "onUnknown": "resend",
        }
    ]
    assert "to = mobile" in ran.out


def test_what_was_shown_can_be_saved_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "welcome.json"
    file.write_text(json.dumps(SAVED))
    at = desk(Scripted(200, SAVED))
    assert run_command("templates", "save", "hello", "--file", str(file), connect=at.connect).code == 0
    assert at.adapter.bodies == [{name: SAVED[name] for name in ("message", "mapping", "tracking")}]


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        pytest.param((), None, "--message is missing", id="nothing to save"),
        pytest.param(("--message", "x", "--file", "F"), "{}", "is a whole template", id="twice"),
        pytest.param(("--file", "F"), "[]", "one JSON object", id="a list"),
        pytest.param(("--file", "F"), "{", "is not JSON", id="broken"),
        pytest.param(("--file", "F"), None, "can't be read", id="no file"),
    ],
)
def test_what_can_not_be_saved(tmp_path: Path, words: tuple[str, ...], content: str | None, said: str) -> None:
    file = tmp_path / "t.json"
    if content is not None:
        file.write_text(content)
    at = desk(Scripted(200, SAVED))
    placed = (str(file) if word == "F" else word for word in words)
    ran = run_command("templates", "save", "welcome", *placed, connect=at.connect)
    assert (ran.code, at.adapter.requests) == (2, [])
    assert said in ran.err


def test_list_show_and_delete() -> None:
    page = {"templates": [SAVED], "nextPageToken": None}
    assert "Hello <Vorname>" in run_command("templates", "list", connect=desk(Scripted(200, page)).connect).out
    shown = run_command("templates", "show", "welcome", connect=desk(Scripted(200, SAVED)).connect).out
    assert "version" in shown
    at = desk(Scripted(200, {}))
    assert "welcome is deleted" in run_command("templates", "delete", "welcome", connect=at.connect).out
    assert at.adapter.requests[0].method == "DELETE"
    missing = desk(problem(404, "there is no template 'welcome'"))
    assert run_command("templates", "show", "welcome", connect=missing.connect).code == 2


def test_a_send_names_it_and_says_no_option_that_was_not_given() -> None:
    at = desk(Scripted(200, {"results": [], "summary": {}}))
    run_command("send", "--to", "+15558675310", "--template", "welcome", connect=at.connect)
    assert at.adapter.bodies == [{"template": "welcome", "tracking": {"wait": True}, "to": "+15558675310"}]


def test_a_preview_names_it() -> None:
    at = desk(Scripted(200, {"results": []}))
    run_command("preview", "--template", "welcome", connect=at.connect)
    assert at.adapter.bodies == [{"template": "welcome"}]


def test_a_campaign_names_it(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("mobile\n+15558675310\n")
    at = desk(problem(400, "template: there is no template 'welcome'"))
    ran = run_command("campaign", "create", str(file), "--template", "welcome", connect=at.connect)
    assert ran.code == 2
    assert str(at.adapter.requests[0].url).endswith("/v1/campaigns?template=welcome")


@pytest.mark.parametrize("words", [("send", "--to", "+15558675310"), ("preview",)])
def test_neither_text_nor_template(words: tuple[str, ...]) -> None:
    at = desk(Scripted(200, {}))
    ran = run_command(*words, connect=at.connect)
    assert (ran.code, at.adapter.requests) == (2, [])
    assert "--template" in ran.err
