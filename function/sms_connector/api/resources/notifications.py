"""`/v1/callbacks`: notifications to callers' callback URLs, delivered or not."""

from __future__ import annotations

from functools import partial

from sms_connector.api.paging import read_page
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import notification as payloads
from sms_connector.api.schemas.base import payload_of, value_or
from sms_connector.api.services import Services


def list_callbacks(services: Services, call: ParsedRequest) -> Answer:
    """List notifications to callback URLs, newest first."""
    state = value_or(call.query.state, None)
    found, token = read_page(call, partial(services.notifications.list, state=state), "callbacks", state)
    return Answer(payloads.CallbackList([payload_of(payloads.CallbackInfo, each) for each in found], token))


def replay_callback(services: Services, call: ParsedRequest) -> Answer:
    """Post a notification again, whatever its state."""
    return Answer(payload_of(payloads.CallbackInfo, services.notifications.replay(call.path["callback_id"])))


ROUTES = (
    Route("GET", "/v1/callbacks", list_callbacks, payloads.CallbackList, query=payloads.CallbackQuery),
    Route("POST", "/v1/callbacks/{callback_id}:replay", replay_callback, payloads.CallbackInfo, errors=(404,)),
)
