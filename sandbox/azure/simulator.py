"""What a connector needs to use the simulated Azure Communication Services."""

from __future__ import annotations

from sandbox.azure.events import RECEIVED, REPORT
from sandbox.azure.numbers import SENDERS
from sandbox.azure.service import ACCESS_KEY, Azure
from sandbox.client import AdminClient
from sandbox.providers import Simulator


def _enter_addresses(admin: AdminClient, status_url: str, inbound_url: str) -> None:
    """Make the two event subscriptions of docs/providers/azure.md."""
    for name, url, event_type in (("status", status_url, REPORT), ("inbound", inbound_url, RECEIVED)):
        admin.post("azure/subscriptions", {"name": name, "url": url, "eventTypes": [event_type]})


SIMULATOR = Simulator(Azure, secrets={"access-key": ACCESS_KEY}, sender=SENDERS[0], enter_addresses=_enter_addresses)
