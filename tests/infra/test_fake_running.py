"""The fake's platform: what is deployed runs with what was declared, and only those who may come in do."""

from __future__ import annotations

import io
import json
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.certificates import Authority
from tests.infra.fake_google import tokens
from tests.infra.fake_google.front_door import FrontDoor
from tests.infra.fake_google.instances import interpreter, size
from tests.infra.fake_google.running import Declaration, Runner, StartFailed

# Serves without an environment of its own: what is tested here is the platform, not the package index.
SERVER = """
import http.server, json, os, pathlib, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        secret = pathlib.Path(os.environ["SMS_SECRETS_DIR"], "auth-token", "auth-token")
        seen = {"environment": dict(os.environ), "secret": secret.read_text() if secret.exists() else None}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

if "BROKEN" in os.environ:
    sys.exit("a setting is missing")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


class PlainRunner(Runner):
    """Starts `main.py` with the interpreter at hand instead of functions-framework in an environment of its own."""

    def _environment_of(self, runtime: str, requirements: Path) -> Path:
        folder = self.folder / "venv" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        command = folder / "functions-framework"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} "$2" "$@"\n')
        command.chmod(0o755)
        return folder / "python"


def archive(main: str = SERVER) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("main.py", main)
        file.writestr("requirements.txt", "")
    return buffer.getvalue()


def declaration(**environment: str) -> Declaration:
    variables = {
        "SMS_SECRETS_DIR": "/secrets",
        "SMS_WORKER_URL": "https://sms-worker-123456789012.us-central1.run.app",
        "SMS_CONNECTION": "sms",
        **environment,
    }
    mounts = {"/secrets/auth-token/auth-token": "key"}
    return Declaration("sms-connector", "python312", "connector", 128 << 20, variables, mounts, archive())


@pytest.fixture
def secrets() -> dict[str, bytes]:
    return {"key": b"first"}


@pytest.fixture
def runner(tmp_path: Path, secrets: dict[str, bytes]) -> Iterator[PlainRunner]:
    authority = Authority(tmp_path / "authority")
    made = PlainRunner(tmp_path, lambda _service, email: email in ("app@p.example", None), secrets.get, authority)
    made.extra = {"EXTRA": "1"}
    yield made
    made.close()


Get = Callable[..., dict[str, Any]]


@pytest.fixture
def get(runner: PlainRunner) -> Get:
    def get(address: str, token: str = "") -> dict[str, Any]:
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"} if token else {})
        with urllib.request.urlopen(request, context=runner.authority.client_context()) as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen

    return get


def test_a_function_gets_what_is_declared_and_nothing_of_ours(
    runner: PlainRunner, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMS_STRAY", "from the test's own environment")
    seen = get(runner.deploy(declaration(THREADS="80")))
    environment = seen["environment"]
    assert environment["THREADS"] == "80"
    assert environment["EXTRA"] == "1"
    assert environment["SMS_WORKER_URL"] == runner.address("sms-worker"), "the address as DNS would resolve it"
    assert environment["SMS_WORKER_URL"].startswith("https://")
    assert "SMS_STRAY" not in environment
    assert seen["secret"] == "first"


def test_a_function_knows_that_it_is_on_the_platform(runner: PlainRunner, get: Get) -> None:
    """Without K_SERVICE a deployed function would take settings that the platform's refuses."""
    environment = get(runner.deploy(declaration(K_SERVICE="mine", PORT="1")))["environment"]
    assert environment["K_SERVICE"] == environment["K_CONFIGURATION"] == "sms-connector", "no deployment sets it"
    assert environment["K_REVISION"]
    assert environment["PORT"] != "1"
    assert (environment["FUNCTION_TARGET"], environment["FUNCTION_SIGNATURE_TYPE"]) == ("connector", "http")


