"""What a connector needs to use the simulated channel."""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.custom.service import API_KEY, SECRET, SEND_PATH, SENDER, STATUS_PATH, Custom
from sandbox.providers import Simulator


def _enter_addresses(admin: AdminClient, status_url: str, inbound_url: str) -> None:
    admin.post("custom/channel", {"statusUrl": status_url, "inboundUrl": inbound_url})


SIMULATOR = Simulator(
    Custom,
    secrets={"signing-secret": SECRET, "api-key": API_KEY},
    sender=SENDER,
    options={"statusUrl": f"{{url}}{STATUS_PATH}"},
    path=SEND_PATH,
    enter_addresses=_enter_addresses,
)
