"""The composition root: settings in, a wired connector out. The one place where everything meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sms_connector import registry
from sms_connector.errors import StartError
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from sms_connector.messaging.callback_address import KEY_SECRETS, CallbackAddress
from sms_connector.messaging.engine import Engine, EngineParts, build_engine
from sms_connector.messaging.policy import Policy
from sms_connector.messaging.throttle import Throttle
from sms_connector.ports import Clock, Ledger, SecretSource
from sms_connector.provider import Provider
from sms_connector.settings import Settings, load
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl, TransportSettings

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


def start(environ: Mapping[str, str], *, policy: Policy | None = None) -> Node:
    """Read settings and secrets and wire the node. Raises StartError listing everything that is wrong with either."""
    settings = load(environ)
    clock = SystemClock()
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    throttle = Throttle(settings.node_rate, clock=clock)
    provider = _build_provider(settings, secrets, throttle, clock=clock)
    callbacks = _build_callbacks(settings, secrets)
    _check_secrets(settings, secrets, provider)
    ledger = _open_ledger(settings.ledger, clock)
    parts = EngineParts(
        provider=provider,
        ledger=ledger,
        throttle=throttle,
        clock=clock,
        policy=policy or Policy(),
        callbacks=callbacks,
        configured_suspension=settings.connection.suspended,
        connection_rate=settings.connection_rate,
    )
    return Node(settings, provider, ledger, secrets, throttle, clock, build_engine(parts), callbacks)


def _build_provider(settings: Settings, secrets: SecretSource, throttle: Throttle, *, clock: Clock) -> Provider:
    if settings.provider not in registry.PROVIDERS:
        raise StartError(
            [
                f"SMS_PROVIDER (environment): {settings.provider} is not built in yet; available: {', '.join(registry.PROVIDERS)}"
            ]
        )
    transport = HttpTransport(_transport_settings(settings), clock=clock, gate=throttle.wait_turn, secrets=secrets)
    return registry.provider_factory(settings.provider)(settings.provider_url, secrets, transport)


def _transport_settings(settings: Settings) -> TransportSettings:
    proxy = None
    if settings.proxy is not None:
        address = urlsplit(settings.proxy.url)
        proxy = ProxySettings(
            address.hostname or "", address.port or 0, ProxyAuth(settings.proxy.auth), ProxySsl(settings.proxy.ssl)
        )
    return TransportSettings(proxy=proxy, ca_file=str(settings.ca_file) if settings.ca_file else None)


def _build_callbacks(settings: Settings, secrets: SecretSource) -> CallbackAddress | None:
    if settings.webhook_url is None:
        return None
    return CallbackAddress(
        settings.webhook_url, provider=settings.provider, connection=settings.connection.name, secrets=secrets
    )


def _check_secrets(settings: Settings, secrets: SecretSource, provider: Provider) -> None:
    problems = provider.problems(callbacks=settings.webhook_url is not None)
    wanted = list(KEY_SECRETS[:1]) if settings.webhook_url is not None else []
    if settings.proxy is not None and settings.proxy.auth != "none":
        wanted += ["proxy-username", "proxy-password"]
    problems += [
        f"secret {name} is missing: looked at {secrets.where(name)}; write its value there"
        for name in wanted
        if not secrets.get(name)
    ]
    if problems:
        raise StartError(problems)


def _open_ledger(address: LedgerAddress, clock: Clock) -> Ledger:
    if address.path is not None:
        from sms_connector.local.ledger import SqliteLedger

        return SqliteLedger(address.path, clock=clock)
    from sms_connector.cloud.ledger import FirestoreLedger

    return FirestoreLedger(address.project, address.database)
