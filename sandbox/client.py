"""A client of the admin API, for tests and benchmarks: one method per call, plain values back."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

RETRY_SECONDS = 0.02


class AdminCallError(RuntimeError):
    """The sandbox refused an admin call; the message says why."""


@dataclass(frozen=True, slots=True)
class AdminClient:
    """Talks to the sandbox at `url`. Filters (`since`, `method`, `path`, `fault`, `status`, `limit`) are keywords.

    A port that is closed, as during `refuse_connection`, is waited for `patience` seconds.
    Raises AdminCallError when a call is refused, OSError when nobody listens.
    """

    url: str
    timeout: float = 30.0
    patience: float = 5.0

    def journal(self, **filters: Any) -> list[dict[str, Any]]:
        """Requests seen, oldest first: times, method, path, query, form, headers, fault, status."""
        return list(self.get("journal", **filters))

    def summary(self, **filters: Any) -> dict[str, Any]:
        """Counts by route, status and fault, and the most starts in any one second."""
        return dict(self.get("journal/summary", **filters))

    def starts(self, **filters: Any) -> list[float]:
        """Arrival times of requests, monotonic seconds of this machine."""
        return list(self.get("journal/starts", **filters)["monotonic"])

    def messages(self, since: int = 0) -> list[dict[str, Any]]:
        """Return every message the simulator accepted or received, in order, even deleted ones."""
        return list(self.get("messages", since=since))

    def callbacks(self, since: int = 0) -> list[dict[str, Any]]:
        """Return every attempt to call somebody back, with its result."""
        return list(self.get("callbacks", since=since))

    def fault(self, kind: str, **rule: Any) -> None:
        """Switch a fault on: `count`, `probability`, `method`, `path`, `seconds`, `status`, `variant`."""
        self.post("faults", {"kind": kind, **rule})

    def all_faults(self, probability: float, **rule: Any) -> None:
        """Set this probability for every kind; a kind's own goes by its name: `**{"slow": 0.2}`."""
        self.post("faults", {"scenario": "all", "probability": probability, **rule})

    def clear_faults(self) -> None:
        self.call("DELETE", "faults")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings (camelCase names); answers those in force."""
        return dict(self.post("settings", changes))

    def advance(self, seconds: float) -> None:
        """Move the simulator's clock forward."""
        self.post("clock", {"advanceSeconds": seconds})

    def inbound(self, **message: Any) -> dict[str, Any]:
        """Send a message to one of our numbers: `to`, `from_`, `body`, `mediaUrls`, `provider` (the first where
        it is left out). Waits for the webhook's answer."""
        message["from"] = message.pop("from_")
        provider = message.pop("provider", None)
        return dict(self.post(f"{provider}/inbound" if provider else "inbound", message))

    def reset(self) -> None:
        """Back to the state at the start."""
        self.post("reset", {})

    def get(self, path: str, /, **query: Any) -> Any:
        return self.call("GET", f"{path}?{urlencode(query)}")

    def post(self, path: str, document: Mapping[str, Any]) -> Any:
        return self.call("POST", path, json.dumps(document).encode())

    def call(self, method: str, path: str, body: bytes = b"") -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self.timeout)
        self._connect(connection)
        try:
            connection.request(method, f"/_sandbox/{path}", body)
            answer = connection.getresponse()
            document = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise AdminCallError(document["error"])
        return document

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        """Connect; a refused connection can be a fault under test, and is tried again for a while."""
        ends = time.monotonic() + self.patience
        while True:
            try:
                return connection.connect()
            except ConnectionRefusedError:
                if time.monotonic() >= ends:
                    raise
                time.sleep(RETRY_SECONDS)
