"""What the transport's tests share: a transport whose clock, gate and secrets the test owns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sms_connector.model.message import BeforeAttempt
from sms_connector.ports import Secret
from sms_connector.transport.http import Gate, HttpRequest, Lane
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings
from tests.fixtures.certificates import Authority as Authority
from tests.fixtures.clocks import FakeClock


class NotingClock(FakeClock):
    """Time that moves only by sleeping, and notes how long; sockets keep the machine's own."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


@dataclass
class Vault:
    """Secrets as a rotation leaves them: `refresh` brings the next version, where there is one."""

    versions: list[dict[str, str]] = field(default_factory=lambda: [{}])
    refreshed: int = 0

    def get(self, name: str) -> Secret | None:
        value = self.versions[0].get(name)
        return Secret(value) if value else None

    def refresh(self) -> None:
        self.refreshed += 1
        if len(self.versions) > 1:
            self.versions.pop(0)

    def where(self, name: str) -> str:
        return f"/secrets/{name}"


@dataclass
class Bench:
    """A transport and everything around it that a test wants to look at."""

    transport: HttpTransport
    clock: NotingClock
    vault: Vault
    gates: list[Lane]

    def post(self, url: str, body: bytes | None = b"To=%2B15558675310&Body=secret+words", **fields: Any) -> Any:
        fields = {"method": "POST", "headers": {"Content-Type": "application/x-www-form-urlencoded"}} | fields
        return self.transport.send(HttpRequest(url=url, body=body, lane=Lane.SEND, **fields))

    def get(self, url: str) -> Any:
        return self.transport.send(HttpRequest("GET", url, {}, repeatable=True))


def noting(lanes: list[Lane]) -> Gate:
    """A gate that lets everything through and notes for which lane."""

    def gate(lane: Lane, before_attempt: BeforeAttempt | None = None, /) -> None:
        lanes.append(lane)
        if before_attempt is not None:
            before_attempt()

    return gate


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    """Short time-outs, one attempt, jitter at its full length; every setting can be given."""
    made: list[Bench] = []

    def make(
        *, secrets: list[dict[str, str]] | None = None, clock: Any = None, resolve: Any = None, **settings: Any
    ) -> Bench:
        gates: list[Lane] = []
        chosen = {"connect_timeout": 2.0, "read_timeout": 0.4, "attempts": 1, "rest": 0.0} | settings
        clock, vault = clock or NotingClock(), Vault(secrets or [{}])
        more = {"resolve": resolve} if resolve else {}
        transport = HttpTransport(
            TransportSettings(**chosen), clock=clock, gate=noting(gates), secrets=vault, uniform=lambda: 1.0, **more
        )
        made.append(Bench(transport, clock, vault, gates))
        return made[-1]

    yield make
    for bench in made:
        bench.transport.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))
