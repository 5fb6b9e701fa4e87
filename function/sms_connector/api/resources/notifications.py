"""`/v1/callbacks`: notifications to callers' callback URLs, delivered or not."""

from __future__ import annotations

from msgspec import UNSET

from sms_connector.api.paging import read_token, write_token
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import notification as payloads
from sms_connector.api.schemas.base import payload_of
from sms_connector.api.services import Services


def list_callbacks(services: Services, call: ParsedRequest) -> Answer:
    """List notifications to callback URLs, newest first."""
    query: payloads.CallbackQuery = call.query
    state = None if query.state is UNSET else query.state
    after = read_token(query.page_token, "callbacks", state)
    found, cursor = services.notifications.list(limit=query.page_size, after=after, state=state)
    token = write_token(cursor, "callbacks", state)
    return Answer(
        payloads.CallbackList(
            callbacks=[payload_of(payloads.CallbackInfo, each) for each in found], next_page_token=token
        )
    )


def replay_callback(services: Services, call: ParsedRequest) -> Answer:
    """Post a notification again, whatever its state."""
    return Answer(payload_of(payloads.CallbackInfo, services.notifications.replay(call.path["callback_id"])))


ROUTES = (
    Route("GET", "/v1/callbacks", list_callbacks, payloads.CallbackList, query=payloads.CallbackQuery),
    Route("POST", "/v1/callbacks/{callback_id}:replay", replay_callback, payloads.CallbackInfo, errors=(404,)),
)
