"""Ctrl-C while a file is sent: the first cancels the rest and says what was sent, the second ends at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from cli.client import Client
from cli.sending import Followed, follow
from tests.cli.conftest import run_command
from tests.cli.scripted_http import Scripted, desk, problem
from tests.cli.test_cli_campaign import ID, campaign

RUNNING = campaign("running", waiting=400, delivered=50, sent=50)
CANCELED = campaign("canceled", delivered=60, sent=41, canceled=399)
SETTLED = campaign("canceled", delivered=101, canceled=399)


def interrupting(*at: int) -> Callable[[float], None]:
    """A sleep that is interrupted the n-th time."""
    slept = 0

    def sleep(_: float) -> None:
        nonlocal slept
        slept += 1
        if slept in at:
            raise KeyboardInterrupt

    return sleep


def run(sleep: Callable[[float], None], *answers: Scripted, wait: bool = True) -> tuple[Followed, list[str], list[str]]:
    on = desk(*answers)
    said: list[str] = []
    client: Client = on.client()
    followed = follow(client, RUNNING.body, wait=wait, progress=lambda _: None, notify=said.append, sleep=sleep)
    return followed, [str(request.url).rpartition("/")[2] for request in on.adapter.requests], said


def test_the_first_cancels_and_waits_for_what_is_under_way() -> None:
    followed, asked, said = run(interrupting(2), RUNNING, CANCELED, SETTLED, SETTLED)
    assert followed.interrupted
    assert followed.campaign["counts"] == {"delivered": 101, "canceled": 399}
    assert asked == [ID, f"{ID}:cancel", ID]
    assert ["Ctrl-C again ends at once" in words for words in said] == [True]


def test_the_second_ends_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(interrupting(1, 2), CANCELED, SETTLED)


def test_one_that_has_ended_meanwhile_is_shown() -> None:
    followed, asked, _ = run(interrupting(1), problem(422, "it is done"), campaign("done", delivered=500))
    assert followed.campaign["state"] == "done"
    assert asked[0] == f"{ID}:cancel"


@pytest.mark.parametrize(
    ("answers", "wait", "state", "why"),
    [
        ((campaign("done", delivered=500),), True, "done", "followed to its end"),
        ((campaign("running", sent=500),), False, "running", "without waiting: until each was called"),
        ((campaign("paused", waiting=400),), True, "paused", "one that pauses by itself goes on by a command only"),
    ],
)
def test_when_it_stops_by_itself(answers: tuple[Scripted, ...], wait: bool, state: str, why: str) -> None:
    followed, _, _ = run(interrupting(), *answers, wait=wait)
    assert (followed.interrupted, followed.campaign["state"]) == (False, state), why


class Interrupted(requests.Session):
    """Ctrl-C while the request is under way."""

    def send(self, *_: Any, **__: Any) -> requests.Response:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "+15558675310"), "it may have been sent: `sms messages --to +15558675310` shows it"),
        (("--csv", "FILE", "--on-invalid", "report"), "the file may have been taken: `sms campaign list` shows it"),
    ],
)
def test_a_request_under_way_is_named(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text("to\n+15558675310\n")
    given = [str(file) if word == "FILE" else word for word in words]
    ran = run_command(
        "send", *given, "--message", "Hi", "--key", "k1", connect=lambda url, _, notify: Client(url, Interrupted())
    )
    assert ran.code == 130
    assert told in ran.err
    assert "--key k1 sends nothing twice" in ran.err
