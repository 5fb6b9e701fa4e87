"""A fake cloud and a checkout for each test that runs the real command."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.infra import deployer, harness
from tests.infra.e2e import cli
from tests.infra.fake_google.http import FakeGoogle

GRANTS = {"grants.seconds": "2"}  # they act after a second here
SECRETS = {"accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": "e2e-auth-token-0123456789abcdef"}


@pytest.fixture(autouse=True, scope="session")
def _real_command() -> None:
    """Before anything is started for a test: where the command or the plugin is missing, it is skipped and says which."""
    if reason := cli.missing():
        pytest.skip(reason)


@contextlib.contextmanager
def strict_fake() -> Iterator[FakeGoogle]:
    """It refuses what a fresh project refuses, to a deployer who has the documented roles and no other."""
    served = FakeGoogle(strict=True).start()
    served.cloud.deployer = deployer.documented()
    try:
        yield served
    finally:
        served.close()


@pytest.fixture
def fake() -> Iterator[FakeGoogle]:
    with strict_fake() as served:
        yield served


@pytest.fixture
def new_project(fake: FakeGoogle, tmp_path: Path) -> Callable[..., cli.Project]:
    """Makes the checkout; without an argument what is deployed is a small stand-in."""

    def make(function: Path | None = None) -> cli.Project:
        return cli.Project(tmp_path, fake, function or harness.checkout() / "function")

    return make


@pytest.fixture
def project(new_project: Callable[..., cli.Project]) -> cli.Project:
    """The two keys that suffice for a first connection, and the token."""
    made = new_project()
    made.set_all({"sender": "+15551234567"} | GRANTS, SECRETS)
    return made
