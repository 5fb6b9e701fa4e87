"""`sms proxy`: a client without an identity token calls a connector that requires one; the servers and ports are real."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from cli.errors import Misused, Unavailable
from cli.identity import IdentityToken
from cli.proxy import open_proxy
from cli.stack import Stack
from tests.cli.conftest import run_command
from tests.fixtures.certificates import Authority
from tests.fixtures.processes import find_port

TOKEN = "identity"
NAME = "projects/p/locations/l/connections/local"
MEGABYTE = 1024 * 1024


@dataclass
class Connector:
    """A stand-in that requires the identity token; the path says how it answers. It keeps what came."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], int]] = field(default_factory=list)
    waiting: threading.Barrier = field(default_factory=lambda: threading.Barrier(2, timeout=10))

    @property
    def last(self) -> tuple[str, str, dict[str, str], int]:
        return self.requests[-1]

    @property
    def headers(self) -> dict[str, str]:
        """Of the last request, in lower case."""
        return {name.lower(): value for name, value in self.last[2].items()}


def handler_of(connector: Connector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _read(self) -> int:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            size = 0
            while length := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return size

        def _answer(self) -> None:
            size = self._read()
            connector.requests.append((self.command, self.path, dict(self.headers.items()), size))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, b"<html>Unauthorized")
            elif "/lost" in self.path:
                self.close_connection = True
            elif "/cut" in self.path:
                self._send(200, b"half", length=100)
                self.close_connection = True
            elif "/moved" in self.path:
                self._send(302, b"", {"Location": "https://elsewhere.example/"})
            elif "/together" in self.path:
                connector.waiting.wait()
                self._send(200, b"both are here")
            elif "/gzip" in self.path:
                self._send(200, gzip.compress(b"text"), {"Content-Encoding": "gzip"})
            elif "/big" in self.path:
                self._send(200, b"x" * 20 * MEGABYTE)
            else:
                headers = {"X-Kept": "yes", "Keep-Alive": "timeout=5", "Connection": "X-Private", "X-Private": "1"}
                self._send(200, json.dumps({"size": size}).encode(), headers)

        def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None, length: int = 0) -> None:
            self.send_response(code)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length or len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            pass

    return Handler


@contextmanager
def serving(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def proxying(url: str, source: Any = lambda: TOKEN, **options: Any) -> Iterator[str]:
    """The address of a proxy to `url`."""
    session = requests.Session()
    session.trust_env = False
    session.auth = IdentityToken(source)
    server = open_proxy(url, session, 0, **options)
    with serving(server):
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def connector() -> Iterator[Connector]:
    found = Connector()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(found))
    found.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield found


@pytest.fixture
def proxy(connector: Connector) -> Iterator[str]:
    with proxying(connector.url) as url:
        yield url


def google(url: str, credentials: Any = None) -> Any:
    options = {"api_endpoint": url}
    service = build("connectors", "v2", credentials=credentials or AnonymousCredentials(), client_options=options)
    return service.projects().locations().connections()


