"""The engine as the API sees it: one door each to sending, tracking, consent and the connection's state."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec.structs import replace

from sms_connector.messaging.batch import Workshop
from sms_connector.messaging.callback_address import CallbackAddress
from sms_connector.messaging.campaigns.backlog import Backlog
from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.control import Campaigns
from sms_connector.messaging.campaigns.forecast import Forecaster, Pace
from sms_connector.messaging.campaigns.intake import Intake, IntakeTools
from sms_connector.messaging.campaigns.results import CampaignResults
from sms_connector.messaging.campaigns.retries import Retries
from sms_connector.messaging.campaigns.runner import ChunkRunner, RunnerTools
from sms_connector.messaging.connection import ConnectionControl
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.idempotency import IdempotencyKeys
from sms_connector.messaging.inbound import InboundMessages
from sms_connector.messaging.message_store import Announcer
from sms_connector.messaging.messages import Messages
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record_keys import RecordKeys
from sms_connector.messaging.send import Sender, SendTools
from sms_connector.messaging.templates import Templates
from sms_connector.messaging.throttle import Throttle
from sms_connector.messaging.tick_planner import TickPlanner
from sms_connector.messaging.ticker import Ticker, TickerTools
from sms_connector.messaging.tracking import Tracker
from sms_connector.ports import Clock, Ledger, TaskQueue
from sms_connector.provider import Provider

# A question for each message takes a turn of the throttle each: ten seconds' worth.
ONE_BY_ONE_A_ROUND = 250


class Engine(msgspec.Struct, frozen=True):
    """
    sender       `send(request)`: one record a draft, in order
    messages     `get(id)`, `list(filter)`, `cancel(id)`, `redact(id)`
    keys         `begin(key, digest)`, then `finish`, `abandon` or `release`
    opt_outs     `get`, `put`, `delete`, `list`
    inbound      `list`
    connection   `test`, `suspend`, `resume`, `require_active`, `limits`
    intake       `take(order, records)` a campaign, or `look` at what it would be
    campaigns    `get(id)`, `page`, `pause`, `resume`, `cancel`
    results      `page(campaign)`, `all(campaign)`
    retries      `take(campaign)`: a campaign of its records that can safely be sent now
    runner       `run(campaign, chunk)`: what a worker does with a task
    templates    `find`, `get`, `page`, `save`, `delete`
    ticker       `tick()`: what follows everything that waits
    """

    sender: Sender
    messages: Messages
    keys: IdempotencyKeys
    opt_outs: OptOuts
    inbound: InboundMessages
    connection: ConnectionControl
    intake: Intake
    campaigns: Campaigns
    results: CampaignResults
    retries: Retries
    runner: ChunkRunner
    ticker: Ticker
    templates: Templates


class EngineParts(msgspec.Struct, frozen=True):
    """What the engine is made of, handed in by the composition root. The provider's transport goes through the throttle.

    Without a `queue` no campaign is taken, and nobody follows a message whose request was answered; `planner` is the queue's.
    `pace` is what campaigns are forecast by. `sweep` sends callbacks whose task was lost (`CallbacksOut.sweep`).
    """

    provider: Provider
    ledger: Ledger
    throttle: Throttle
    clock: Clock
    policy: Policy = msgspec.field(default_factory=Policy)
    callbacks: CallbackAddress | None = None
    configured_suspension: bool = False
    connection_rate: int | None = None
    announcer: Announcer | None = None
    queue: TaskQueue | None = None
    planner: TickPlanner | None = None
    pace: Pace = msgspec.field(default_factory=Pace)
    sweep: Callable[[float], None] | None = None
    executor: ThreadPoolExecutor | None = None


def build_engine(parts: EngineParts) -> Engine:
    provider, ledger, clock, policy = parts.provider, parts.ledger, parts.clock, parts.policy
    planner = parts.planner or TickPlanner(parts.queue, connection="local", clock=clock)
    executor = parts.executor or ThreadPoolExecutor(policy.max_parallel_calls, thread_name_prefix="send")
    opt_outs = OptOuts(ledger, clock=clock)
    store = BlockStore(ledger, parts.announcer, opt_outs, executor=executor)
    lease = NodeLease(ledger, clock=clock, policy=policy)
    workshop = Workshop(parts.throttle, executor, clock, policy)
    tools = _build_tools(parts, store, lease, workshop=workshop, planner=planner)
    connection = ConnectionControl(
        provider,
        ledger,
        parts.throttle,
        clock=clock,
        configured_suspension=parts.configured_suspension,
        connection_rate=parts.connection_rate,
    )
    campaigns = Campaigns(
        ledger, parts.queue, lease, clock=clock, node_rate=parts.pace.node, takes_back=provider.capabilities.cancel
    )
    forecaster = Forecaster(parts.pace, provider.capabilities)
    runner = RunnerTools(
        tools,
        ledger,
        campaigns,
        planner,
        lambda: connection.suspended(anew=True) is not None,
        parts.announcer,
        opt_outs,
    )
    backlog = Backlog(ledger, campaigns, clock)
    intake = Intake(IntakeTools(ledger, parts.queue, lease, campaigns, forecaster, backlog, clock))
    return Engine(
        sender=Sender(replace(tools, require_active=connection.require_active)),
        messages=Messages(provider, store, tools.tracker, clock=clock, policy=policy),
        keys=IdempotencyKeys(ledger, lease, clock=clock, policy=policy),
        opt_outs=tools.opt_outs,
        inbound=InboundMessages(ledger),
        connection=connection,
        intake=intake,
        campaigns=campaigns,
        results=CampaignResults(ledger, store),
        retries=Retries(
            ledger,
            store,
            campaigns,
            intake,
            keys=tools.record_keys,
            clock=clock,
            notice=float((provider.capabilities.schedule_window or (0, 0))[0]),
        ),
        runner=ChunkRunner(runner),
        ticker=_build_ticker(parts, store, tools, campaigns=campaigns, planner=planner),
        templates=Templates(ledger, clock=clock),
    )


def _build_tools(
    parts: EngineParts, store: BlockStore, lease: NodeLease, *, workshop: Workshop, planner: TickPlanner
) -> SendTools:
    provider, ledger, clock, policy = parts.provider, parts.ledger, parts.clock, parts.policy
    callbacks = parts.callbacks is not None
    reconciler = Reconciler(provider, store, clock=clock, policy=policy)
    return SendTools(
        provider=provider,
        store=store,
        opt_outs=OptOuts(ledger, clock=clock),
        record_keys=RecordKeys(ledger, store, lease, clock=clock, policy=policy),
        lease=lease,
        reconciler=reconciler,
        tracker=Tracker(provider, store, reconciler, lease, clock=clock, policy=policy, callbacks=callbacks),
        workshop=workshop,
        planner=planner,
        callbacks=parts.callbacks,
    )


def _build_ticker(
    parts: EngineParts, store: BlockStore, tools: SendTools, *, campaigns: Campaigns, planner: TickPlanner
) -> Ticker:
    return Ticker(
        TickerTools(
            ledger=parts.ledger,
            store=store,
            tracker=tools.tracker,
            campaigns=campaigns,
            lease=tools.lease,
            planner=planner,
            clock=parts.clock,
            policy=parts.policy,
            news=parts.callbacks is not None or parts.provider.capabilities.consuming_reports,
            asked_a_round=1000 if parts.provider.capabilities.reports_per_page else ONE_BY_ONE_A_ROUND,
            sweep=parts.sweep,
        )
    )
