"""Where a token goes, and where it never goes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import requests

from cli.client import open_session
from cli.errors import Misused, Unavailable
from cli.identity import IdentityToken, check_url, token_source


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://connector-abc.a.run.app/", "https://connector-abc.a.run.app"),
    ],
)
def test_addresses(url: str, checked: str) -> None:
    assert check_url(url) == checked


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://connector.example", "plain http to another machine"),
        ("http://127.0.0.1.example", "plain http to another machine"),
        ("http://localhost.example", "plain http to another machine"),
        ("connector.example", "is not an address"),
        ("ftp://connector.example", "is not an address"),
        ("", "is not an address"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(Misused, match=words):
        open_session(url, {})


@pytest.mark.parametrize(("url", "has_token"), [("http://127.0.0.1:1", False), ("https://connector.example", True)])
def test_only_another_machine_gets_a_token(url: str, has_token: bool) -> None:
    session = open_session(url, {"SMS_CLI_TOKEN": "t"})
    assert isinstance(session.auth, IdentityToken) is has_token


def test_a_given_token_comes_first(tmp_path: Path) -> None:
    environ = {"SMS_CLI_TOKEN": "given", "PATH": str(gcloud(tmp_path, "echo other"))}
    assert token_source("https://connector.example", environ)() == "given"


def test_gcloud_is_asked(tmp_path: Path) -> None:
    path = str(gcloud(tmp_path, 'echo "$1 $2"'))
    assert token_source("https://connector.example", {"PATH": path})() == "auth print-identity-token"


def test_gcloud_that_refuses_is_quoted(tmp_path: Path) -> None:
    path = str(gcloud(tmp_path, "echo 'not logged in' >&2; exit 1"))
    with pytest.raises(Unavailable, match=r"not logged in.*gcloud auth login"):
        token_source("https://connector.example", {"PATH": path})()


def test_a_token_is_asked_for_once() -> None:
    tokens = iter(("first", "second"))
    identity = IdentityToken(lambda: next(tokens))
    prepared = [requests.Request("GET", "https://x.example", auth=identity).prepare() for _ in range(2)]
    assert [request.headers["Authorization"] for request in prepared] == ["Bearer first"] * 2


def gcloud(folder: Path, body: str) -> Path:
    """A command of that name, alone in its folder."""
    command = folder / "gcloud"
    command.write_text(f"#!/bin/sh\n{body}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder
