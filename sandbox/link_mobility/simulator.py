"""What a connector needs to use the simulated LINK Mobility."""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.link_mobility.accounts import INBOUND_GATE, PARTNER_ID, PASSWORD, PLATFORM_ID, REPORT_GATE, USERNAME
from sandbox.link_mobility.service import LinkMobility
from sandbox.providers import Simulator

WEBHOOK_USERNAME, WEBHOOK_PASSWORD = "link", "gate-password"


def _enter_addresses(admin: AdminClient, status_url: str, inbound_url: str) -> None:
    credentials = {"username": WEBHOOK_USERNAME, "password": WEBHOOK_PASSWORD}
    admin.post("link-mobility/gates", {"id": REPORT_GATE, "url": status_url, **credentials})
    admin.post("link-mobility/gates", {"id": INBOUND_GATE, "url": inbound_url, **credentials})


SIMULATOR = Simulator(
    LinkMobility,
    secrets={
        "username": USERNAME,
        "password": PASSWORD,
        "webhook-username": WEBHOOK_USERNAME,
        "webhook-password": WEBHOOK_PASSWORD,
    },
    sender="+15551234567",
    options={"platformId": PLATFORM_ID, "platformPartnerId": PARTNER_ID, "gateId": REPORT_GATE},
    enter_addresses=_enter_addresses,
)
