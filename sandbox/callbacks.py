"""Requests the simulated providers make themselves: status callbacks and inbound messages.

A service says what to post, where, how to sign it and when; this module posts, retries, journals, and misbehaves as the
settings ask (late, repeated, last first, dropped).
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import aiohttp
from yarl import URL

from sandbox.clock import Clock
from sandbox.options import CallbackBehaviour, Context
from sandbox.scheduler import Scheduler

MAX_BODY = 65_536
REORDER_SECONDS = 0.2


class Policy(Protocol):
    """How one URL wants to be called; seconds."""

    @property
    def connect_seconds(self) -> float: ...
    @property
    def read_seconds(self) -> float: ...
    @property
    def total_seconds(self) -> float: ...
    @property
    def retries(self) -> int: ...
    def retries_on(self, outcome: Outcome) -> bool: ...


@dataclass(frozen=True, slots=True)
class PlainPolicy:
    """Calls back at most `retries` times more after anything but a 2xx."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 30.0
    retries: int = 2

    def retries_on(self, outcome: Outcome) -> bool:
        return outcome.status is None or not 200 <= outcome.status < 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: an HTTP status and body, or the error.

    `connect`: no connection; `read`: no whole answer; `external`: not a loopback address; `url`: no address at all.
    """

    status: int | None = None
    error: str | None = None
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request to make: a form, or `body` where it is something else (its content type is one of the headers). A GET
    has the fields of `form` in its `url` already.

    `headers()` is asked before each attempt: a signature uses the key valid then. `subject` (a message id) and `label`
    (its status, or "inbound") are for the journal. `wanted()` is asked when a planned one falls due: a message canceled
    meanwhile has no more to tell. `pauses`: seconds of the simulator's time before each repeat, the last one before all
    that follow; none means at once.
    """

    subject: str
    label: str
    method: str
    url: str
    form: Sequence[tuple[str, str]]
    headers: Callable[[], Mapping[str, str]]
    policy: Policy
    wanted: Callable[[], bool] = lambda: True
    body: bytes | None = None
    pauses: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A journal line."""

    sequence: int
    epoch: float
    webhook: Webhook
    number: int
    outcome: Outcome

    def document(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "epoch": self.epoch,
            "subject": self.webhook.subject,
            "label": self.webhook.label,
            "method": self.webhook.method,
            "url": self.webhook.url,
            "form": dict(self.webhook.form),
            "body": None if self.webhook.body is None else self.webhook.body.decode("utf-8", "replace"),
            "attempt": self.number,
            "status": self.outcome.status,
            "error": self.outcome.error,
        }


class Callbacks:
    """Posts webhooks from the running event loop; nothing here blocks."""

    def __init__(self, *, context: Context, clock: Clock, external: bool, journal_size: int) -> None:
        self._context = context
        self._clock = clock
        self._scheduler = Scheduler(clock)
        self._external = external
        self._attempts: deque[Attempt] = deque(maxlen=journal_size)
        self._made = 0
        self._dropped = 0
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def behaviour(self) -> CallbackBehaviour:
        return self._context.settings.callbacks

    def settles_first(self) -> bool:
        """Throw the dice: shall this message be called back before its create request is answered?"""
        return self.behaviour.enabled and self._chance(self.behaviour.before_answer)

    def plan(self, events: Sequence[tuple[float, Webhook]]) -> None:
        """Post each webhook at its time (epoch seconds), as well or badly as the behaviour says."""
        behaviour = self.behaviour
        if not behaviour.enabled or not events:
            return
        times = [due + behaviour.delay_seconds for due, _ in events]
        webhooks = [webhook for _, webhook in events]
        if self._chance(behaviour.reorder):
            webhooks.reverse()
            # All held back to the last one's time, and far enough apart to arrive in this order.
            times = [max(times) + REORDER_SECONDS * place for place in range(len(times))]
        for due, webhook in zip(times, webhooks, strict=True):
            for _ in range(self._copies(behaviour)):
                self._scheduler.at(due, partial(self._start, webhook))

    def post_now(self, webhooks: Sequence[Webhook]) -> asyncio.Future[list[Outcome]]:
        """Post all of them without delay; the future ends when each has had its last attempt, or its first where
        repeats are hours away."""
        copies = [webhook for webhook in webhooks for _ in range(self._copies(self.behaviour))]
        return asyncio.gather(*(self.post_first(each) if each.pauses else self.post(each) for each in copies))

    def post(self, webhook: Webhook) -> asyncio.Task[Outcome]:
        """Post now, with retries; the task ends with the last outcome."""
        return self._begin(webhook, lambda _: None)

    def post_first(self, webhook: Webhook) -> asyncio.Future[Outcome]:
        """Post now, with retries; the future ends with the first outcome."""
        first: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        task = self._begin(webhook, lambda outcome: None if first.done() else first.set_result(outcome))
        task.add_done_callback(lambda _: first.cancel())  # of one that was cleared before any outcome
        return first

    def clock_moved(self) -> None:
        self._scheduler.poke()

    def attempts(self, since: int = 0) -> list[Attempt]:
        return [attempt for attempt in self._attempts if attempt.sequence > since]

    @property
    def dropped(self) -> int:
        return self._dropped

    def clear(self) -> None:
        """Forget what was posted and what was going to be."""
        self._scheduler.clear()
        for task in self._tasks:
            task.cancel()
        self._attempts.clear()
        self._made = self._dropped = 0

    async def close(self) -> None:
        self.clear()
        if self._session is not None:
            await self._session.close()

    def _copies(self, behaviour: CallbackBehaviour) -> int:
        if self._chance(behaviour.drop):
            self._dropped += 1
            return 0
        return 1 + sum(self._chance(behaviour.repeat_chance) for _ in range(behaviour.repeat))

    def _start(self, webhook: Webhook) -> None:
        if webhook.wanted():
            self.post(webhook)

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._context.dice.random() < probability

    def _begin(self, webhook: Webhook, on_outcome: Callable[[Outcome], None]) -> asyncio.Task[Outcome]:
        task = asyncio.get_running_loop().create_task(self._deliver(webhook, on_outcome))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, webhook: Webhook, on_outcome: Callable[[Outcome], None]) -> Outcome:
        ends = time.monotonic() + webhook.policy.total_seconds
        for number in range(1, webhook.policy.retries + 2):
            outcome = await self._attempt(webhook, ends - time.monotonic())
            self._made += 1
            self._attempts.append(Attempt(self._made, time.time(), webhook, number, outcome))
            on_outcome(outcome)
            if not webhook.policy.retries_on(outcome) or time.monotonic() >= ends:
                break
            if webhook.pauses:
                await self._pause(webhook.pauses[min(number, len(webhook.pauses)) - 1])
        return outcome

    async def _pause(self, seconds: float) -> None:
        over = asyncio.Event()
        self._scheduler.at(self._clock.now() + seconds, over.set)
        await over.wait()

    async def _attempt(self, webhook: Webhook, left: float) -> Outcome:
        try:
            url = URL(webhook.url.partition("#")[0], encoded=True)
        except ValueError:
            return Outcome(error="url")
        if not (self._external or is_loopback(url.host or "")):
            return Outcome(error="external")
        policy = webhook.policy
        timeout = aiohttp.ClientTimeout(total=left, sock_connect=policy.connect_seconds, sock_read=policy.read_seconds)
        form = aiohttp.FormData(list(webhook.form)) if webhook.method == "POST" else None
        data = form if webhook.body is None else webhook.body
        try:
            async with self._open_session().request(
                webhook.method, url, data=data, headers=webhook.headers(), timeout=timeout, allow_redirects=False
            ) as answer:
                body = await answer.content.read(MAX_BODY)
                return Outcome(answer.status, body=body.decode("utf-8", "replace"), headers=answer.headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Outcome(error="connect")
        except (aiohttp.ClientError, TimeoutError):
            return Outcome(error="read")

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        return self._session


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