def raw(url: str, request: str) -> str:
    """The answer to a request as it is written here."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


class TestForwarding:
    @pytest.mark.parametrize("given", [None, "Bearer an-access-token"])
    def test_the_identity_token_takes_the_place_of_what_was_given(
        self, connector: Connector, proxy: str, given: str | None
    ) -> None:
        headers = {"Authorization": given, "X-Serverless-Authorization": given} if given else {}
        assert requests.get(f"{proxy}/x", headers=headers, timeout=10).status_code == 200
        assert connector.headers["authorization"] == f"Bearer {TOKEN}"
        assert "x-serverless-authorization" not in connector.headers

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
    def test_method_path_query_and_headers_are_kept(self, connector: Connector, proxy: str, method: str) -> None:
        target = "/v2/a%2Fb/%2E%2E/../c~d:e;f?conditions=To%3D%27%2B1555%27&x=%20+&y"
        answer = raw(proxy, f"{method} {target} HTTP/1.1\nHost: {proxy[7:]}\nX-Goog-Api-Client: a\nAccept: b\n\n")
        assert connector.last[:2] == (method, target)
        assert (connector.headers["x-goog-api-client"], connector.headers["accept"]) == ("a", "b")
        assert connector.headers["host"] == connector.url[7:]
        assert "X-Kept: yes" in answer
        assert "Content-Length: 11" in answer
        assert answer.endswith("\r\n\r\n" if method == "HEAD" else '{"size": 0}')

    def test_headers_of_one_connection_end_here(self, connector: Connector, proxy: str) -> None:
        own = {"Connection": "X-Mine, keep-alive", "X-Mine": "1", "Keep-Alive": "timeout=9", "TE": "trailers"}
        more = {"Proxy-Authorization": "Basic x", "Upgrade": "h2c", "Expect": "100-continue", "X-Other": "1"}
        answer = requests.post(f"{proxy}/x", headers=own | more, data=b"{}", timeout=10)
        absent = {"x-mine", "keep-alive", "te", "proxy-authorization", "upgrade", "expect"}
        assert not absent & set(connector.headers)
        assert connector.headers["x-other"] == "1"
        assert not {"Keep-Alive", "X-Private"} & set(answer.headers)

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_large_body_and_a_large_answer(self, connector: Connector, proxy: str, chunked: bool) -> None:
        pieces = [b"x" * MEGABYTE] * 40
        body: Any = iter(pieces) if chunked else b"".join(pieces)
        assert requests.post(f"{proxy}/x", data=body, timeout=60).json() == {"size": 40 * MEGABYTE}
        assert ("content-length" in connector.headers) is not chunked
        assert len(requests.get(f"{proxy}/big", timeout=60).content) == 20 * MEGABYTE

    def test_a_packed_answer_stays_packed(self, proxy: str) -> None:
        for call in (requests.get, requests.post):
            answer = call(f"{proxy}/gzip", timeout=10)
            assert (answer.headers["Content-Encoding"], answer.text) == ("gzip", "text")

    def test_a_redirect_is_not_followed(self, connector: Connector, proxy: str) -> None:
        answer = requests.get(f"{proxy}/moved", allow_redirects=False, timeout=10)
        assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.example/")
        assert len(connector.requests) == 1

    def test_requests_run_side_by_side(self, proxy: str) -> None:
        answers: list[str] = []
        ask = lambda: answers.append(requests.get(f"{proxy}/together", timeout=10).text)  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == ["both are here"] * 2

    def test_an_expired_token_is_replaced_for_the_next_request(self, connector: Connector) -> None:
        tokens = iter(("expired", TOKEN))
        with proxying(connector.url, lambda: next(tokens)) as url:
            assert [requests.post(f"{url}/x", timeout=10).status_code for _ in range(2)] == [401, 200]
        assert len(connector.requests) == 2

    def test_nothing_is_logged(self, proxy: str, capfd: pytest.CaptureFixture[str]) -> None:
        for path in ("/x?To=%2B15558675310", "/lost/15558675310", "/cut/15558675310"):
            for method in ("GET", "POST"):
                connection = http.client.HTTPConnection(proxy[7:], timeout=10)
                connection.request(method, path, body=b"secret")
                with pytest.raises(http.client.IncompleteRead) if "cut" in path and method == "GET" else nullcontext():
                    connection.getresponse().read()
                connection.close()
        assert capfd.readouterr() == ("", "")


class Loss(NamedTuple):
    method: str
    path: str
    status: int
    reason: str
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


LOSSES = [
    Loss("GET", "/lost", 502, "ANSWER_LOST"),
    Loss("POST", "/lost", 409, "OUTCOME_UNKNOWN"),
    Loss("PATCH", "/lost", 409, "OUTCOME_UNKNOWN"),
    Loss("DELETE", "/lost", 409, "OUTCOME_UNKNOWN"),
    Loss("POST", "/cut", 409, "OUTCOME_UNKNOWN"),
    Loss("POST", "/lost", 502, "ANSWER_LOST", {"X-HTTP-Method-Override": "GET"}),
]


class TestLoss:
    @pytest.mark.parametrize("loss", LOSSES, ids=str)
    def test_a_lost_answer(self, connector: Connector, proxy: str, loss: Loss) -> None:
        answer = requests.request(loss.method, f"{proxy}{loss.path}", headers=loss.headers, timeout=10)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (loss.status, loss.status)
        assert error["details"][0]["reason"] == loss.reason
        assert len(connector.requests) == 1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nobody_there(self, method: str) -> None:
        with proxying(f"http://127.0.0.1:{find_port()}") as url:
            answer = requests.request(method, f"{url}/x", timeout=10)
        assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (502, "NOT_SENT")

    def test_no_identity(self, connector: Connector) -> None:
        def fail() -> str:
            raise Unavailable("log in with `gcloud auth login`")

        with proxying(connector.url, fail) as url:
            answer = requests.post(f"{url}/x", timeout=10)
        assert (answer.status_code, connector.requests) == (502, [])
        assert "gcloud auth login" in answer.json()["error"]["message"]

    def test_google_s_client_does_not_repeat_a_lost_write(self, connector: Connector) -> None:
        with proxying(f"{connector.url}/lost") as url:
            entities = google(url).entityTypes().entities()
            with pytest.raises(HttpError) as error:
                entities.create(parent=f"{NAME}/entityTypes/Messages", body={"fields": {}}).execute(num_retries=3)
        assert (error.value.status_code, len(connector.requests)) == (409, 1)
        assert error.value.error_details[0]["reason"] == "OUTCOME_UNKNOWN"


class TestForeign:
    @pytest.mark.parametrize(
        "headers",
        [
            "Host: rebound.example",
            "Host: rebound.example:{port}",
            "Host: 127.0.0.1",
            "Host: 127.0.0.1:{port}\nOrigin: https://page.example",
            "Host: 127.0.0.1:{port}\nOrigin: null",
            "Host: 127.0.0.1:{port}\nOrigin: http://127.0.0.1:1",
            "Host: 127.0.0.1:{port}\nOrigin: http://127.0.0.1:{port}.page.example",
            "X-No-Host: 1",
        ],
    )
    def test_web_pages_are_refused(self, connector: Connector, proxy: str, headers: str) -> None:
        port = proxy.rpartition(":")[2]
        answer = raw(proxy, f"POST /mcp HTTP/1.1\n{headers.format(port=port)}\nContent-Length: 2\n\n{{}}")
        assert answer.startswith("HTTP/1.1 403 ")
        assert connector.requests == []

    @pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/x", "*", "page.example:443"])
    def test_only_a_path_is_taken(self, connector: Connector, proxy: str, target: str) -> None:
        target, host = target.format(port=proxy.rpartition(":")[2]), proxy[7:]
        assert raw(proxy, f"GET {target} HTTP/1.1\nHost: {host}\n\n").startswith("HTTP/1.1 400 ")
        assert connector.requests == []

    def test_a_body_in_another_encoding_is_refused(self, connector: Connector, proxy: str) -> None:
        request = f"POST /x HTTP/1.1\nHost: {proxy[7:]}\nTransfer-Encoding: gzip\n\n"
        assert raw(proxy, request).startswith("HTTP/1.1 400 ")
        assert connector.requests == []

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
    def test_its_own_origin_is_left_out(self, connector: Connector, proxy: str, name: str) -> None:
        own = f"{name}:{proxy.rpartition(':')[2]}"
        answer = requests.post(f"{proxy}/mcp", headers={"Host": own, "Origin": f"http://{own}"}, timeout=10)
        assert answer.status_code == 200
        assert "origin" not in connector.headers


class TestWithTheConnector:
    """The real one, which needs no token on this machine; what is put into the request does not disturb it."""

    def test_google_s_client(self, stack: Stack) -> None:
        with proxying(stack.url) as url:
            entities = google(url, Credentials(token="access")).entityTypes().entities()
            body = {"fields": {"To": "+15558675330", "Body": "Hello"}}
            parent = f"{NAME}/entityTypes/Messages"
            sid = entities.create(parent=parent, body=body).execute(num_retries=3)["fields"]["Sid"]
            conditions = " OR ".join(["To='+15558675330'"] * 150)  # over 2 048 characters: sent as a form
            [row] = entities.list(parent=parent, conditions=conditions).execute(num_retries=3)["entities"]
        assert row["fields"]["Sid"] == sid

    def test_an_agent_s_client(self, stack: Stack) -> None:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        with proxying(stack.url) as url:
            answer = requests.post(f"{url}/mcp", json=message, headers={"Origin": url}, timeout=30)
        assert "send_message" in {tool["name"] for tool in answer.json()["result"]["tools"]}


class TestStart:
    def test_by_https(self, connector: Connector, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        issued = authority.ca.issue_cert("localhost", "127.0.0.1")
        certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        with proxying(connector.url, certificate=(certificate, key)) as url:
            secure = f"{url.replace('http:', 'https:')}/x"
            assert requests.get(secure, verify=authority.ca_file, timeout=10).status_code == 200

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_certificate_that_is_none(self, tmp_path: Path, content: str | None) -> None:
        file = tmp_path / "cert.pem"
        if content:
            file.write_text(content)
        with pytest.raises(Misused, match=r"--certificate .*cert\.pem.*PEM"):
            open_proxy("http://127.0.0.1:9", requests.Session(), 0, certificate=(file, file))

    def test_only_loopback_is_listened_on(self) -> None:
        server = open_proxy("http://127.0.0.1:9", requests.Session(), 0)
        assert server.socket.getsockname()[0] == "127.0.0.1"
        server.server_close()

    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ran = run_command("proxy", "--port", str(taken.getsockname()[1]))
        assert ran.code == 2
        assert "--port" in ran.err

    def test_half_a_certificate(self) -> None:
        assert "belong together" in run_command("proxy", "--key", "key.pem").err

    def test_who_is_not_logged_in_learns_it_at_once(self) -> None:
        environ = {"PATH": "", "GOOGLE_APPLICATION_CREDENTIALS": "/none.json"}
        ran = run_command("--url", "https://connector.example", "proxy", environ=environ)
        assert ran.code == 3
        assert "gcloud auth login" in ran.err


def test_a_token_is_replaced_before_it_expires() -> None:
    clock = [1000.0]
    given = iter((token_until(5000), token_until(9000)))
    identity = IdentityToken(lambda: next(given), now=lambda: clock[0])
    first = identity.read()
    clock[0] = 4800.0
    assert identity.read() == first
    clock[0] = 4900.0
    assert identity.read() == token_until(9000)


def token_until(seconds: int) -> str:
    parts: tuple[dict[str, Any], ...] = ({"alg": "none"}, {"exp": seconds}, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
