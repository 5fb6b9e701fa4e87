"""Every provider the sandbox simulates, one line each, and what a connector needs to use it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from sandbox.callbacks import Callbacks
from sandbox.client import AdminClient
from sandbox.clock import Clock
from sandbox.options import Context
from sandbox.service import Service

MakeService = Callable[[Context, Clock, Callbacks], Service]


def _no_addresses(_admin: AdminClient, _status_url: str, _inbound_url: str) -> None:
    """Where the connector names its callback address with each message, and nothing is entered at the provider."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """One simulated provider.

    `make`: its service. `secrets` (file name to value), `options` (SMS_PROVIDER_OPTIONS) and `sender` are a connector's
    settings that it accepts; `{url}` in an option stands for the sandbox's address. `path`: what follows that address in
    SMS_PROVIDER_URL. `enter_addresses(admin, status_url, inbound_url)` does what an operator does in the provider's
    portal: it enters the addresses that are called back.
    """

    make: MakeService
    secrets: Mapping[str, str]
    sender: str
    options: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    enter_addresses: Callable[[AdminClient, str, str], None] = _no_addresses

    def settings(self, name: str, url: str) -> dict[str, str]:
        """Return the settings of a connector that uses the sandbox at `url` as its provider."""
        found = {"SMS_PROVIDER": name, "SMS_PROVIDER_URL": url + self.path, "SMS_SENDER": self.sender}
        if self.options:
            pairs = (f"{option}={value.replace('{url}', url)}" for option, value in self.options.items())
            found["SMS_PROVIDER_OPTIONS"] = ",".join(pairs)
        return found


# Name to package; each package has a SIMULATOR.
PACKAGES: Mapping[str, str] = {
    "twilio": "sandbox.twilio",
    "azure": "sandbox.azure",
    "infobip": "sandbox.infobip",
    "telesign": "sandbox.telesign",
    "link-mobility": "sandbox.link_mobility",
    "custom": "sandbox.custom",
    "vibes": "sandbox.vibes",
}


def simulator(name: str) -> Simulator:
    """Raises KeyError for a provider that is not simulated."""
    return cast("Simulator", import_module(f"{PACKAGES[name]}.simulator").SIMULATOR)


def services() -> Sequence[MakeService]:
    return [simulator(name).make for name in PACKAGES]
