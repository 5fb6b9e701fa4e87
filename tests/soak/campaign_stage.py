"""What a soak of campaigns runs on: sandbox, connector, webhook and workers as processes, on one of the two backends.

sqlite   ledger and queue are files; every worker takes its tasks itself
google   Google's Firestore emulator, and our Cloud Tasks emulator, which posts to one address that stands for all workers
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import requests
from google.cloud import tasks_v2 as v2

from sandbox import AdminClient
from sandbox.providers import simulator
from tests.fixtures.cloud_tasks_emulator import emulating
from tests.fixtures.emulators import free_port, running
from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ, find_port, sandbox_process

from .balancer import balancing
from .intents import OPTED_OUT

HURRIED = Path(__file__).with_name("campaign_main.py")
DEPLOYED = ROOT / "function" / "main.py"
THREADS = "16"
WEBHOOK_KEY = "5" * 64
PROJECT, LOCATION, CONNECTION = "demo-soak", "europe-west3", "soak"
# 127.0.0.1 in other words: the sandbox's journal keeps the Host header, which tells the nodes apart.
SPELLINGS = ("127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f.0.1", "0x7f000001", "0177.1", "0177.0.1")


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: addresses that are known before anybody is started. `entry` is the file the functions are in. `webhook` None: no
    callbacks come."""

    connector: int
    webhook: int | None
    workers: tuple[int, ...]
    entry: Path = HURRIED

    @classmethod
    def of(cls, workers: int, entry: Path = HURRIED) -> Cast:
        return cls(find_port(), find_port(), tuple(find_port() for _ in range(workers)), entry)

    @classmethod
    def without_webhook(cls, workers: int, entry: Path = HURRIED) -> Cast:
        return cls(find_port(), None, tuple(find_port() for _ in range(workers)), entry)


@dataclass(frozen=True, slots=True)
class CampaignStage:
    """`victims` may be killed: the connector, the webhook and all workers. `nodes`: what the journal's Host says of whom."""

    sandbox: AdminClient
    provider: str
    victims: tuple[FunctionProcess, ...]
    nodes: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.victims[0].url


Backend = Callable[[Path, Cast], AbstractContextManager[dict[str, str]]]


@contextlib.contextmanager
def on_sqlite(folder: Path, _cast: Cast) -> Iterator[dict[str, str]]:
    yield {"SMS_QUEUE": f"sqlite:{folder / 'queue.db'}"}


@contextlib.contextmanager
def on_google(folder: Path, cast: Cast) -> Iterator[dict[str, str]]:
    """Queues as infra makes them (infra/components/queues.py)."""
    port = free_port()
    firestore = ["gcloud", "emulators", "firestore", "start", f"--host-port=127.0.0.1:{port}", "--quiet"]
    queues = [_queue("chunks", len(cast.workers), backoff=60), _queue("events", 100, backoff=300)]
    with (
        running(firestore, port=port, log=folder / "firestore.log") as ledger,
        emulating(*queues) as tasks,
        balancing(cast.workers) as worker_url,
    ):
        yield {
            "FIRESTORE_EMULATOR_HOST": ledger,
            "CLOUD_TASKS_EMULATOR_HOST": tasks,
            "SMS_LEDGER": f"firestore:{PROJECT}/(default)",
            "SMS_QUEUE": f"cloud-tasks:{PROJECT}/{LOCATION}",
            "SMS_WORKER_URL": worker_url,
            "SMS_CONNECTOR_URL": f"http://127.0.0.1:{cast.connector}",
            "SMS_TASKS_ACCOUNT": f"tasks@{PROJECT}.iam.gserviceaccount.com",
        }


BACKENDS: Mapping[str, Backend] = {"sqlite": on_sqlite, "google": on_google}


def _queue(name: str, concurrent: int, *, backoff: int) -> v2.Queue:
    return v2.Queue(
        name=f"projects/{PROJECT}/locations/{LOCATION}/queues/{CONNECTION}-{name}",
        rate_limits=v2.RateLimits(max_concurrent_dispatches=concurrent),
        retry_config=v2.RetryConfig(max_attempts=-1, min_backoff={"seconds": 1}, max_backoff={"seconds": backoff}),
    )


@contextlib.contextmanager
def on_stage(
    folder: Path,
    cast: Cast,
    *,
    backend: Backend,
    seed: int,
    settings: Mapping[str, str] | None = None,
    provider: str = "twilio",
) -> Iterator[CampaignStage]:
    """Everybody up, and one recipient opted out."""
    with contextlib.ExitStack() as closing:
        sandbox = closing.enter_context(sandbox_process("--delivery-seconds=1", f"--seed={seed}"))
        common = (
            _environ(folder, sandbox.url, cast, provider)
            | closing.enter_context(backend(folder, cast))
            | dict(settings or {})
        )
        victims, nodes = [], {}
        for number, (name, target, port) in enumerate(_parts(cast)):
            spelt = SPELLINGS[number]
            url = {"SMS_PROVIDER_URL": common["SMS_PROVIDER_URL"].replace("127.0.0.1", spelt)}
            process = FunctionProcess(cast.entry, common | url, folder / f"{name}.log", target=target, port=port)
            victims.append(closing.enter_context(process.running()))
            nodes[sandbox.url.removeprefix("http://").replace("127.0.0.1", spelt)] = name
        requests.put(f"{victims[0].url}/v1/optOuts/{OPTED_OUT}", json={}, timeout=30).raise_for_status()
        if cast.webhook is not None:
            addresses = (_callback_url(cast.webhook, provider, kind) for kind in ("status", "inbound"))
            simulator(provider).enter_addresses(sandbox, *addresses)
        yield CampaignStage(sandbox, provider, tuple(victims), nodes)


def _callback_url(port: int, provider: str, kind: str) -> str:
    """As docs/providers/ has it."""
    token = hmac.new(WEBHOOK_KEY.encode(), f"{kind}:{CONNECTION}".encode(), hashlib.sha256).hexdigest()[:24]
    return f"http://127.0.0.1:{port}/webhooks/{provider}/{kind}/{token}"


def _parts(cast: Cast) -> Iterator[tuple[str, str, int]]:
    yield "connector", "connector", cast.connector
    if cast.webhook is not None:
        yield "webhook", "webhook", cast.webhook
    for number, port in enumerate(cast.workers):
        yield f"worker-{number}", "worker", port


def _environ(folder: Path, sandbox_url: str, cast: Cast, provider: str) -> dict[str, str]:
    environ = connector_environ(
        folder,
        sandbox_url,
        provider,
        THREADS=THREADS,
        SMS_CONNECTION=CONNECTION,
        SMS_WORKERS_MAX=str(len(cast.workers)),
    )
    if cast.webhook is not None:
        environ["SMS_WEBHOOK_URL"] = f"http://127.0.0.1:{cast.webhook}"
    (folder / "secrets" / "webhook-key").write_text(WEBHOOK_KEY)
    return environ
