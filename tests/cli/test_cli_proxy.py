"""`sms proxy`: what is forwarded and how, what is refused, and what a lost answer becomes."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build

from cli.errors import Unavailable
from cli.forwarding import LONGEST_BODY, open_server
from cli.identity import IdentityToken
from cli.stack import Stack
from tests.cli.conftest import run_command
from tests.fixtures.processes import ROOT, clean_environ, find_port


@dataclass
class Upstream:
    """A connector behind the platform's door: it answers who brings `token`, and keeps what it was sent."""

    token: str = "identity-1"
    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    breaks: bool = False

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.requests.append((handler.command, handler.path, dict(handler.headers), body))
        if self.breaks:
            handler.connection.close()
            return
        known = handler.headers["Authorization"] == f"Bearer {self.token}"
        handler.send_response(200 if known else 401)
        said = json.dumps({"length": len(body)}).encode()
        handler.send_header("Content-Length", str(len(said)))
        handler.send_header("X-Provider-Calls", "1")
        handler.send_header("Keep-Alive", "timeout=5")
        handler.end_headers()
        handler.wfile.write(said)


@contextlib.contextmanager
def serving(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    found = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.answer(self)

        def do_POST(self) -> None:
            found.answer(self)

        def do_DELETE(self) -> None:
            found.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield found


@contextlib.contextmanager
def proxied(url: str, source: Callable[[], str] = lambda: "identity-1") -> Iterator[str]:
    session = requests.Session()
    session.trust_env = False
    session.auth = IdentityToken(source)
    server = open_server(url, session, port=0)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[str]:
    with proxied(upstream.url) as url:
        yield url


def test_the_identity_token_takes_the_place_of_the_callers(upstream: Upstream, proxy: str) -> None:
    sent = {"Authorization": "Bearer access-token", "Idempotency-Key": "k", "X-Own": "1", "Connection": "X-Own"}
    answer = requests.post(f"{proxy}/v2/a%2Fb/c:run?q=x+y&q=%2B", data=b"body", headers=sent, timeout=10)
    assert (answer.json(), answer.headers["X-Provider-Calls"]) == ({"length": 4}, "1")
    assert "Keep-Alive" not in answer.headers
    [(method, path, headers, body)] = upstream.requests
    assert (method, path, body) == ("POST", "/v2/a%2Fb/c:run?q=x+y&q=%2B", b"body")
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Bearer identity-1", "k")
    assert headers["Host"] == upstream.url.removeprefix("http://")
    assert "X-Own" not in headers


def test_a_token_past_its_hour_is_asked_for_again(upstream: Upstream) -> None:
    tokens = iter(["identity-0", "identity-1"])
    with proxied(upstream.url, lambda: next(tokens)) as url:
        assert requests.post(url, data=b"x", timeout=10).json() == {"length": 1}
    assert [headers["Authorization"][-1] for _, _, headers, _ in upstream.requests] == ["0", "1"]


def test_a_second_refusal_is_passed_on(upstream: Upstream) -> None:
    with proxied(upstream.url, lambda: "wrong") as url:
        assert requests.get(url, timeout=10).status_code == 401
    assert len(upstream.requests) == 2


def test_a_large_body(upstream: Upstream, proxy: str) -> None:
    assert requests.post(proxy, data=b"x" * 3_000_000, timeout=30).json() == {"length": 3_000_000}
    answer = requests.post(proxy, headers={"Content-Length": str(LONGEST_BODY + 1)}, timeout=10)
    assert answer.status_code == 413
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [("POST", 409, "OUTCOME_UNKNOWN"), ("DELETE", 409, "OUTCOME_UNKNOWN"), ("GET", 502, "PROXY")],
)
def test_a_lost_answer_is_never_asked_for_again(
    upstream: Upstream, proxy: str, method: str, status: int, reason: str
) -> None:
    upstream.breaks = True
    answer = requests.request(method, f"{proxy}/v1/messages:send", timeout=10)
    error = answer.json()["error"]
    assert (answer.status_code, error["details"][0]["reason"]) == (status, reason)
    assert len(upstream.requests) == 1


def test_a_connector_that_is_not_there() -> None:
    with proxied(f"http://127.0.0.1:{find_port()}") as url:
        answer = requests.post(url, timeout=10)
    assert (answer.status_code, answer.json()["error"]["status"]) == (502, "UNAVAILABLE")


def test_without_a_token_nothing_is_forwarded(upstream: Upstream) -> None:
    def source() -> str:
        raise Unavailable("log in with `gcloud auth login`")

    with proxied(upstream.url, source) as url:
        answer = requests.post(url, timeout=10)
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "log in with `gcloud auth login`")
    assert upstream.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},  # a name that a page made point to this machine
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_pages_of_others_are_refused(upstream: Upstream, proxy: str, headers: dict[str, str]) -> None:
    assert requests.post(proxy, headers=headers, timeout=10).status_code == 403
    assert upstream.requests == []


def test_an_origin_of_its_own_is_not_passed_on(upstream: Upstream, proxy: str) -> None:
    assert requests.post(proxy, headers={"Origin": proxy}, timeout=10).ok
    [(_, _, headers, _)] = upstream.requests
    assert "Origin" not in headers


def test_googles_client_and_an_agents_reach_the_connector(stack: Stack) -> None:
    name = requests.get(f"{stack.url}/v1/connection", timeout=10).json()["name"]
    with proxied(stack.url) as url:
        service = build(
            "connectors",
            "v2",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": url},
            static_discovery=True,
        )
        types = service.projects().locations().connections().entityTypes()
        listed = types.list(parent=f"projects/p/locations/l/connections/{name}", pageSize=200).execute()
        assert "Messages" in {each["name"] for each in listed["types"]}
        question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        tools = requests.post(f"{url}/mcp", json=question, headers={"Origin": url}, timeout=10).json()["result"][
            "tools"
        ]
        assert "send_message" in {each["name"] for each in tools}


def test_the_command_says_where_it_listens_and_ends_with_ctrl_c(stack: Stack) -> None:
    command = [sys.executable, "-m", "cli", "--json", "--url", stack.url, "proxy", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=clean_environ()) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "}\n")
        said = json.loads("".join(lines) + "}")
        assert said["forwardsTo"] == stack.url
        assert requests.get(f"{said['url']}/health", timeout=10).ok
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


def test_a_port_in_use(stack: Stack) -> None:
    ran = run_command("--url", stack.url, "proxy", "--port", stack.url.rpartition(":")[2])
    assert (ran.code, "is it in use?" in ran.err) == (2, True)
