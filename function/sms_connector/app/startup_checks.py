"""Check settings and secrets at the start, and report every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sms_connector import registry
from sms_connector.callbacks.callback_address import KEY_SECRETS
from sms_connector.errors import NotSent, StartError
from sms_connector.local.secrets import FileSecrets
from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import Provider, ProviderSettings
from sms_connector.settings import Settings, load
from sms_connector.transport.http import NoTransport, Transport
from sms_connector.transport.settings import ProxyAuth, unsafe_route


def load_settings(environ: Mapping[str, str], clock: Clock) -> Settings:
    """Load settings whose secrets exist. A wrong setting does not hide a missing secret: all problems are reported at
    once."""
    try:
        settings = load(environ)
    except StartError as error:
        raise StartError([*error.problems, *provider_problems(_guess_settings(environ), clock)]) from None
    problems = transport_problems(settings)
    problems += registry.provider_class(settings.provider).setting_problems(provider_settings(settings))
    problems += provider_problems(settings, clock)
    if problems:
        raise StartError(problems)
    return settings


def provider_settings(settings: Settings) -> ProviderSettings:
    return ProviderSettings(settings.connection, settings.provider_url, settings.provider_options)


def build_provider(settings: Settings, secrets: SecretSource, transport: Transport, clock: Clock) -> Provider:
    return registry.make_provider(
        settings.provider, provider_settings(settings), secrets=secrets, transport=transport, clock=clock
    )


def transport_problems(settings: Settings) -> list[str]:
    """Return each problem of the way to the provider, and its fix."""
    problem = unsafe_route(settings.proxy, urlsplit(settings.provider_url or "https:").scheme)
    problems = [problem] if problem else []
    if settings.ca_file is not None:
        from sms_connector.transport.connection import make_tls_context

        try:
            make_tls_context(str(settings.ca_file))
        except OSError:
            problems.append(f"SMS_CA_FILE: {settings.ca_file} can't be read: name a file of certificates in PEM form")
    return problems


def provider_problems(settings: Settings, clock: Clock) -> list[str]:
    """Return which senders are of a kind that the provider does not have, and which secrets are missing."""
    if settings.provider not in registry.PROVIDERS:
        return []  # a problem of the settings already
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    provider = build_provider(settings, secrets, NoTransport(), clock)
    name = "SMS_SENDERS[{}].address" if settings.all_senders.complete else "SMS_SENDER"
    problems = [
        f"{name.format(index)} (environment): {problem}"
        for index, sender in enumerate(settings.all_senders.listed)
        if (problem := provider.capabilities.sender_problem(sender)) is not None
    ]
    try:
        return problems + _secret_problems(settings, provider, secrets)
    except NotSent as unreadable:
        return [*problems, f"{unreadable}; let this process read it"]


def _secret_problems(settings: Settings, provider: Provider, secrets: FileSecrets) -> list[str]:
    callbacks = settings.webhook_url is not None
    wanted = [KEY_SECRETS[0]] if callbacks else []
    wanted += ["proxy-username", "proxy-password"] if settings.proxy_auth is not ProxyAuth.NONE else []
    return provider.problems(callbacks=callbacks) + [
        f"secret {name} is missing: looked at {secrets.where(name)}; write its value there"
        for name in wanted
        if not secrets.get(name)
    ]


def _guess_settings(environ: Mapping[str, str]) -> Settings:
    """Read what decides which secrets are needed from an environment with problems."""
    said = {name: raw.strip() for name, raw in environ.items()}
    auth = said.get("SMS_PROXY_AUTH")
    return Settings(
        provider=said.get("SMS_PROVIDER") or registry.DEFAULT,
        secrets_dir=Path(said.get("SMS_SECRETS_DIR") or "/secrets"),
        proxy_auth=ProxyAuth(auth) if auth in (ProxyAuth.BASIC, ProxyAuth.DIGEST) else ProxyAuth.NONE,
        webhook_url=said.get("SMS_WEBHOOK_URL") or None,
    )
