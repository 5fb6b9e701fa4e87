"""`/v1/connection`, `/v1/senders` and `/v1/limits`: describe, test, suspend and resume the connection."""

from __future__ import annotations

from typing import Literal

from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import connection_info as payloads
from sms_connector.api.schemas.base import EmptyBody, ReasonBody, payload_of
from sms_connector.api.services import Services
from sms_connector.model.connection_status import ConnectionState


def get_connection(services: Services, _call: ParsedRequest) -> Answer:
    """Describe the connection."""
    suspension = services.engine.connection.suspended()
    return Answer(payloads.write_connection(services.profile, services.capabilities, suspension))


def test_connection(services: Services, call: ParsedRequest) -> Answer:
    """Test the connection to the provider.

    Nothing is sent; its answer is data. An alert watches the log line.
    """
    tested = services.engine.connection.test()
    if tested.state is ConnectionState.ACTIVE:
        call.log.info("connection test", state=str(tested.state), latencyMillis=tested.latency_millis)
    else:
        call.log.warning("connection test", state=str(tested.state), latencyMillis=tested.latency_millis)
    return Answer(payload_of(payloads.TestAnswer, tested))


def suspend_connection(services: Services, call: ParsedRequest) -> Answer:
    """Suspend the connection: send nothing until it is resumed."""
    body: ReasonBody = call.body
    services.engine.connection.suspend(body.reason or None)
    call.log.info("connection suspended")
    return get_connection(services, call)


def resume_connection(services: Services, call: ParsedRequest) -> Answer:
    """Resume the connection."""
    services.engine.connection.resume()
    services.engine.campaigns.release()
    call.log.info("connection resumed")
    return get_connection(services, call)


def list_callback_addresses(services: Services, _call: ParsedRequest) -> Answer:
    """List the addresses that the provider calls, and where each is entered there."""
    addresses, places = services.callbacks, services.callback_places
    kinds: tuple[Literal["status", "inbound"], ...] = ("status", "inbound")
    found = [
        payloads.CallbackAddressInfo(kind, addresses.of_kind(kind), places[kind])
        for kind in kinds
        if addresses is not None and kind in places
    ]
    return Answer(payloads.CallbackAddresses(found))


def list_senders(services: Services, _call: ParsedRequest) -> Answer:
    """List the senders, with what the provider can do for each."""
    return Answer(payloads.write_senders(services.profile, services.capabilities))


def get_limits(services: Services, _call: ParsedRequest) -> Answer:
    """Show the limits and what is left of them."""
    return Answer(payloads.write_limits(services.engine.connection.limits()))


ROUTES = (
    Route("GET", "/v1/connection", get_connection, payloads.ConnectionInfo),
    Route("POST", "/v1/connection:test", test_connection, payloads.TestAnswer, body=EmptyBody, errors=(429, 502, 504)),
    Route("POST", "/v1/connection:suspend", suspend_connection, payloads.ConnectionInfo, body=ReasonBody),
    Route("POST", "/v1/connection:resume", resume_connection, payloads.ConnectionInfo, body=EmptyBody, errors=(422,)),
    Route("GET", "/v1/connection/addresses", list_callback_addresses, payloads.CallbackAddresses),
    Route("GET", "/v1/senders", list_senders, payloads.SenderList),
    Route("GET", "/v1/limits", get_limits, payloads.LimitsAnswer),
)
