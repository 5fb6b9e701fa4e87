"""The composition root: settings in, a wired connector out. The one place where everything meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sms_connector import registry
from sms_connector.api.door import Handle
from sms_connector.api.entry import build_api
from sms_connector.api.payloads.callbacks import render_result
from sms_connector.api.route import ConnectionProfile, Services
from sms_connector.api.webhook import Replies, WebhookParts, build_webhook
from sms_connector.errors import StartError
from sms_connector.local.clock import SystemClock
from sms_connector.local.objects import FileObjects
from sms_connector.local.secrets import FileSecrets
from sms_connector.messaging.callback_address import KEY_SECRETS, CallbackAddress
from sms_connector.messaging.callback_signature import Signer
from sms_connector.messaging.callbacks_out import Announcements, CallbacksOut, Outgoing
from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.forecast import Pace
from sms_connector.messaging.campaigns.sources import BUCKETS, AllowedSources
from sms_connector.messaging.engine import Engine, EngineParts, build_engine
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.throttle import Throttle
from sms_connector.messaging.tick_planner import TickPlanner
from sms_connector.ports import Clock, Ledger, SecretSource, TaskQueue
from sms_connector.provider import Provider
from sms_connector.settings import Settings, load
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.http import NoTransport
from sms_connector.transport.outgoing import OUTGOING, AllowedHosts, GuardedResolver, make_outgoing
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import (
    ProxyAuth,
    ProxySettings,
    ProxySsl,
    TransportSettings,
    parse_proxy_url,
    settings_problems,
)

if TYPE_CHECKING:
    from sms_connector.settings import LedgerAddress


@dataclass(frozen=True, slots=True)
class Node:
    """One process: everything it needs to send, and the settings it was started with."""

    settings: Settings
    provider: Provider
    ledger: Ledger
    secrets: SecretSource
    throttle: Throttle
    clock: Clock
    engine: Engine
    callbacks: CallbackAddress | None
    callbacks_out: CallbacksOut


def build(target: str, environ: Mapping[str, str]) -> Handle:
    """The HTTP function of that name. Raises StartError listing everything that is wrong with settings or secrets."""
    if target == "webhook":
        return build_webhook(start_webhook(environ))
    if target != "connector":
        known = "connector, webhook"
        raise StartError([f"FUNCTION_TARGET (environment): {target!r} is no function of ours; there are {known}"])
    return build_connector(start(environ))


def build_connector(node: Node) -> Handle:
    """The private API."""
    settings = node.settings
    services = Services(
        node.engine,
        _profile(settings),
        node.provider.capabilities,
        _log(settings),
        node.callbacks_out,
        objects=_open_sources(settings),
    )
    return build_api(services)


def start_webhook(environ: Mapping[str, str]) -> WebhookParts:
    """What the webhook is made of: no ledger, no secret but its key. Raises StartError listing everything that is wrong."""
    clock = SystemClock()
    settings = load(environ, needs_ledger=False)
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    key = KEY_SECRETS[0]
    wanted = {
        "SMS_WEBHOOK_URL is missing: looked in the environment; the webhook can't know its own address": settings.webhook_url,
        "SMS_QUEUE is missing: looked in the environment; the webhook has nowhere to put callbacks": settings.queue,
        f"secret {key} is missing: looked at {secrets.where(key)}; write its value there": secrets.get(key),
    }
    problems = [problem for problem, there in wanted.items() if not there]
    address, queue = _build_callbacks(settings, secrets), _open_queue(settings, clock)
    if problems or address is None or queue is None:
        raise StartError(problems)
    provider = registry.provider_factory(settings.provider)(None, secrets, NoTransport())
    replies = Replies(settings.help_reply, settings.stop_words)
    return WebhookParts(address, provider, queue, _log(settings), clock.time, replies)


def start(environ: Mapping[str, str], *, policy: Policy | None = None, timing: TransportSettings | None = None) -> Node:
    """Read settings and secrets and wire the node. Raises StartError listing everything that is wrong with either.

    `policy` and `timing` are for runs that can't wait as long as production does; `timing` has no say in the route.
    """
    clock = SystemClock()
    settings = _load(environ, clock)
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    throttle = Throttle(settings.node_rate, clock=clock)
    transport = HttpTransport(
        _transport_settings(settings, timing), clock=clock, gate=throttle.wait_turn, secrets=secrets
    )
    provider = registry.provider_factory(settings.provider)(settings.provider_url, secrets, transport)
    callbacks = _build_callbacks(settings, secrets)
    ledger = _open_ledger(settings.ledger, clock)
    queue, log = _open_queue(settings, clock), _log(settings)
    planner = TickPlanner(queue, connection=settings.connection.name, clock=clock)
    announcer = Announcements(queue, clock=clock, log=log, plan=planner.try_plan)
    outgoing = _build_outgoing(settings, secrets, clock)
    callbacks_out = CallbacksOut(ledger, BlockStore(ledger), queue, outgoing, clock, log)
    parts = EngineParts(
        provider=provider,
        ledger=ledger,
        throttle=throttle,
        clock=clock,
        policy=policy or Policy(),
        callbacks=callbacks,
        configured_suspension=settings.connection.suspended,
        connection_rate=settings.connection_rate,
        announcer=announcer,
        queue=queue,
        planner=planner,
        pace=Pace(settings.node_rate, settings.workers_max, settings.connection_rate),
        sweep=callbacks_out.sweep,
    )
    return Node(settings, provider, ledger, secrets, throttle, clock, build_engine(parts), callbacks, callbacks_out)


def _load(environ: Mapping[str, str], clock: Clock) -> Settings:
    """Settings whose secrets are there. A wrong setting does not hide a missing secret: all is told at once."""
    try:
        settings = load(environ)
    except StartError as error:
        surroundings = _Surroundings.guess(environ)
        raise StartError([*error.problems, *surroundings.secret_problems(clock)]) from None
    problems = settings_problems(_transport_settings(settings), settings.provider_url or "https:")
    problems += _Surroundings.of(settings).secret_problems(clock)
    if problems:
        raise StartError(problems)
    return settings


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What decides which secrets are needed."""

    provider: str
    secrets_dir: str
    proxy_credentials: bool
    callbacks: bool

    @classmethod
    def of(cls, settings: Settings) -> _Surroundings:
        credentials = settings.proxy is not None and settings.proxy.auth != "none"
        return cls(settings.provider, str(settings.secrets_dir), credentials, settings.webhook_url is not None)

    @classmethod
    def guess(cls, environ: Mapping[str, str]) -> _Surroundings:
        """As far as it can be told from settings some of which are wrong."""
        return cls(
            environ.get("SMS_PROVIDER", "").strip() or "twilio",
            environ.get("SMS_SECRETS_DIR", "").strip() or "/secrets",
            environ.get("SMS_PROXY_AUTH", "").strip() in ("basic", "digest"),
            bool(environ.get("SMS_WEBHOOK_URL", "").strip()),
        )

    def secret_problems(self, clock: Clock) -> list[str]:
        if self.provider not in registry.PROVIDERS:
            known = ", ".join(registry.PROVIDERS)
            return [f"SMS_PROVIDER (environment): {self.provider!r} is not built in; available: {known}"]
        secrets = FileSecrets(self.secrets_dir, clock=clock)
        provider = registry.provider_factory(self.provider)(None, secrets, NoTransport())
        wanted = [KEY_SECRETS[0]] if self.callbacks else []
        wanted += ["proxy-username", "proxy-password"] if self.proxy_credentials else []
        return provider.problems(callbacks=self.callbacks) + [
            f"secret {name} is missing: looked at {secrets.where(name)}; write its value there"
            for name in wanted
            if not secrets.get(name)
        ]


