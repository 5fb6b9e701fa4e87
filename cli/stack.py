"""The connector and a sandbox on this machine: the deployed entry points under functions-framework, on free loopback ports.

Ledger, secrets and logs are in one folder, which the caller keeps or throws away. Whatever happens, the processes end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import requests

from cli.errors import Unavailable
from sandbox import AdminClient, Options, Sandbox
from sandbox.options import Settings
from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN

ROOT = Path(__file__).resolve().parent.parent
SENDER = "+15551234567"
CONNECTOR = "connector"
START_SECONDS, STOP_SECONDS = 60.0, 5.0
LOG_LINES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Stack:
    """What is running. `urls`: entry point → address. `logs`: entry point → file."""

    sandbox_url: str
    urls: Mapping[str, str]
    logs: Mapping[str, Path]

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
    delivery_seconds: float = 2.0,
    settings: Mapping[str, str] | None = None,
    ports: Sequence[int] = (0, 0),
) -> Iterator[Stack]:
    """Start sandbox and functions; `ports` are theirs in that order, 0 takes a free one. `settings` are more variables.

    Raises Unavailable, with the end of its log, where a function does not start.
    """
    with ExitStack() as closing:
        _terminate_on_sigterm(closing)
        options = Options(port=ports[0], settings=Settings(delivery_seconds=delivery_seconds))
        sandbox = closing.enter_context(Sandbox(options))
        environ = {**_environ(folder, sandbox.url), **(settings or {})}
        port, log = ports[1] or _find_port(), folder / f"{CONNECTOR}.log"
        process = _start(CONNECTOR, port, environ=environ, log=log)
        closing.callback(_stop, process)
        url = f"http://127.0.0.1:{port}"
        _await_health(url, process, log)
        try:
            yield Stack(sandbox.url, {CONNECTOR: url}, {CONNECTOR: log})
        except Unavailable as error:
            error.add_note(_end_of(log))
            raise


def _environ(folder: Path, provider_url: str) -> dict[str, str]:
    """Nothing of the caller's own SMS_ settings: they are for another connection."""
    secrets = folder / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    for name, value in (("account-sid", ACCOUNT_SID), ("auth-token", AUTH_TOKEN)):
        (secrets / name).write_text(value)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SMS_", "K_"))}
    return inherited | {
        "SMS_PROVIDER_URL": provider_url,
        "SMS_SENDER": SENDER,
        "SMS_SECRETS_DIR": str(secrets),
        "SMS_LEDGER": f"sqlite:{folder / 'ledger.db'}",
    }


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


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # its server's quick end; on SIGTERM it would wait for what is under way
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


def _find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _terminate_on_sigterm(closing: ExitStack) -> None:
    """A polite kill goes the way of Ctrl-C, so that nothing is left running."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    closing.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, interrupt))
