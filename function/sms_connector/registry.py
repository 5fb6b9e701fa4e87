"""Every provider the connector knows, one line each. Nothing else names providers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import Provider, ProviderSettings
from sms_connector.transport.http import Transport


class ProviderFactory(Protocol):
    """How the class of a provider is called."""

    def __call__(
        self, settings: ProviderSettings, *, secrets: SecretSource, transport: Transport, clock: Clock
    ) -> Provider: ...


# Name → the module and class of its package, which is imported when it is asked for: a cold start pays for one provider
# only.
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "twilio": ("sms_connector.providers.twilio.provider", "TwilioProvider"),
    "telesign": ("sms_connector.providers.telesign.provider", "TelesignProvider"),
    "azure": ("sms_connector.providers.azure.provider", "AzureProvider"),
    "infobip": ("sms_connector.providers.infobip.provider", "InfobipProvider"),
    "link-mobility": ("sms_connector.providers.link_mobility.provider", "LinkMobilityProvider"),
    "custom": ("sms_connector.providers.custom.provider", "CustomProvider"),
    "vibes": ("sms_connector.providers.vibes.provider", "VibesProvider"),
}
DEFAULT = next(iter(PROVIDERS))


def provider_class(name: str) -> type[Provider]:
    """Return the class of a registered provider. KeyError for any other name."""
    module, attribute = PROVIDERS[name]
    found: type[Provider] = getattr(import_module(module), attribute)
    return found


def make_provider(
    name: str, settings: ProviderSettings, *, secrets: SecretSource, transport: Transport, clock: Clock
) -> Provider:
    """Make a registered provider. KeyError for any other name."""
    make = cast("ProviderFactory", provider_class(name))
    return make(settings, secrets=secrets, transport=transport, clock=clock)