def _profile(settings: Settings) -> ConnectionProfile:
    connection, proxy = settings.connection, settings.proxy
    return ConnectionProfile(
        name=connection.name,
        provider=settings.provider,
        description=connection.description,
        labels=connection.labels,
        region=connection.region,
        nodes_min=connection.nodes_min,
        nodes_max=connection.nodes_max,
        proxy_url=proxy.url if proxy else None,
        proxy_auth=proxy.auth if proxy else "none",
        proxy_ssl=proxy.ssl if proxy else "auto",
        sender=settings.sender,
        retry_interval_millis=settings.tracking.retry_interval_millis,
        retry_attempts=settings.tracking.retry_attempts,
        callbacks=settings.webhook_url is not None,
        callback_url=settings.callback_url,
        on_platform=settings.on_platform,
    )


def _log(settings: Settings) -> StructuredLog:
    return StructuredLog(level=settings.log_level, connection=settings.connection.name, project=settings.project)


def _transport_settings(settings: Settings, timing: TransportSettings | None = None) -> TransportSettings:
    proxy = None
    if settings.proxy is not None:
        host, port = parse_proxy_url(settings.proxy.url)
        proxy = ProxySettings(host, port, ProxyAuth(settings.proxy.auth), ProxySsl(settings.proxy.ssl))
    ca_file = str(settings.ca_file) if settings.ca_file else None
    return replace(timing or TransportSettings(), proxy=proxy, ca_file=ca_file)


def _build_callbacks(settings: Settings, secrets: SecretSource) -> CallbackAddress | None:
    if settings.webhook_url is None:
        return None
    return CallbackAddress(
        settings.webhook_url, provider=settings.provider, connection=settings.connection.name, secrets=secrets
    )


def _build_outgoing(settings: Settings, secrets: SecretSource, clock: Clock) -> Outgoing:
    """The way to callers' callback addresses: past the provider's proxy and throttle, and into no private network."""
    transport = replace(OUTGOING, ca_file=str(settings.ca_file) if settings.ca_file else None)
    guard = GuardedResolver(AllowedHosts.of(settings.callback_private_hosts))
    return Outgoing(
        make_outgoing(transport, clock=clock, secrets=secrets, resolve=guard), Signer(secrets), render_result
    )


def _open_queue(settings: Settings, clock: Clock) -> TaskQueue | None:
    address = settings.queue
    if address is None:
        return None
    if address.path is not None:
        from sms_connector.local.queue import SqliteQueue

        return SqliteQueue(address.path, clock=clock)
    from sms_connector.cloud.queue import CloudTasksQueue, Target

    names = (address.project, address.location, settings.connection.name)
    return CloudTasksQueue.connect(Target(*names, address.worker_url, address.connector_url, address.account))


def _open_sources(settings: Settings) -> AllowedSources:
    buckets = [source for source in settings.campaign_sources if source.startswith(BUCKETS)]
    folders = [FileObjects(source) for source in settings.campaign_sources if not source.startswith(BUCKETS)]
    if not buckets:
        return AllowedSources(folders=folders)
    from sms_connector.cloud.objects import BucketObjects

    return AllowedSources(buckets, buckets=BucketObjects.connect(settings.project or ""), folders=folders)


def _open_ledger(address: LedgerAddress, clock: Clock) -> Ledger:
    if address.path is not None:
        from sms_connector.local.ledger import SqliteLedger

        return SqliteLedger(address.path, clock=clock)
    from sms_connector.cloud.ledger import FirestoreLedger

    return FirestoreLedger.connect(address.project, address.database, clock=clock)