@pytest.mark.parametrize(
    ("hold", "why"),
    [
        ("held = bytearray(b'x' * (160 << 20))", "memory of the process"),
        ("file = tempfile.TemporaryFile(); file.write(b'x' * (160 << 20)); file.flush()", "the disk is memory"),
    ],
)
def test_an_instance_over_its_memory_is_killed_and_replaced(runner: PlainRunner, get: Get, hold: str, why: str) -> None:
    greedy = SERVER.replace("    def do_GET(self):", f"    def do_GET(self):\n        {GREEDY.format(hold=hold)}")
    address = runner.deploy(replace(declaration(), archive=archive(greedy)))
    assert get(address)["secret"] == "first"
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(address + "/greedy")
    assert "Memory limit of 128 MiB exceeded" in runner.log("sms-connector"), why
    assert eventually(lambda: get(address)["secret"]) == "first", "another instance answers"


GREEDY = "if self.path == '/greedy': import tempfile, time; {hold}; time.sleep(30)"


def eventually(ask: Callable[[], object]) -> object:
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask()
        except urllib.error.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_runtimes_own_python_is_taken_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    present = tmp_path / "python3.13"
    present.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    interpreter.cache_clear()
    assert Path(interpreter("python313")).resolve() == Path(sys.executable).resolve()
    with pytest.warns(UserWarning, match=r"no python3\.12 on the PATH: .* runs on Python 3"):
        assert interpreter("python312") == sys.executable
    interpreter.cache_clear()


@pytest.mark.parametrize(("quantity", "expected"), [("512Mi", 512 << 20), ("256M", 256_000_000), ("1Gi", 1 << 30)])
def test_sizes(quantity: str, expected: int) -> None:
    assert size(quantity) == expected


def test_a_new_version_is_seen_without_a_deployment(runner: PlainRunner, get: Get, secrets: dict[str, bytes]) -> None:
    address = runner.deploy(declaration())
    secrets["key"] = b"second"
    runner.refresh_secrets()
    assert get(address)["secret"] == "second"
    del secrets["key"]
    runner.refresh_secrets()
    assert get(address)["secret"] is None, "a disabled version can't be read"


def test_a_revision_that_does_not_start_leaves_the_old_one(runner: PlainRunner, get: Get) -> None:
    address = runner.deploy(declaration())
    with pytest.raises(StartFailed, match="a setting is missing"):
        runner.deploy(declaration(BROKEN="1"))
    assert get(address)["secret"] == "first"
    assert runner.deploy(declaration()) == address, "the address stays over revisions"


def test_a_removed_service_is_gone(runner: PlainRunner, get: Get) -> None:
    address = runner.deploy(declaration())
    runner.remove("sms-connector")
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(address)


@pytest.mark.parametrize(
    ("email", "audience", "expected", "why"),
    [
        ("app@p.example", "own", None, "a caller"),
        ("stranger@p.example", "own", 403, "an identity without a grant"),
        ("app@p.example", "https://another.example", 401, "a token for another service"),
        (None, "own", 401, "no token"),
    ],
)
def test_the_front_door(email: str | None, audience: str, expected: int | None, why: str) -> None:
    door = FrontDoor(lambda who: who == "app@p.example")
    try:
        token = tokens.issue(email, door.address if audience == "own" else audience) if email else ""
        refusal = door.refusal(f"Bearer {token}" if token else "")
        assert (refusal and refusal[0]) == expected, why
    finally:
        door.close()


def test_a_public_service_asks_nobody(tmp_path: Path) -> None:
    door = FrontDoor(lambda _who: True)
    assert door.refusal("") is None
    door.close()


def test_a_forged_token_is_none() -> None:
    head, body, signature = tokens.issue("app@p.example", "a").split(".")
    assert tokens.read(f"{head}.{body}.{signature}") is not None
    assert tokens.read(f"{head}.{body}.{signature[::-1]}") is None
    assert tokens.read(f"{head}.{body}.") is None
    assert tokens.read("rubbish") is None
    assert tokens.read("..") is None


def test_a_service_that_is_not_there_yet(runner: PlainRunner, get: Get) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(runner.address("sms-connector"), "x")
