"""What a connector needs to use the simulated Twilio."""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.providers import Simulator
from sandbox.twilio.accounts import ACCOUNT_SID, AUTH_TOKEN
from sandbox.twilio.service import Twilio

SENDER = "+15551234567"


def _enter_addresses(admin: AdminClient, _status_url: str, inbound_url: str) -> None:
    admin.post("numbers", {"number": SENDER, "smsUrl": inbound_url})


SIMULATOR = Simulator(
    Twilio,
    secrets={"account-sid": ACCOUNT_SID, "auth-token": AUTH_TOKEN},
    sender=SENDER,
    enter_addresses=_enter_addresses,
)
