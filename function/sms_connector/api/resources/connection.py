"""`/v1/connection` and `/v1/limits`: describe, test, suspend and resume the connection."""

from __future__ import annotations

from sms_connector.api.routing import Answer, ParsedRequest, Route, command
from sms_connector.api.schemas import connection_info as payloads
from sms_connector.api.schemas.base import payload_of
from sms_connector.api.services import Services
from sms_connector.model.connection_status import ConnectionState


def get(services: Services, _call: ParsedRequest) -> Answer:
    return _describe(services)


def test(services: Services, call: ParsedRequest) -> Answer:
    """Query the provider, without sending; its answer is data. An alert watches the log line."""
    tested = services.engine.connection.test()
    if tested.state is ConnectionState.ACTIVE:
        call.log.info("connection test", state=str(tested.state), latencyMillis=tested.latency_millis)
    else:
        call.log.warning("connection test", state=str(tested.state), latencyMillis=tested.latency_millis)
    return Answer(payload_of(payloads.TestAnswer, tested))


def suspend(services: Services, call: ParsedRequest) -> Answer:
    body: payloads.SuspendBody = call.body
    services.engine.connection.suspend(body.reason or None)
    call.log.info("connection suspended")
    return _describe(services)


def resume(services: Services, call: ParsedRequest) -> Answer:
    services.engine.connection.resume()
    services.engine.campaigns.release()
    call.log.info("connection resumed")
    return _describe(services)


def limits(services: Services, _call: ParsedRequest) -> Answer:
    return Answer(payloads.write_limits(services.engine.connection.limits()))


def _describe(services: Services) -> Answer:
    suspension = services.engine.connection.suspended()
    return Answer(payloads.write_connection(services.profile, services.capabilities, suspension))


ROUTES = (
    Route("GET", "/v1/connection", get, "Describe the connection", payloads.ConnectionInfo),
    command(
        "/v1/connection:test", test, "Test the connection to the provider", payloads.TestAnswer, errors=(429, 502, 504)
    ),
    command(
        "/v1/connection:suspend",
        suspend,
        "Suspend the connection: send nothing until it is resumed",
        payloads.ConnectionInfo,
        body=payloads.SuspendBody,
    ),
    command("/v1/connection:resume", resume, "Resume the connection", payloads.ConnectionInfo, errors=(422,)),
    Route("GET", "/v1/limits", limits, "Show the limits and what is left of them", payloads.LimitsAnswer),
)
