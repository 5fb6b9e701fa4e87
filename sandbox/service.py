"""What one simulated provider offers to the server around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from sandbox.wire import Reply, Request

AdminAction = Callable[[Mapping[str, Any]], Any]


class AdminError(ValueError):
    """An admin call that cannot be carried out; the message names the fix. Answered 400."""


class Service(Protocol):
    """One simulated provider. Called from one event loop only; nothing here blocks or waits."""

    name: str

    def owns(self, path: str) -> bool:
        """Return True if this raw path belongs to the provider's API."""

    def handle(self, request: Request) -> Reply:
        """Process one request in full. Never raises for what a client can send."""

    def response_headers(self, reply: Reply, *, under_way: int, seconds: float) -> Mapping[str, str]:
        """Return the headers of the final answer, given the requests under way and how long this one took."""

    def too_many_requests(self, retry_after: float) -> Reply:
        """Return the provider's 429."""

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        """Return the provider's 5xx."""

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        """Admin calls of this provider: (method, path below `/_sandbox/`) to an action.

        An action takes the JSON body (POST) or the query (GET), answers a JSON document or an awaitable of one, and
        raises AdminError.
        """

    def messages(self, since: int = 0) -> Iterable[Mapping[str, Any]]:
        """Return every message ever accepted, in the order of acceptance, even what the API has deleted since."""

    def reset(self) -> None:
        """Back to the state at the start."""
