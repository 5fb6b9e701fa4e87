"""The connector and a sandbox on this machine: the deployed entry points under functions-framework, on free loopback ports.

Ledger, queue, secrets and logs are in one folder, which the caller keeps or throws away. Whatever happens, the processes end.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import requests

from cli.errors import Misused, Unavailable
from sandbox import AdminClient, Options, Sandbox
from sandbox.options import Settings
from sandbox.providers import PACKAGES, Simulator, simulator

ROOT = Path(__file__).resolve().parent.parent
PROVIDER = "twilio"
SANDBOX, CONNECTOR, WORKER, WEBHOOK, ROTATOR = "sandbox", "connector", "worker", "webhook", "rotator"
# The entry points that are started.
TARGETS = (CONNECTOR, WORKER, WEBHOOK)
START_SECONDS, STOP_SECONDS = 60.0, 5.0
LOG_LINES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Stack:
    """What is running. `urls`: entry point → address. `logs`: entry point → file. `inbound_url`: where the sandbox brings texts to
    `sender`, a number of ours at `provider`."""

    sandbox_url: str
    urls: Mapping[str, str]
    logs: Mapping[str, Path]
    inbound_url: str
    provider: str
    sender: str

    @property
    def url(self) -> str:
        """Of the private API."""
        return self.urls[CONNECTOR]

    @property
    def sandbox(self) -> AdminClient:
        return AdminClient(self.sandbox_url)


@contextmanager
def running_stack(
    folder: Path,
    *,
    provider: str = PROVIDER,
    delivery_seconds: float = 2.0,
    settings: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
    targets: Sequence[str] = TARGETS,
) -> Iterator[Stack]:
    """Start sandbox and functions (`targets`). `ports` by entry point (and `sandbox`), else free ones; `settings` are more variables.

    Raises Misused where a port is taken or the provider is not simulated, Unavailable, with the end of its log, where a function
    does not start.
    An Unavailable raised while the stack is used gets the end of the log too.
    """
    simulated = _find_simulator(provider)
    wanted = {name: _claim_port(name, (ports or {}).get(name, 0)) for name in (SANDBOX, *targets)}
    urls = {target: f"http://127.0.0.1:{wanted[target]}" for target in targets}
    logs = {target: folder / f"{target}.log" for target in targets}
    with ExitStack() as closing:
        _terminate_on_sigterm(closing)
        options = Options(port=wanted[SANDBOX], settings=Settings(delivery_seconds=delivery_seconds))
        sandbox = closing.enter_context(Sandbox(options))
        provider_settings = simulated.settings(provider, sandbox.url)
        own = _environ(folder, simulated.secrets, webhook_url=urls[WEBHOOK])
        environ = {**own, **provider_settings, **(settings or {})}
        running: dict[str, subprocess.Popen[bytes]] = {}
        closing.callback(_stop, running.values())
        for target in targets:
            running[target] = _start(target, wanted[target], environ=environ, log=logs[target])
        for target, process in running.items():
            _await_health(urls[target], process, logs[target])
        status_url, inbound_url = (
            _callback_url(folder, urls[WEBHOOK], provider, kind) for kind in ("status", "inbound")
        )
        simulated.enter_addresses(AdminClient(sandbox.url), status_url, inbound_url)
        try:
            yield Stack(sandbox.url, urls, logs, inbound_url, provider, simulated.sender)
        except Unavailable as error:
            for log in logs.values():
                error.add_note(_end_of(log))
            raise


def _find_simulator(provider: str) -> Simulator:
    try:
        return simulator(provider)
    except KeyError:
        raise Misused(f"no provider is called {provider!r}; choose one of {', '.join(PACKAGES)}") from None


def _environ(folder: Path, provider_secrets: Mapping[str, str], *, webhook_url: str) -> dict[str, str]:
    """Nothing of the caller's own SMS_ settings: they are for another connection."""
    kept = folder / "secrets"
    kept.mkdir(parents=True, exist_ok=True)
    for name, value in provider_secrets.items():
        (kept / name).write_text(value)
    key = kept / "webhook-key"
    if not key.exists():  # a folder that is used again has messages under way, whose callbacks it proves
        key.write_text(secrets.token_hex(32))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SMS_", "K_"))}
    return inherited | {
        "SMS_SECRETS_DIR": str(kept),
        "SMS_LEDGER": f"sqlite:{folder / 'ledger.db'}",
        "SMS_QUEUE": f"sqlite:{folder / 'queue.db'}",
        "SMS_WEBHOOK_URL": webhook_url,
        "SMS_CALLBACK_PRIVATE_HOSTS": "127.0.0.1",
    }


def _callback_url(folder: Path, webhook_url: str, provider: str, kind: str) -> str:
    """As docs/providers/ has it; the name is that of a connection without SMS_CONNECTION."""
    key = (folder / "secrets" / "webhook-key").read_text().strip()
    token = hmac.new(key.encode(), f"{kind}:local".encode(), hashlib.sha256).hexdigest()[:24]
    return f"{webhook_url}/webhooks/{provider}/{kind}/{token}"


def _start(target: str, port: int, *, environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    source = str(ROOT / "function" / "main.py")
    command = [sys.executable, "-m", "functions_framework", "--source", source, "--target", target]
    with log.open("ab") as stream:
        # A session of its own: Ctrl-C is for us, and we end it in order.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and files
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env={**environ, "FUNCTION_TARGET": target},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _stop(running: Iterable[subprocess.Popen[bytes]]) -> None:
    """Stop all at once, then wait for each."""
    for process in running:
        process.send_signal(signal.SIGINT)  # its server's quick end; on SIGTERM it would wait for what is under way
    for process in running:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if session.get(f"{url}/health", timeout=START_SECONDS).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
    raise Unavailable(f"the function at {url} did not start; {_end_of(log)}")


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n".join([f"the end of {log}:", *lines])


def _claim_port(name: str, port: int) -> int:
    """Return the port itself, or a free one for 0. Raises Misused where another process listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what we left a moment ago is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            option = "--port" if name == CONNECTOR else f"--{name}-port"
            message = f"port {port} for the {name}: {error.strerror}; choose another with {option}, 0 for a free one"
            raise Misused(message) from None
        return int(probe.getsockname()[1])


def _terminate_on_sigterm(closing: ExitStack) -> None:
    """Treat SIGTERM like Ctrl-C, so that nothing is left running."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    closing.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, interrupt))
