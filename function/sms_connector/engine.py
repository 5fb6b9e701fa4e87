"""Wire the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.inbound import InboundMessages
from sms_connector.campaigns.chunk_worker import ChunkWorker
from sms_connector.campaigns.control import Campaigns
from sms_connector.campaigns.forecast import Forecaster, Pace
from sms_connector.campaigns.intake import Intake
from sms_connector.campaigns.results import CampaignResults
from sms_connector.campaigns.retries import Retries
from sms_connector.connection_control import ConnectionControl
from sms_connector.maintenance import Maintenance
from sms_connector.model.policy import Policy
from sms_connector.ports import Clock, Ledger, TaskQueue
from sms_connector.provider import Provider
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.sending.batch import SendContext
from sms_connector.sending.idempotency import IdempotencyKeys, RecordKeys
from sms_connector.sending.send import SendService
from sms_connector.store.block_store import BlockStore
from sms_connector.store.message_store import Outbox
from sms_connector.store.node_lease import NodeLease
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.saved_templates import Templates
from sms_connector.tracking.lookup import MessageLookup
from sms_connector.tracking.poller import Poller
from sms_connector.tracking.reconciler import Reconciler
from sms_connector.tracking.schedule import MaintenanceSchedule

# Each single poll takes a turn of the throttle: ten seconds' worth.
SINGLE_POLLS_PER_RUN = 250
POLLS_PER_RUN = 1000


class Engine:
    """One object for each subject, for the API and the tasks: `sender`, `messages`, `store`, `keys`, `opt_outs`,
    `inbound`, `connection`, `templates`, `maintenance`, and of campaigns `intake`, `campaigns`, `results`, `retries`
    and `runner` (a worker's)."""

    def __init__(
        self,
        *,
        provider: Provider,
        ledger: Ledger,
        throttle: Throttle,
        clock: Clock,
        policy: Policy | None = None,
        callbacks: CallbackAddress | None = None,
        configured_suspension: bool = False,
        outbox: Outbox | None = None,
        queue: TaskQueue | None = None,
        connection: str = "local",
        pace: Pace | None = None,
        sweep: Callable[[float], None] | None = None,
        executor: ThreadPoolExecutor | None = None,
        secrets_in_use: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Wire the subjects; the provider's transport goes through the throttle. Without a `queue` no campaign is
        accepted, and nothing follows a message whose request was answered. `connection` is its name. `sweep(now)`
        puts the tasks of notifications that were lost.
        """
        policy, pace = policy or Policy(), pace or Pace()
        planner = MaintenanceSchedule(queue, connection=connection, clock=clock)
        executor = executor or ThreadPoolExecutor(policy.max_parallel_calls, thread_name_prefix="send")
        can = provider.capabilities
        lease = NodeLease(ledger, clock=clock, policy=policy, secrets_in_use=secrets_in_use)
        self.opt_outs = OptOuts(ledger, clock=clock)
        self.store = store = BlockStore(ledger, outbox, self.opt_outs, executor=executor)
        reconciler = Reconciler(provider, store, clock=clock, policy=policy)
        has_callbacks = callbacks is not None
        poller = Poller(provider, store, reconciler, lease, clock=clock, policy=policy, callbacks=has_callbacks)
        self.connection = ConnectionControl(
            provider,
            ledger,
            throttle,
            clock=clock,
            configured_suspension=configured_suspension,
            connection_rate=pace.connection,
        )
        record_keys = RecordKeys(ledger, store, lease, self.opt_outs, clock, policy)
        self.sender = SendService(
            provider=provider,
            store=store,
            opt_outs=self.opt_outs,
            record_keys=record_keys,
            lease=lease,
            reconciler=reconciler,
            poller=poller,
            context=SendContext(throttle, executor, clock, policy),
            planner=planner,
            callbacks=callbacks,
            require_active=self.connection.require_active,
        )
        self.messages = MessageLookup(provider, store, poller, clock=clock, policy=policy)
        self.keys = IdempotencyKeys(ledger, lease, clock=clock, policy=policy)
        self.inbound = InboundMessages(ledger)
        self.templates = Templates(ledger, clock=clock)
        self.campaigns = Campaigns(ledger, queue, lease, clock=clock, node_rate=pace.node, takes_back=can.cancel)
        self.results = CampaignResults(ledger, store)
        self.intake = Intake(ledger, queue, lease, self.campaigns, Forecaster(pace, can), clock)
        notice = float((can.schedule_window or (0, 0))[0])
        self.retries = Retries(ledger, store, self.campaigns, self.intake, keys=record_keys, clock=clock, notice=notice)
        self.runner = ChunkWorker(
            self.sender, ledger, self.campaigns, is_suspended=self.connection.is_suspended_now, outbox=outbox
        )
        self.maintenance = Maintenance(
            ledger=ledger,
            store=store,
            poller=poller,
            campaigns=self.campaigns,
            lease=lease,
            planner=planner,
            clock=clock,
            policy=policy,
            has_events=has_callbacks,
            polls_per_run=POLLS_PER_RUN if can.reports_per_page else SINGLE_POLLS_PER_RUN,
            sweep=sweep,
        )
