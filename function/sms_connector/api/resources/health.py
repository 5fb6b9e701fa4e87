"""`/health`: neither ledger nor provider is called, so that a probe each second costs nothing."""

from __future__ import annotations

from typing import Literal

from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.base import Payload
from sms_connector.api.services import Services


class Health(Payload):
    """The process answers, and for which connection."""

    status: Literal["ok"]
    connection: str


def get_health(services: Services, _call: ParsedRequest) -> Answer:
    """Check that the process answers."""
    return Answer(Health(status="ok", connection=services.profile.name))


ROUTES = (Route("GET", "/health", get_health, Health),)
