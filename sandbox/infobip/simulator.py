"""What a connector needs to use the simulated Infobip."""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.infobip.account import API_KEY
from sandbox.infobip.service import Infobip
from sandbox.providers import Simulator


def _enter_addresses(admin: AdminClient, status_url: str, inbound_url: str) -> None:
    admin.post("infobip/account", {"deliveryUrl": status_url, "inboundUrl": inbound_url})


SIMULATOR = Simulator(Infobip, secrets={"api-key": API_KEY}, sender="+15551234567", enter_addresses=_enter_addresses)
