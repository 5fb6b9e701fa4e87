from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import AdminClient, Options, Sandbox
from sandbox.options import Settings
from tests.sandbox.support import Api, OpenApiDocuments, Receiver


@pytest.fixture(scope="session")
def open_sandbox() -> Iterator[Sandbox]:
    # Long enough that nothing moves unless a test moves the clock.
    with Sandbox(Options(settings=Settings(delivery_seconds=100.0))) as opened:
        yield opened


@pytest.fixture
def sandbox(open_sandbox: Sandbox) -> Sandbox:
    open_sandbox.admin.reset()
    return open_sandbox


@pytest.fixture
def admin(sandbox: Sandbox) -> AdminClient:
    return sandbox.admin


@pytest.fixture(scope="session")
def documents() -> OpenApiDocuments:
    return OpenApiDocuments.load("twilio_api_v2010.json", "twilio_accounts_v1.json")


@pytest.fixture
def api(sandbox: Sandbox, documents: OpenApiDocuments) -> Api:
    return Api(sandbox.url, documents)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened
