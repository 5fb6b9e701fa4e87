"""What one simulated provider offers to the server around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.callbacks import Callbacks
from sandbox.clock import Clock
from sandbox.options import Context
from sandbox.wire import Reply, Request

AdminAction = Callable[[Mapping[str, Any]], Any]


class AdminError(ValueError):
    """An admin call that cannot be carried out; the message names the fix. Answered 400."""


class Service(ABC):
    """One simulated provider. Called from one event loop only; nothing here blocks or waits."""

    name: str

    def __init__(self, context: Context, clock: Clock, callbacks: Callbacks) -> None:
        self._context = context
        self._clock = clock
        self._callbacks = callbacks
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Back to the state at the start."""

    @abstractmethod
    def owns(self, path: str) -> bool:
        """Return True if this raw path belongs to the provider's API."""

    @abstractmethod
    def handle(self, request: Request) -> Reply:
        """Process one request in full. Never raises for what a client can send."""

    def response_headers(self, reply: Reply, *, under_way: int, seconds: float) -> Mapping[str, str]:  # noqa: ARG002
        """Return the headers of the final answer, given the requests under way and how long this one took; by default
        those of the reply."""
        return reply.headers

    @abstractmethod
    def too_many_requests(self, retry_after: float) -> Reply:
        """Return the provider's 429."""

    @abstractmethod
    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        """Return the provider's 5xx."""

    @abstractmethod
    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        """Admin calls of this provider: (method, path below `/_sandbox/`) to an action.

        An action takes the JSON body (POST) or the query (GET), answers a JSON document or an awaitable of one, and
        raises AdminError.
        """

    @abstractmethod
    def messages(self, since: int = 0) -> Iterable[Mapping[str, Any]]:
        """Return every message ever accepted, in the order of acceptance, even what the API has deleted since."""
