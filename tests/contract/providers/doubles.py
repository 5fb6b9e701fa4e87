"""What stands in for the world around a provider: a transport with canned answers and a folder of secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from sms_connector.errors import NotSent
from sms_connector.ports import Secret
from sms_connector.transport.http import HttpRequest, HttpResponse

Answer = HttpResponse | Exception | Callable[[HttpRequest], HttpResponse]


class CannedTransport:
    """Gives the answers in order, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpResponse) else answer(request)


def asked(transport: CannedTransport) -> tuple[str, str, dict[str, list[str]]]:
    """The last request: its method, path and query."""
    request = transport.requests[-1]
    parts = urlsplit(request.url)
    return request.method, parts.path, parse_qs(parts.query, keep_blank_values=True)


@dataclass
class CannedSecrets:
    """Secrets by name. `after_refresh` are the values that `refresh` finds: a new version, seen at last."""

    values: dict[str, str]
    after_refresh: dict[str, str] = field(default_factory=dict)
    refreshed: int = 0
    unreadable: set[str] = field(default_factory=set)

    def get(self, name: str) -> Secret | None:
        if name in self.unreadable:
            raise NotSent(f"secret {name} can't be read")
        value = self.values.get(name)
        return Secret(value) if value else None

    def refresh(self) -> None:
        self.refreshed += 1
        self.values.update(self.after_refresh)

    def where(self, name: str) -> str:
        return f"/secrets/{name}"

    def without(self, *names: str) -> CannedSecrets:
        return CannedSecrets({name: value for name, value in self.values.items() if name not in names})


def leaks(texts: Iterable[str], secrets: CannedSecrets) -> list[str]:
    """The secret names whose values occur in any of the texts."""
    joined = "\n".join(texts)
    return [name for name, value in secrets.values.items() if value in joined]
