"""The engine as the API sees it: one door each to sending, tracking, consent and the connection's state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sms_connector.messaging.batch import Workshop
from sms_connector.messaging.callback_address import CallbackAddress
from sms_connector.messaging.connection import ConnectionControl
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.idempotency import IdempotencyKeys
from sms_connector.messaging.inbound import InboundMessages
from sms_connector.messaging.message_store import Announcer, MessageStore
from sms_connector.messaging.messages import Messages
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record_keys import RecordKeys
from sms_connector.messaging.send import Sender, SendTools
from sms_connector.messaging.throttle import Throttle
from sms_connector.messaging.tracking import Tracker
from sms_connector.ports import Clock, Ledger
from sms_connector.provider import Provider


@dataclass(frozen=True, slots=True)
class Engine:
    """
    sender       `send(request)`: one record a draft, in order
    messages     `get(id)`, `list(filter)`, `cancel(id)`, `redact(id)`
    keys         `begin(key, digest)`, then `finish`, `abandon` or `release`
    opt_outs     `get`, `put`, `delete`, `list`
    inbound      `list`
    connection   `test`, `suspend`, `resume`, `require_active`, `limits`
    """

    sender: Sender
    messages: Messages
    keys: IdempotencyKeys
    opt_outs: OptOuts
    inbound: InboundMessages
    connection: ConnectionControl


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What the engine is made of, handed in by the composition root. The provider's transport goes through the throttle."""

    provider: Provider
    ledger: Ledger
    throttle: Throttle
    clock: Clock
    policy: Policy = field(default_factory=Policy)
    callbacks: CallbackAddress | None = None
    configured_suspension: bool = False
    connection_rate: int | None = None
    announcer: Announcer | None = None


def build_engine(parts: EngineParts) -> Engine:
    provider, ledger, clock, policy = parts.provider, parts.ledger, parts.clock, parts.policy
    store = MessageStore(ledger, parts.announcer)
    lease = NodeLease(ledger, clock=clock, policy=policy)
    opt_outs = OptOuts(ledger, clock=clock)
    reconciler = Reconciler(provider, store, clock=clock, policy=policy)
    tracker = Tracker(
        provider, store, reconciler, lease, clock=clock, policy=policy, callbacks=parts.callbacks is not None
    )
    executor = ThreadPoolExecutor(policy.max_parallel_calls, thread_name_prefix="send")
    tools = SendTools(
        provider=provider,
        store=store,
        opt_outs=opt_outs,
        record_keys=RecordKeys(ledger, store, lease, clock=clock, policy=policy),
        lease=lease,
        reconciler=reconciler,
        tracker=tracker,
        workshop=Workshop(parts.throttle, executor, clock, policy),
        callbacks=parts.callbacks,
    )
    return Engine(
        sender=Sender(tools),
        messages=Messages(provider, store, tracker, clock=clock, policy=policy),
        keys=IdempotencyKeys(ledger, lease, clock=clock, policy=policy),
        opt_outs=opt_outs,
        inbound=InboundMessages(ledger),
        connection=ConnectionControl(
            provider,
            ledger,
            parts.throttle,
            clock=clock,
            configured_suspension=parts.configured_suspension,
            connection_rate=parts.connection_rate,
        ),
    )
