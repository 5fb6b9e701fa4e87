"""Everything around a deployed connector, on loopback: the fake cloud that runs it, emulators, and the provider's sandbox."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from google.cloud import tasks_v2

from sandbox import AdminClient
from tests.fixtures.certificates import Authority
from tests.fixtures.cloud_tasks_emulator import emulating
from tests.fixtures.firestore_front import fronting
from tests.fixtures.processes import sandbox_process
from tests.infra.fake_google import tokens
from tests.infra.fake_google.front_door import FrontDoor
from tests.infra.fake_google.http import FakeGoogle
from tests.infra.fake_google.running import Runner
from tests.infra.fake_google.secret_versions import serving_versions
from tests.infra.harness import PROJECT, REGION

QUEUES = f"projects/{PROJECT}/locations/{REGION}/queues"


@dataclass(frozen=True)
class World:
    """What a test of a deployed connector holds in its hands."""

    fake: FakeGoogle
    runner: Runner
    sandbox: AdminClient
    provider: str  # the sandbox by https, which the platform insists on

    def call(
        self, service: str, path: str, body: object = None, *, account: str | None = None, method: str = "POST"
    ) -> tuple[int, Any]:
        """Status and answer of a request to a service, as an account or as nobody."""
        address = self.runner.address(service)
        headers = {"Content-Type": "application/json"}
        if account:
            headers["Authorization"] = f"Bearer {tokens.issue(account, address)}"
        data = None if method == "GET" else json.dumps(body if body is not None else {}).encode()
        request = urllib.request.Request(address + path, data, headers, method=method)
        try:
            trusted = self.runner.authority.client_context()
            with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def run_job(self, name: str) -> Any:
        """What came of a scheduled job that is run now: nothing where all is well."""
        url = f"{self.fake.address}/cloudscheduler/v1/projects/{PROJECT}/locations/{REGION}/jobs/{name}:run"
        with urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=120) as answer:
            return json.load(answer)["status"]

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.runner.log(name)}" for name in self.runner.served)


@contextlib.contextmanager
def around(
    fake: FakeGoogle, folder: Path, *, firestore: str, environments: Path, connections: Iterable[str] = ("sms",)
) -> Iterator[World]:
    """Queues are made in the emulator under the names the stack gives them: the fake's control plane has no dispatcher."""
    limits = tasks_v2.RateLimits(max_concurrent_dispatches=10)
    retries = tasks_v2.RetryConfig(max_attempts=-1, min_backoff={"nanos": 100_000_000}, max_backoff={"seconds": 2})
    queues = [
        tasks_v2.Queue(name=f"{QUEUES}/{connection}-{role}", rate_limits=limits, retry_config=retries)
        for connection in connections
        for role in ("chunks", "events")
    ]
    authority = Authority(folder / "authority")
    with (
        fronting(firestore) as database,
        serving_versions(fake.cloud) as versions,
        emulating(*queues, mint=partial(_token, fake), ca_file=authority.ca_file) as tasks,
        sandbox_process(SSL_CERT_FILE=authority.ca_file) as sandbox,
    ):
        provider = FrontDoor(lambda _who: True, authority.server_context())
        provider.backend = urlsplit(sandbox.url).port
        extra = {
            "FIRESTORE_EMULATOR_HOST": database,
            "CLOUD_TASKS_EMULATOR_HOST": tasks,
            "SECRET_MANAGER_EMULATOR_HOST": versions,
        }
        runner = fake.serve_functions(folder, extra, authority=authority, environments=environments)
        yield World(fake, runner, sandbox, provider.address)
        provider.close()


def _token(fake: FakeGoogle, oidc: Any) -> str | None:
    """What the agent of Cloud Tasks calls with, if it may."""
    return fake.cloud.mint("cloudtasks", oidc.service_account_email, oidc.audience)


def eventually(holds: Callable[[], object], *, within: float, what: str) -> None:
    """Waits until something holds; fails with `what` where it doesn't."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
