"""The container: settings in, a wired node out. Connector and worker are made of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from sms_connector.api.schemas.custom_channel import UNREPORTED, JourneysForm
from sms_connector.api.schemas.notification import StandardForm
from sms_connector.api.services import ConnectionProfile, Services
from sms_connector.app.adapters import (
    build_callbacks,
    make_log,
    make_transport_settings,
    open_ledger,
    open_queue,
    open_sources,
)
from sms_connector.app.startup_checks import build_provider, load_settings
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.event_handler import CallbackHandler
from sms_connector.callbacks.inbound import Inbox
from sms_connector.campaigns.forecast import Pace
from sms_connector.engine import Engine
from sms_connector.errors import NotSent
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from sms_connector.model.policy import Policy
from sms_connector.notifications.delivery import NotificationDispatcher, NotificationOutbox
from sms_connector.notifications.signature import Signer
from sms_connector.ports import Clock, Ledger, SecretSource, TaskQueue, secret_digest
from sms_connector.provider import Provider
from sms_connector.rate_limit.connection_rate import FIRESTORE_TIMING, SPARE, SQLITE_TIMING, ConnectionRate
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.settings import Settings
from sms_connector.store.block_store import BlockStore
from sms_connector.transport.http import Gate
from sms_connector.transport.outgoing import OUTGOING, GuardedResolver
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings

if TYPE_CHECKING:
    from sms_connector.entities.service import Entities


class Node(msgspec.Struct, frozen=True):
    """A wired node and its settings. `events` is None without callbacks."""

    settings: Settings
    provider: Provider
    ledger: Ledger
    queue: TaskQueue | None
    throttle: Throttle
    clock: Clock
    engine: Engine
    callbacks: CallbackAddress | None
    notifications: NotificationDispatcher
    events: CallbackHandler | None


def start(environ: Mapping[str, str], *, policy: Policy | None = None, timing: TransportSettings | None = None) -> Node:
    """Read settings and secrets and wire the node. Raises StartError listing everything that is wrong with either.

    `policy` and `timing` are for runs that can't wait as long as production does; they have no say in what settings
    say.
    """
    clock = SystemClock()
    settings = load_settings(environ, clock)
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    ledger, queue = open_ledger(settings.ledger, clock), open_queue(settings, clock)
    throttle = Throttle(settings.node_rate, clock=clock, spare=SPARE if settings.connection_rate else 0.0)
    gate = _make_gate(settings, ledger, throttle, clock=clock)
    transport = HttpTransport(make_transport_settings(settings, timing), clock=clock, gate=gate, secrets=secrets)
    provider = build_provider(settings, secrets, transport, clock)
    callbacks = build_callbacks(settings, secrets)
    outbox = _make_outbox(settings, queue, clock)
    notifications = _build_notifications(settings, secrets, ledger, queue=queue, clock=clock)
    engine = Engine(
        provider=provider,
        ledger=ledger,
        throttle=throttle,
        clock=clock,
        policy=replace(policy or Policy(), expire_after=settings.expire_after_hours * 3600.0),
        callbacks=callbacks,
        configured_suspension=settings.suspended,
        outbox=outbox,
        queue=queue,
        connection=settings.connection,
        pace=Pace(settings.node_rate, settings.workers_max, settings.connection_rate),
        sweep=notifications.sweep,
        secrets_in_use=partial(_digest_secrets, secrets, provider.secret_names),
    )
    events = None
    if callbacks is not None:
        inbox = Inbox(ledger, engine.store, engine.opt_outs, provider.consent_words, settings.stop_words, outbox)
        events = CallbackHandler(provider, engine.store, callbacks, inbox, clock, make_log(settings), queue)
    return Node(
        settings=settings,
        provider=provider,
        ledger=ledger,
        queue=queue,
        throttle=throttle,
        clock=clock,
        engine=engine,
        callbacks=callbacks,
        notifications=notifications,
        events=events,
    )


def _digest_secrets(secrets: SecretSource, names: Sequence[str]) -> dict[str, str]:
    def digest(name: str) -> str:
        try:
            return secret_digest(name, secrets.get(name))
        except NotSent:
            return "can't be read"  # a rotation waits for this node

    return {name: digest(name) for name in names}


def _make_gate(settings: Settings, ledger: Ledger, throttle: Throttle, *, clock: Clock) -> Gate:
    """Return the gate of every call: the node's throttle, behind its share of the connection's rate where one is
    set."""
    if settings.connection_rate is None:
        return throttle.wait_turn
    timing = FIRESTORE_TIMING if settings.ledger.path is None else SQLITE_TIMING
    rate, limit = settings.connection_rate, settings.node_rate
    node = uuid.uuid4().hex
    return ConnectionRate(node, ledger, throttle, rate=rate, limit=limit, clock=clock, timing=timing).wait_turn


def _make_outbox(settings: Settings, queue: TaskQueue | None, clock: Clock) -> NotificationOutbox:
    log = make_log(settings)
    if settings.callback_format == "standard":
        return NotificationOutbox(queue, clock, log)
    return NotificationOutbox(queue, clock, log, UNREPORTED, settings.callback_url)


def _build_notifications(
    settings: Settings, secrets: SecretSource, ledger: Ledger, *, queue: TaskQueue | None, clock: Clock
) -> NotificationDispatcher:
    """Build the sender of notifications. It uses neither the provider's proxy nor its throttle, and refuses private
    networks."""
    timing = replace(OUTGOING, ca_file=str(settings.ca_file) if settings.ca_file else None)
    guard = GuardedResolver(settings.callback_private_hosts)
    organization = settings.journeys_organization_id or ""
    form = StandardForm() if settings.callback_format == "standard" else JourneysForm(settings.connection, organization)
    transport = HttpTransport(timing, clock=clock, secrets=secrets, resolve=guard)
    return NotificationDispatcher(
        ledger=ledger,
        store=BlockStore(ledger),
        queue=queue,
        transport=transport,
        signer=Signer(secrets),
        form=form,
        clock=clock,
        log=make_log(settings),
    )


def make_services(node: Node) -> Services:
    return Services(
        node.engine,
        make_profile(node.settings),
        node.provider.capabilities,
        make_log(node.settings),
        node.notifications,
        objects=open_sources(node.settings),
        callbacks=node.callbacks,
        callback_places=node.provider.callback_places,
        make_entities=cache(partial(_make_entities, node)),
        mcp_tools=node.settings.mcp_tools,
    )


def _make_entities(node: Node) -> Entities:
    from sms_connector.entities.service import Entities  # at the first use, as the catalogue

    return Entities(node.provider.entities(), writes=frozenset(node.settings.entity_writes), now=node.clock.monotonic)


def make_profile(settings: Settings) -> ConnectionProfile:
    """Return what the API shows of the settings; a field that is named like a setting has its value."""
    derived: dict[str, Any] = {
        "name": settings.connection,
        "senders": settings.all_senders,
        "proxy_url": settings.proxy.url if settings.proxy else None,
        "callbacks": settings.webhook_url is not None,
        "has_queue": settings.queue is not None,
    }
    names = [name for name in ConnectionProfile.__struct_fields__ if name not in derived]
    return ConnectionProfile(**derived, **{name: getattr(settings, name) for name in names})
