"""What a connector needs to use the simulated Telesign."""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.providers import Simulator
from sandbox.telesign.service import API_KEY, CUSTOMER_ID, SENDER, Telesign


def _enter_addresses(admin: AdminClient, status_url: str, inbound_url: str) -> None:
    admin.post("telesign/account", {"statusUrl": status_url, "inboundUrl": inbound_url})


SIMULATOR = Simulator(
    Telesign,
    secrets={"customer-id": CUSTOMER_ID, "api-key": API_KEY},
    sender=f"+{SENDER}",
    enter_addresses=_enter_addresses,
)
