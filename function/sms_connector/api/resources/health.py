"""`/health`: the process answers. No ledger and no provider is asked: a probe every second must cost nothing."""

from __future__ import annotations

from typing import Literal

from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.base import Payload
from sms_connector.api.services import Services


class Health(Payload):
    """There, and which connection this is."""

    status: Literal["ok"]
    connection: str


def get(services: Services, _call: ParsedRequest) -> Answer:
    return Answer(Health(status="ok", connection=services.profile.name))


ROUTES = (Route("GET", "/health", get, "Tell that the process answers", Health),)
