"""Check settings and secrets at the start, and report every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from sms_connector import registry
from sms_connector.callbacks.callback_address import KEY_SECRETS
from sms_connector.errors import NotSent, StartError
from sms_connector.local.secrets import FileSecrets
from sms_connector.model.senders import Senders
from sms_connector.ports import Clock
from sms_connector.provider import Provider, ProviderSettings
from sms_connector.settings import Settings, load
from sms_connector.transport.http import NoTransport
from sms_connector.transport.settings import ProxyAuth, unsafe_route


def load_settings(environ: Mapping[str, str], clock: Clock) -> Settings:
    """Load settings whose secrets exist. A wrong setting does not hide a missing secret: all problems are reported at
    once."""
    try:
        settings = load(environ)
    except StartError as error:
        checks = StartupChecks.guess(environ)
        raise StartError([*error.problems, *checks.secret_problems(clock)]) from None
    problems = transport_problems(settings)
    problems += registry.provider_class(settings.provider).setting_problems(provider_settings(settings))
    checks = StartupChecks.of(settings)
    problems += [*checks.sender_problems(settings.all_senders, clock), *checks.secret_problems(clock)]
    if problems:
        raise StartError(problems)
    return settings


def provider_settings(settings: Settings) -> ProviderSettings:
    return ProviderSettings(settings.connection, settings.provider_url, settings.provider_options)


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


class StartupChecks(msgspec.Struct, frozen=True):
    """The settings that decide which secrets are needed."""

    provider: str
    settings: ProviderSettings
    secrets_dir: str
    proxy_credentials: bool
    callbacks: bool

    @classmethod
    def of(cls, settings: Settings) -> StartupChecks:
        credentials = settings.proxy is not None and settings.proxy.auth is not ProxyAuth.NONE
        has_callbacks = settings.webhook_url is not None
        return cls(
            settings.provider, provider_settings(settings), str(settings.secrets_dir), credentials, has_callbacks
        )

    @classmethod
    def guess(cls, environ: Mapping[str, str]) -> StartupChecks:
        """Read from the environment what settings with problems can't say."""
        return cls(
            environ.get("SMS_PROVIDER", "").strip() or registry.DEFAULT,
            ProviderSettings(),
            environ.get("SMS_SECRETS_DIR", "").strip() or "/secrets",
            environ.get("SMS_PROXY_AUTH", "").strip() in ("basic", "digest"),
            bool(environ.get("SMS_WEBHOOK_URL", "").strip()),
        )

    def sender_problems(self, senders: Senders, clock: Clock) -> list[str]:
        """Return which senders are of a kind that the provider does not have."""
        capabilities = self._make_provider(FileSecrets(self.secrets_dir, clock=clock), clock).capabilities
        name = "SMS_SENDERS[{}].address" if senders.complete else "SMS_SENDER"
        return [
            f"{name.format(index)} (environment): {problem}"
            for index, sender in enumerate(senders.listed)
            if (problem := capabilities.sender_problem(sender)) is not None
        ]

    def _make_provider(self, secrets: FileSecrets, clock: Clock) -> Provider:
        return registry.make_provider(
            self.provider, self.settings, secrets=secrets, transport=NoTransport(), clock=clock
        )

    def secret_problems(self, clock: Clock) -> list[str]:
        if self.provider not in registry.PROVIDERS:
            return []  # a problem of the settings already
        secrets = FileSecrets(self.secrets_dir, clock=clock)
        provider = self._make_provider(secrets, clock)
        wanted = [KEY_SECRETS[0]] if self.callbacks else []
        wanted += ["proxy-username", "proxy-password"] if self.proxy_credentials else []
        try:
            return provider.problems(callbacks=self.callbacks) + [
                f"secret {name} is missing: looked at {secrets.where(name)}; write its value there"
                for name in wanted
                if not secrets.get(name)
            ]
        except NotSent as unreadable:
            return [f"{unreadable}; let this process read it"]
