"""What a connector needs to use the simulated Vibes Connect."""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.providers import Simulator
from sandbox.vibes.service import PASSWORD, USERNAME, Vibes

WEBHOOK_USERNAME, WEBHOOK_PASSWORD = "vibes", "inbound-password"


def _enter_addresses(admin: AdminClient, _status_url: str, inbound_url: str) -> None:
    """Receipts go to the address that each message names; an account manager sets up the one of inbound messages."""
    credentials = {"inboundUsername": WEBHOOK_USERNAME, "inboundPassword": WEBHOOK_PASSWORD}
    admin.post("vibes/account", {"inboundUrl": inbound_url, **credentials})


SIMULATOR = Simulator(
    Vibes,
    secrets={
        "username": USERNAME,
        "password": PASSWORD,
        "webhook-username": WEBHOOK_USERNAME,
        "webhook-password": WEBHOOK_PASSWORD,
    },
    sender="98765",
    enter_addresses=_enter_addresses,
)
