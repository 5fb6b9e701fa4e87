"""The engine as the API sees it: one door each to sending, tracking, consent and the connection's state."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec.structs import replace

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.inbound import InboundMessages
from sms_connector.campaigns.backlog import Backlog
from sms_connector.campaigns.chunk_worker import ChunkWorker, WorkerParts
from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.forecast import Forecaster, Pace
from sms_connector.campaigns.intake import Intake, IntakeParts
from sms_connector.campaigns.results import CampaignResults
from sms_connector.campaigns.retries import Retries
from sms_connector.connection_control import ConnectionControl
from sms_connector.maintenance import Maintenance, MaintenanceParts
from sms_connector.model.policy import Policy
from sms_connector.ports import Clock, Ledger, TaskQueue
from sms_connector.provider import Provider
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.sending.batch import SendContext
from sms_connector.sending.idempotency import IdempotencyKeys
from sms_connector.sending.record_keys import RecordKeys
from sms_connector.sending.send import SendService, SendTools
from sms_connector.store.block_store import BlockStore
from sms_connector.store.message_store import Outbox
from sms_connector.store.node_lease import NodeLease
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.saved_templates import Templates
from sms_connector.tracking.lookup import MessageLookup
from sms_connector.tracking.poller import Poller
from sms_connector.tracking.reconciler import Reconciler
from sms_connector.tracking.schedule import MaintenanceSchedule

# A question for each message takes a turn of the throttle each: ten seconds' worth.
SINGLE_POLLS_PER_RUN = 250


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
    ticker       `run_maintenance()`: what follows everything that waits
    """

    sender: SendService
    messages: MessageLookup
    keys: IdempotencyKeys
    opt_outs: OptOuts
    inbound: InboundMessages
    connection: ConnectionControl
    intake: Intake
    campaigns: Campaigns
    results: CampaignResults
    retries: Retries
    runner: ChunkWorker
    maintenance: Maintenance
    templates: Templates


class EngineParts(msgspec.Struct, frozen=True):
    """What the engine is made of, handed in by the composition root. The provider's transport goes through the throttle.

    Without a `queue` no campaign is taken, and nobody follows a message whose request was answered; `planner` is the queue's.
    `pace` is what campaigns are forecast by. `sweep` sends callbacks whose task was lost (`NotificationDispatcher.sweep`).
    """

    provider: Provider
    ledger: Ledger
    throttle: Throttle
    clock: Clock
    policy: Policy = msgspec.field(default_factory=Policy)
    callbacks: CallbackAddress | None = None
    configured_suspension: bool = False
    connection_rate: int | None = None
    outbox: Outbox | None = None
    queue: TaskQueue | None = None
    planner: MaintenanceSchedule | None = None
    pace: Pace = msgspec.field(default_factory=Pace)
    sweep: Callable[[float], None] | None = None
    executor: ThreadPoolExecutor | None = None


def build_engine(parts: EngineParts) -> Engine:
    provider, ledger, clock, policy = parts.provider, parts.ledger, parts.clock, parts.policy
    planner = parts.planner or MaintenanceSchedule(parts.queue, connection="local", clock=clock)
    executor = parts.executor or ThreadPoolExecutor(policy.max_parallel_calls, thread_name_prefix="send")
    opt_outs = OptOuts(ledger, clock=clock)
    store = BlockStore(ledger, parts.outbox, opt_outs, executor=executor)
    lease = NodeLease(ledger, clock=clock, policy=policy)
    context = SendContext(parts.throttle, executor, clock, policy)
    tools = _build_tools(parts, store, lease, context=context, planner=planner)
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
    runner = WorkerParts(
        tools,
        ledger,
        campaigns,
        planner,
        lambda: connection.suspended(anew=True) is not None,
        parts.outbox,
        opt_outs,
    )
    backlog = Backlog(ledger, campaigns, clock)
    intake = Intake(IntakeParts(ledger, parts.queue, lease, campaigns, forecaster, backlog, clock))
    return Engine(
        sender=SendService(replace(tools, require_active=connection.require_active)),
        messages=MessageLookup(provider, store, tools.poller, clock=clock, policy=policy),
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
        runner=ChunkWorker(runner),
        maintenance=_build_maintenance(parts, store, tools, campaigns=campaigns, planner=planner),
        templates=Templates(ledger, clock=clock),
    )


def _build_tools(
    parts: EngineParts, store: BlockStore, lease: NodeLease, *, context: SendContext, planner: MaintenanceSchedule
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
        poller=Poller(provider, store, reconciler, lease, clock=clock, policy=policy, callbacks=callbacks),
        context=context,
        planner=planner,
        callbacks=parts.callbacks,
    )


def _build_maintenance(
    parts: EngineParts, store: BlockStore, tools: SendTools, *, campaigns: Campaigns, planner: MaintenanceSchedule
) -> Maintenance:
    return Maintenance(
        MaintenanceParts(
            ledger=parts.ledger,
            store=store,
            poller=tools.poller,
            campaigns=campaigns,
            lease=tools.lease,
            planner=planner,
            clock=parts.clock,
            policy=parts.policy,
            news=parts.callbacks is not None or parts.provider.capabilities.consuming_reports,
            polls_per_run=1000 if parts.provider.capabilities.reports_per_page else SINGLE_POLLS_PER_RUN,
            sweep=parts.sweep,
        )
    )
