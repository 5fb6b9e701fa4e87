"""What the sandbox's tests talk with: a plain HTTP client, a witness of Twilio's documents, a receiver of callbacks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

import requests
from openapi_schema_validator import OAS30Validator

from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN

BASE = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
TO, FROM = "+15558675310", "+15017122661"
ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "tests" / "openapi"


class OpenApiDocuments:
    """Holds an answer of 2xx against the provider's own description of it."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._documents = list(documents)
        self._validators: dict[tuple[str, str, int], OAS30Validator | None] = {}

    @classmethod
    def load(cls, *names: str) -> OpenApiDocuments:
        return cls(json.loads((DOCUMENTS / name).read_bytes()) for name in names)

    def problems(self, answer: requests.Response) -> list[str]:
        method = (answer.request.method or "").lower()
        path = (answer.request.path_url or "").partition("?")[0]
        for document in self._documents:
            # Fixed words before places: /Local.json is no /{Sid}.json.
            templates = sorted(document["paths"], key=lambda one: one.replace("{", "~"))
            template = next((one for one in templates if _pattern(one).fullmatch(path)), None)
            if template is not None:
                return self._check(document, template, method, answer)
        return [f"{path} is in no document"]

    def _check(self, document: Mapping[str, Any], template: str, method: str, answer: requests.Response) -> list[str]:
        described = document["paths"][template].get(method, {}).get("responses", {})
        if str(answer.status_code) not in described:
            return [f"{method} {template} does not describe {answer.status_code}, only {sorted(described)}"]
        validator = self._validator(document, template, method, answer.status_code)
        if validator is None:
            return ["a body where none is described"] if answer.content else []
        return [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(answer.json())]

    def _validator(self, document: Mapping[str, Any], template: str, method: str, status: int) -> OAS30Validator | None:
        key = (template, method, status)
        if key not in self._validators:
            content = document["paths"][template][method]["responses"][str(status)].get("content")
            schema = content and _closed(content["application/json"]["schema"], document)
            self._validators[key] = OAS30Validator(schema) if schema else None
        return self._validators[key]


def _closed(schema: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """With what it refers to, every reference resolved, and no property beyond those named: a misspelt one is found."""
    if "$ref" in schema:
        return _closed(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    closed = dict(schema)
    if "properties" in closed:
        closed["properties"] = {name: _closed(one, document) for name, one in schema["properties"].items()}
        closed["required"] = list(closed["properties"])
        closed["additionalProperties"] = False
    if "items" in closed:
        closed["items"] = _closed(schema["items"], document)
    return closed


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


class Api:
    """Twilio's API as a plain client sees it. With `documents`, every 2xx answer is held against them."""

    def __init__(self, url: str, documents: OpenApiDocuments | None) -> None:
        self.url = url
        self._documents = documents
        self.session = requests.Session()
        self.session.auth = (ACCOUNT_SID, AUTH_TOKEN)

    def send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        answer = self.session.request(method, self.url + path, timeout=10, **arguments)
        if answer.ok and self._documents is not None:
            assert self._documents.problems(answer) == []
        return answer

    def create(self, *, headers: Mapping[str, str] | None = None, **form: Any) -> requests.Response:
        """A create request with everything needed; a field given as None is left out."""
        fields = {"To": TO, "From": FROM, "Body": "Hello"} | form
        return self.send(
            "POST",
            f"{BASE}/Messages.json",
            data={name: value for name, value in fields.items() if value is not None},
            headers=headers,
        )

    def created(self, **form: Any) -> dict[str, Any]:
        answer = self.create(**form)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def fetch(self, sid: str) -> dict[str, Any]:
        return dict(self.send("GET", f"{BASE}/Messages/{sid}.json").json())

    def list(self, **query: Any) -> dict[str, Any]:
        answer = self.send("GET", f"{BASE}/Messages.json", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@dataclass(frozen=True)
class Received:
    """A request that came to the receiver."""

    method: str
    path: str
    form: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.form)


Answer = Callable[[Received], tuple[int, str]]


def always_204(_: Received) -> tuple[int, str]:
    return 204, ""


@dataclass
class Receiver:
    """A web server of ours that is called back. `answer` says what it replies, with `headers`; status 0 cuts the connection."""

    answer: Answer = always_204
    headers: Mapping[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            do_GET = do_OPTIONS = do_POST  # noqa: N815 - the base class asks for these names

            def log_message(self, *_: object) -> None:
                """Nothing: the tests ask for what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        got = Received(handler.command, handler.path, form, dict(handler.headers), body)
        with self._changed:
            self.received.append(got)
            self._changed.notify_all()
        status, text = self.answer(got)
        if not status:
            handler.connection.close()
            return
        handler.send_response(status)
        for name, value in {"Content-Type": "text/xml", **self.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text.encode())))
        handler.end_headers()
        handler.wfile.write(text.encode())

    def wait_for(self, count: int, timeout: float = 20.0) -> list[Received]:
        """The first `count` requests, as soon as they are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, timeout), f"only {len(self.received)}"
            return self.received[:count]
