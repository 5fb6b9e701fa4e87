"""Carrying out the calls of one request: as many threads as the provider's slowness takes, and no more.

Groups (what one call takes) go from pending to ready when their intents are durable, a block at a time and ahead of the calls.
Outcomes are written in groups too, soon after their calls and always before the request is answered.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sms_connector.messaging.message_store import Change
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.record import MessageRecord
from sms_connector.messaging.throttle import Place, Throttle
from sms_connector.ports import Clock

Group = TypeVar("Group")
Changes = Sequence[tuple[MessageRecord, Change]]


class Steps(Protocol[Group]):
    """What a batch does with its groups."""

    def prepare(self, block: Sequence[Group]) -> Sequence[Group]:
        """Make the intents durable; return the groups that are to be called."""

    def call(self, group: Group) -> Changes:
        """Make the call; return each record with the change it brought, applied already."""

    def save(self, changes: Changes) -> None:
        """Make outcomes durable."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The node's means, shared by all its batches."""

    throttle: Throttle
    executor: ThreadPoolExecutor
    clock: Clock
    policy: Policy


class Batch(Generic[Group]):
    """`run` returns when every group is done. The first error of the ledger's stops the batch and is raised."""

    def __init__(self, groups: Sequence[Group], steps: Steps[Group], *, workshop: Workshop, place: Place) -> None:
        self._pending = deque(groups)
        self._ready: deque[Group] = deque()
        self._steps = steps
        self._workshop = workshop
        self._place = place
        self._changed = threading.Condition()
        self._preparing = False
        self._helpers: list[Future[None]] = []
        self._calling: set[int] = set()  # workers whose call has started
        self._working = 0
        self._unsaved: list[tuple[MessageRecord, Change]] = []
        self._unsaved_since = 0.0

    def run(self) -> None:
        self._place.on_start = self._call_starts
        self._working = 1
        self._work()
        for helper in self._helpers:  # complete: no group is left, so no further helper is called
            helper.result()
        self._save_waiting()

    def _work(self) -> None:
        finished = False
        try:
            with self._workshop.throttle.working_for(self._place):
                while (group := self._take()) is not None:
                    self._keep(self._steps.call(group))
                    self._calling.discard(threading.get_ident())
            finished = True
        finally:
            with self._changed:
                self._working -= 1
                self._calling.discard(threading.get_ident())
                if not finished:
                    self._pending.clear()
                    self._ready.clear()
                    self._preparing = False
                    self._changed.notify_all()

    def _take(self) -> Group | None:
        """The next group to call; on the way, prepare a block where few are ready, so that no turn is lost to the ledger."""
        while True:
            with self._changed:
                block = self._next_block()
                if not block:
                    if self._ready:
                        return self._ready.popleft()
                    if not self._preparing:
                        return None
                    self._changed.wait()
                    continue
            prepared = self._steps.prepare(block)
            self._workshop.throttle.forgo(self._place, len(block) - len(prepared))
            with self._changed:
                self._ready.extend(prepared)
                self._preparing = False
                self._changed.notify_all()

    def _next_block(self) -> list[Group]:
        size = self._workshop.policy.block_size
        if self._preparing or not self._pending or len(self._ready) > size // 2:
            return []
        self._preparing = True
        return [self._pending.popleft() for _ in range(min(size, len(self._pending)))]

    def _call_starts(self) -> None:
        """If no other worker stands ready for the next turn, the provider is slow: another is wanted."""
        with self._changed:
            self._calling.add(threading.get_ident())
            enough = self._working > len(self._calling) or self._working >= self._workshop.policy.max_parallel_calls
            if enough or not (self._ready or self._pending):
                return
            self._working += 1
            self._helpers.append(self._workshop.executor.submit(self._work))

    def _keep(self, changes: Changes) -> None:
        with self._changed:
            now = self._workshop.clock.monotonic()
            if not self._unsaved:
                self._unsaved_since = now
            self._unsaved.extend(changes)
            waited = now - self._unsaved_since >= self._workshop.policy.flush_after
            due = waited or len(self._unsaved) >= self._workshop.policy.block_size
        if due:
            self._save_waiting()

    def _save_waiting(self) -> None:
        with self._changed:
            unsaved, self._unsaved = self._unsaved, []
        if unsaved:
            self._steps.save(unsaved)
