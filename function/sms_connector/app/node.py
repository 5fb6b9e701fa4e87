"""One process that can send: everything wired, from its settings. Connector and worker are made of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from sms_connector import registry
from sms_connector.api.payloads.callbacks import render_result
from sms_connector.app.adapters import (
    build_callbacks,
    make_log,
    make_transport_settings,
    open_ledger,
    open_queue,
)
from sms_connector.app.surroundings import load_settings
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from sms_connector.messaging.callback_address import CallbackAddress
from sms_connector.messaging.callback_signature import Signer
from sms_connector.messaging.callbacks_out import Announcements, CallbacksOut, Outgoing
from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.forecast import Pace
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.engine import Engine, EngineParts, build_engine
from sms_connector.messaging.events import CallbackEvents, EventTools
from sms_connector.messaging.inbound import Inbox, InboxRules
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.shares import FIRESTORE_TIMING, SPARE, SQLITE_TIMING, ShareKeeper, ShareRules
from sms_connector.messaging.throttle import Throttle
from sms_connector.messaging.tick_planner import TickPlanner
from sms_connector.ports import Clock, Ledger, SecretSource, TaskQueue
from sms_connector.provider import Provider
from sms_connector.settings import Settings
from sms_connector.transport.http import Gate
from sms_connector.transport.outgoing import OUTGOING, AllowedHosts, GuardedResolver, make_outgoing
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings


class Node(msgspec.Struct, frozen=True):
    """Everything it needs to send, and the settings it was started with. `events` is there where callbacks come in."""

    settings: Settings
    provider: Provider
    ledger: Ledger
    queue: TaskQueue | None
    secrets: SecretSource
    throttle: Throttle
    clock: Clock
    engine: Engine
    callbacks: CallbackAddress | None
    callbacks_out: CallbacksOut
    events: CallbackEvents | None


def start(environ: Mapping[str, str], *, policy: Policy | None = None, timing: TransportSettings | None = None) -> Node:
    """Read settings and secrets and wire the node. Raises StartError listing everything that is wrong with either.

    `policy` and `timing` are for runs that can't wait as long as production does; they have no say in what settings say.
    """
    clock = SystemClock()
    settings = load_settings(environ, clock)
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    ledger, queue = open_ledger(settings.ledger, clock), open_queue(settings, clock)
    throttle = Throttle(settings.node_rate, clock=clock, spare=SPARE if settings.connection_rate else 0.0)
    gate = _make_gate(settings, ledger, throttle, clock=clock)
    transport = HttpTransport(make_transport_settings(settings, timing), clock=clock, gate=gate, secrets=secrets)
    provider = registry.provider_factory(settings.provider)(settings.provider_url, secrets, transport)
    callbacks = build_callbacks(settings, secrets)
    planner = TickPlanner(queue, connection=settings.connection.name, clock=clock)
    announcer = Announcements(queue, clock=clock, log=make_log(settings))
    callbacks_out = _build_callbacks_out(settings, secrets, ledger, queue=queue, clock=clock)
    parts = EngineParts(
        provider=provider,
        ledger=ledger,
        throttle=throttle,
        clock=clock,
        policy=replace(policy or Policy(), expire_after=settings.tracking.expire_after_hours * 3600.0),
        callbacks=callbacks,
        configured_suspension=settings.connection.suspended,
        connection_rate=settings.connection_rate,
        announcer=announcer,
        queue=queue,
        planner=planner,
        pace=Pace(settings.node_rate, settings.workers_max, settings.connection_rate),
        sweep=callbacks_out.sweep,
    )
    return Node(
        settings=settings,
        provider=provider,
        ledger=ledger,
        queue=queue,
        secrets=secrets,
        throttle=throttle,
        clock=clock,
        engine=build_engine(parts),
        callbacks=callbacks,
        callbacks_out=callbacks_out,
        events=_build_events(settings, parts),
    )


def _make_gate(settings: Settings, ledger: Ledger, throttle: Throttle, *, clock: Clock) -> Gate:
    """What every call to the provider passes: the node's throttle, behind its share of the connection's rate where one is set."""
    if settings.connection_rate is None:
        return throttle.wait_turn
    timing = SQLITE_TIMING if settings.ledger.kind == "sqlite" else FIRESTORE_TIMING
    rules = ShareRules(settings.connection_rate, settings.node_rate, timing)
    return ShareKeeper(uuid.uuid4().hex, ledger, throttle, rules=rules, clock=clock).wait_turn


def _build_callbacks_out(
    settings: Settings, secrets: SecretSource, ledger: Ledger, *, queue: TaskQueue | None, clock: Clock
) -> CallbacksOut:
    """Past the provider's proxy and throttle, and into no private network."""
    timing = replace(OUTGOING, ca_file=str(settings.ca_file) if settings.ca_file else None)
    guard = GuardedResolver(AllowedHosts.of(settings.callback_private_hosts))
    transport = make_outgoing(timing, clock=clock, secrets=secrets, resolve=guard)
    outgoing = Outgoing(transport, Signer(secrets), render_result)
    return CallbacksOut(ledger, BlockStore(ledger), queue, outgoing, clock, make_log(settings))


def _build_events(settings: Settings, parts: EngineParts) -> CallbackEvents | None:
    if parts.callbacks is None:
        return None
    opt_outs = OptOuts(parts.ledger, clock=parts.clock)
    store = BlockStore(parts.ledger, parts.announcer, opt_outs)
    rules = InboxRules(parts.provider.consent_words, settings.stop_words)
    tools = EventTools(
        provider=parts.provider,
        store=store,
        address=parts.callbacks,
        inbox=Inbox(parts.ledger, store, opt_outs, rules=rules),
        clock=parts.clock,
        log=make_log(settings),
        queue=parts.queue,
    )
    return CallbackEvents(tools)
