"""The command against the real thing: functions-framework and sandbox as own processes and ports, once a session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.stack import ROTATOR, TARGETS, Stack, running_stack
from sandbox import AdminClient


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def run_command(*words: str, connect: Any = None, environ: dict[str, str] | None = None) -> Ran:
    result = CliRunner().invoke(
        app, words, obj=connect, env={"COLUMNS": "300", **(environ or {})}, catch_exceptions=False
    )
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"SMS_RETRY_INTERVAL_MILLIS": "200"}
    targets = (*TARGETS, ROTATOR)
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, delivery_seconds=0.1, settings=settings, targets=targets) as running:
        yield running


@pytest.fixture
def sandbox(stack: Stack) -> AdminClient:
    return stack.sandbox


@pytest.fixture
def sms(stack: Stack) -> Run:
    """`sms(*words)`: the command, told by its environment where the connector is."""

    def run(*words: str) -> Ran:
        return run_command(*words, environ={"SMS_CLI_URL": stack.url, "SMS_CLI_ROTATOR_URL": stack.urls[ROTATOR]})

    return run
