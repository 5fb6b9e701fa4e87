"""A connector that answers from a script, below requests and above the network."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter

from cli.client import Client, Notify
from cli.context import Connect

URL = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Scripted:
    """One answer: JSON, or text of something that is not the connector."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(status: int, message: str, *details: Mapping[str, Any], **headers: str) -> Scripted:
    document = {"error": {"code": status, "status": "X", "message": message, "details": list(details)}}
    return Scripted(status, document, {name.replace("_", "-"): value for name, value in headers.items()})


class ScriptedAdapter(BaseAdapter):
    """Gives one answer after the other, the last one for ever; an exception is raised instead."""

    def __init__(self, *answers: Scripted | Exception) -> None:
        super().__init__()
        self._answers = answers
        self.requests: list[requests.PreparedRequest] = []
        self.contents: list[bytes] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        self.contents.append(request.body.read() if hasattr(request.body, "read") else b"")
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status, str(request.url), request
        response.headers.update(answer.headers)
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        response.raw = io.BytesIO(text.encode())
        return response

    def close(self) -> None:
        pass

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.body or "null") for request in self.requests]


@dataclass
class Desk:
    """A client over a script, and what it did: seconds it slept, words it said."""

    adapter: ScriptedAdapter
    slept: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def client(self, notify: Notify | None = None, auth: Any = None) -> Client:
        session = requests.Session()
        session.auth = auth
        session.mount("http://", self.adapter)
        session.mount("https://", self.adapter)
        return Client(URL, session, sleep=self.slept.append, notify=notify or self.said.append)

    @property
    def connect(self) -> Connect:
        return lambda url, environ, notify: self.client(notify)


def desk(*answers: Scripted | Exception) -> Desk:
    return Desk(ScriptedAdapter(*answers))
