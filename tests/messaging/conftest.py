"""Nodes of one connection in one process: they share a ledger, a provider's network and a clock, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from sms_connector.errors import RequestError
from sms_connector.messaging.batch import Workshop
from sms_connector.messaging.connection import ConnectionControl
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.idempotency import IdempotencyKeys, Replay
from sms_connector.messaging.message_store import MessageStore
from sms_connector.messaging.messages import Messages
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record import MessageRecord
from sms_connector.messaging.record_keys import RecordKeys
from sms_connector.messaging.requests import Draft, OnUnknown, SendOptions, SendRequest, Tracking
from sms_connector.messaging.send import Sender, SendTools
from sms_connector.messaging.throttle import Throttle
from sms_connector.messaging.tick_planner import TickPlanner
from sms_connector.messaging.tracking import Tracker
from sms_connector.model.segments import measure
from sms_connector.provider import Capabilities
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import ONE_BY_ONE, FakeProvider, Network
from tests.fixtures.memory_ledger import Fate, FatedLedger, MemoryLedger

SENDER = "+15551234567"


def number(index: int) -> str:
    return f"+1555867{index:04d}"


def draft(index: int, *, text: str | None = None, to: str | None = None, key: str | None = None) -> Draft:
    text = f"Hello {index}" if text is None else text
    return Draft(index, to or number(index), text, measure(text), key)


class NoHelpers(ThreadPoolExecutor):
    """A pool whose threads never come free: whoever asks does everything himself, in a fixed order."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


class Node:
    """One node: everything between the API and the outside, wired as in `engine.build_engine`."""

    def __init__(
        self,
        world: World,
        *,
        rate: int | None = 25,
        capabilities: Capabilities = ONE_BY_ONE,
        fate: Fate | None = None,
        executor: ThreadPoolExecutor | None = None,
        callbacks: bool = False,
        queue_limit: float = 30.0,
    ) -> None:
        clock, policy = world.clock, world.policy
        self.fate = fate or Fate()
        self.world = world
        self.ledger = FatedLedger(world.ledger, self.fate, clock=clock)
        self.throttle = Throttle(rate, clock=clock, queue_limit=queue_limit)
        self.provider = FakeProvider(
            world.network, gate=self.throttle.wait_turn, clock=clock, capabilities=capabilities, step=self.fate.step
        )
        self.opt_outs = OptOuts(self.ledger, clock=clock)
        self.store = MessageStore(self.ledger, opt_outs=self.opt_outs)
        self.lease = NodeLease(self.ledger, clock=clock, policy=policy)
        self.reconciler = Reconciler(self.provider, self.store, clock=clock, policy=policy)
        self.tracker = Tracker(
            self.provider, self.store, self.reconciler, self.lease, clock=clock, policy=policy, callbacks=callbacks
        )
        self.keys = IdempotencyKeys(self.ledger, self.lease, clock=clock, policy=policy)
        self.messages = Messages(self.provider, self.store, self.tracker, clock=clock, policy=policy)
        self.connection = ConnectionControl(self.provider, self.ledger, self.throttle, clock=clock)
        pool = executor or (clock.pool(policy.max_parallel_calls) if isinstance(clock, ThreadedClock) else NoHelpers(1))
        assert isinstance(pool, ThreadPoolExecutor)
        self.tools = SendTools(
            provider=self.provider,
            store=self.store,
            opt_outs=self.opt_outs,
            record_keys=RecordKeys(self.ledger, self.store, self.lease, clock=clock, policy=policy),
            lease=self.lease,
            reconciler=self.reconciler,
            tracker=self.tracker,
            workshop=Workshop(self.throttle, pool, clock, policy),
            planner=TickPlanner(None, connection="test", clock=clock),
        )
        self.sender = Sender(self.tools)

    def send(self, drafts: Sequence[Draft], *, nonce: str = "nonce", **options: Any) -> list[MessageRecord]:
        request = SendRequest(drafts, SendOptions(SENDER, **options), nonce, "req_1")
        return self.sender.send(request)

    def post(
        self, key: str, drafts: Sequence[Draft], *, digest: str = "digest", **options: Any
    ) -> list[MessageRecord] | Replay:
        """A request with an idempotency key, as `api/messages.py` carries it out."""
        begun = self.keys.begin(key, digest)
        if isinstance(begun, Replay):
            return begun
        settled = False
        try:
            records = self.send(drafts, nonce=begun.nonce, **options)
            settled = True
        except RequestError:
            settled = True
            self.keys.abandon(begun)
            raise
        finally:
            if not settled:
                self.keys.release(begun)
        self.keys.finish(begun, repr([(record.id, str(record.status)) for record in records]).encode(), 200)
        return records


@dataclass
class World:
    """What outlives a node."""

    clock: ThreadedClock
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(self.clock)
        self.network = Network(self.clock)
        self.store = MessageStore(self.ledger)

    def node(self, **options: Any) -> Node:
        return Node(self, **options)

    def record(self, message_id: str) -> MessageRecord:
        [record] = self.store.get([message_id])
        assert record is not None
        return record


@pytest.fixture
def clock() -> ThreadedClock:
    return ThreadedClock()


@pytest.fixture
def world(clock: ThreadedClock) -> World:
    return World(clock)


__all__ = ["SENDER", "NoHelpers", "Node", "OnUnknown", "Tracking", "World", "draft", "number"]
