"""Carry out the calls of one request with as many threads as the provider's latency needs.

A group holds what one call takes. It goes from pending to ready when its intents are durable: late enough that a node
which dies leaves few messages unknown, early enough that no turn is lost to the ledger. Outcomes are written as soon as
no other write of the batch is under way, and always before the request is answered.

Workers are equal, and each does what is most urgent: write outcomes, prepare groups, call. A worker that begins
something slow starts another one if none is left to take the next turn.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import Generic, Protocol, TypeVar

import msgspec

from sms_connector.model.message import BeforeAttempt
from sms_connector.model.policy import Policy
from sms_connector.ports import Clock
from sms_connector.rate_limit.throttle import LONGEST_NAP, Reservation, Throttle
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import Change, Changes

Group = TypeVar("Group")


class Steps(Protocol[Group]):
    """The steps of a batch. An error of any ends the batch, and is raised when all its workers have ended."""

    def prepare(self, block: Sequence[Group]) -> Sequence[Group]:
        """Make the intents durable; return the groups that are to be called."""

    def before_attempt(self, group: Group, attempt: int) -> None:
        """Check the group right before an attempt (from 1) of its call; raise to prevent it."""

    def call(self, group: Group, before_attempt: BeforeAttempt) -> Changes:
        """Make the call, with `before_attempt` before each attempt; return each record with the change it brought,
        applied already."""

    def save(self, changes: Changes) -> None:
        """Make outcomes durable. Called again with the same ones after a failure."""


class SendContext(msgspec.Struct, frozen=True):
    """The node's throttle, threads, clock and policy, shared by all its batches."""

    throttle: Throttle
    executor: ThreadPoolExecutor
    clock: Clock
    policy: Policy


class Batch(Generic[Group]):
    """`run` returns when every group is done."""

    def __init__(
        self, groups: Sequence[Group], steps: Steps[Group], *, context: SendContext, reservation: Reservation
    ) -> None:
        self._steps = steps
        self._context = context
        self._reservation = reservation
        self._lock = threading.Lock()
        self._pending = deque(groups)
        self._ready: deque[Group] = deque()
        self._unsaved: list[tuple[MessageRecord, Change]] = []
        self._unsaved_since = 0.0
        self._ahead = 0  # groups whose intents are durable and whose calls have not started
        self._lead = context.policy.ahead_seconds
        self._preparing = self._saving = self._failed = False
        self._workers = 1  # called for, and not ended
        self._active = 0  # of those, begun
        self._free = 1  # of those, able to take the next turn
        self._helpers: list[Future[None]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            self._work()
        finally:
            self._wait_for_helpers()
            self._save()
        for helper in self._helpers:
            if not helper.cancelled():
                helper.result()

    # --- workers ------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        with self._lock:
            self._active += 1
            self._ended.clear()
        try:
            while (task := self._next_task()) is not None:
                task()
        except BaseException:
            with self._lock:
                self._failed = True
            raise
        finally:
            with self._lock:
                self._active -= 1
                self._workers -= 1
                self._free -= 1
                if not self._active:
                    self._ended.set()

    def _next_task(self) -> Callable[[], None] | None:
        """Return what is most urgent; None if nothing is left for this worker."""
        with self._lock:
            if self._failed:
                return None
            if self._outcomes_are_due():
                return self._save
            block = self._next_block()
            if block:
                return partial(self._prepare, block)
            if self._ready:
                return partial(self._call, self._ready.popleft())
            return None

    def _wait_for_helpers(self) -> None:
        """Wait for the helpers that began; the threads of others may be busy with other requests."""
        while True:
            with self._lock:
                if not self._active:
                    break
            self._context.clock.wait(self._ended, LONGEST_NAP)
        for helper in self._helpers:
            helper.cancel()

    def _be_busy(self) -> None:
        """Mark this worker as unable to take the next turn, and start another if needed; under the lock."""
        self._free -= 1
        left = self._ready or (self._pending and not self._preparing)
        if left and not self._free and not self._failed and self._workers < self._most_workers():
            self._free += 1
            self._workers += 1
            self._helpers = [helper for helper in self._helpers if not helper.done() or helper.exception()]
            self._helpers.append(self._context.executor.submit(self._work))

    def _most_workers(self) -> int:
        policy, lifted = self._context.policy, self._context.throttle.rate is None
        return policy.unpaced_calls if lifted else policy.max_parallel_calls

    # --- intents ------------------------------------------------------------------------------------------------------

    def _next_block(self) -> list[Group]:
        """Return the groups to prepare now: none while enough are ready."""
        size = self._block_size()
        if self._preparing or not self._pending or self._ahead > size // 2:
            return []
        self._preparing = True
        self._be_busy()
        return [self._pending.popleft() for _ in range(min(size, len(self._pending)))]

    def _block_size(self) -> int:
        """Return the number of groups that the node may call within the lead; without a rate, what makes commits
        cheap."""
        rate, policy = self._context.throttle.rate, self._context.policy
        return policy.block_size if rate is None else min(policy.block_size, max(1, ceil(rate * self._lead)))

    def _prepare(self, block: Sequence[Group]) -> None:
        throttle, clock = self._context.throttle, self._context.clock
        throttle.wait_until_near(self._reservation, self._lead)
        begun = clock.monotonic()
        prepared = self._steps.prepare(block)
        throttle.release(self._reservation, len(block) - len(prepared))
        with self._lock:
            self._lead = max(self._context.policy.ahead_seconds, 2 * (clock.monotonic() - begun))
            self._ready.extend(prepared)
            self._ahead += len(prepared)
            self._preparing = False
            self._free += 1

    # --- calls --------------------------------------------------------------------------------------------------------

    def _call(self, group: Group) -> None:
        attempts = 0

        def check(attempt: int) -> None:
            nonlocal attempts
            attempts = attempt
            if attempt == 1:
                with self._lock:
                    self._ahead -= 1
                    self._be_busy()
            self._steps.before_attempt(group, attempt)

        try:
            with self._context.throttle.attempting(self._reservation, check) as before_attempt:
                changes = self._steps.call(group, before_attempt)
            self._keep(changes)
        finally:
            with self._lock:
                if attempts:
                    self._free += 1
                else:
                    self._ahead -= 1

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def _keep(self, changes: Changes) -> None:
        with self._lock:
            if not self._unsaved:
                self._unsaved_since = self._context.clock.monotonic()
            self._unsaved.extend(changes)

    def _outcomes_are_due(self) -> bool:
        """Return whether to write now: with a rate there is time after each call; without one some outcomes share a
        write."""
        if self._saving or not self._unsaved:
            return False
        policy = self._context.policy
        waited = self._context.clock.monotonic() - self._unsaved_since >= policy.flush_after
        due = self._context.throttle.rate is not None or waited or len(self._unsaved) >= policy.block_size
        if due:
            self._saving = True
            self._be_busy()
        return due

    def _save(self) -> None:
        with self._lock:
            unsaved, self._unsaved = self._unsaved, []
        try:
            if unsaved:
                self._steps.save(unsaved)
        except BaseException:
            with self._lock:
                self._unsaved = unsaved + self._unsaved
            raise
        finally:
            with self._lock:
                self._saving = False
                self._free += 1
