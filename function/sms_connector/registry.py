"""Every provider the connector knows, one line each. Nothing else names providers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from sms_connector.ports import SecretSource
from sms_connector.provider import Provider
from sms_connector.transport.http import Transport

ProviderFactory = Callable[[str | None, SecretSource, Transport], Provider]

# Name → the module and class of its package, which is imported when it is asked for: a cold start pays for one provider
# only.
PROVIDERS: Mapping[str, tuple[str, str]] = {"twilio": ("sms_connector.providers.twilio.provider", "TwilioProvider")}
DEFAULT = next(iter(PROVIDERS))


def provider_factory(name: str) -> ProviderFactory:
    """Return the factory of a registered provider: `(base_url, secrets, transport) -> Provider`. KeyError for any other
    name."""
    module, attribute = PROVIDERS[name]
    factory: ProviderFactory = getattr(import_module(module), attribute)
    return factory
