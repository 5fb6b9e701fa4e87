"""Everything around a deployed connector, on loopback: the fake cloud that runs it, emulators, and the provider's sandbox."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.cloud import tasks_v2

from sandbox import AdminClient
from tests.fixtures.cloud_tasks_emulator import emulating
from tests.fixtures.processes import sandbox_process
from tests.infra.fake_google import tokens
from tests.infra.fake_google.http import FakeGoogle
from tests.infra.fake_google.running import Runner
from tests.infra.harness import PROJECT, REGION

QUEUES = f"projects/{PROJECT}/locations/{REGION}/queues"


@dataclass(frozen=True)
class World:
    """What a test of a deployed connector holds in its hands."""

    fake: FakeGoogle
    runner: Runner
    sandbox: AdminClient

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
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.runner.log(name)}" for name in self.runner.served)


@contextlib.contextmanager
def around(fake: FakeGoogle, folder: Path, *, firestore: str, environments: Path) -> Iterator[World]:
    """Queues are made in the emulator under the names the stack gives them: the fake's control plane has no dispatcher."""
    limits = tasks_v2.RateLimits(max_concurrent_dispatches=10)
    retries = tasks_v2.RetryConfig(max_attempts=-1, min_backoff={"nanos": 100_000_000}, max_backoff={"seconds": 2})
    queues = [
        tasks_v2.Queue(name=f"{QUEUES}/sms-{role}", rate_limits=limits, retry_config=retries)
        for role in ("chunks", "events")
    ]
    with emulating(*queues) as tasks, sandbox_process() as sandbox:
        extra = {"FIRESTORE_EMULATOR_HOST": firestore, "CLOUD_TASKS_EMULATOR_HOST": tasks}
        yield World(fake, fake.serve_functions(folder, extra, environments=environments), sandbox)


def eventually(holds: Callable[[], object], *, within: float, what: str) -> None:
    """Waits until something holds; fails with `what` where it doesn't."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
