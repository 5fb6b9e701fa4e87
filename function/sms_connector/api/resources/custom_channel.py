"""`/v1/customChannel`: this connector as a custom channel of Customer Insights - Journeys.

Journeys calls its plug-in again when 20 seconds have passed, while the first run may still be working. The key makes
that harmless: the second run gets the outcome of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
from msgspec import UNSET

from sms_connector.api import body as json_body
from sms_connector.api.idempotent import run_or_replay
from sms_connector.api.resources.messages import read_request, write_text_request
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.custom_channel import CustomChannelAnswer, CustomChannelBody, write_details
from sms_connector.api.services import Services
from sms_connector.errors import ErrorKind, InvalidRequest, OutcomeUnknown
from sms_connector.model.send_request import SendRequest
from sms_connector.model.status import MessageStatus

LIMIT_SECONDS = 18.0
_decoder = msgspec.json.Decoder(CustomChannelAnswer)


def routes(limit_seconds: float = LIMIT_SECONDS) -> tuple[Route, ...]:
    """Return the route. `limit_seconds` is how long an outcome is waited for."""

    def send_custom_channel(services: Services, call: ParsedRequest) -> Answer:
        """Send a message of Journeys' custom channel, once for each IdempotencyId."""
        body: CustomChannelBody = call.body
        key = body.request_id if body.idempotency_id is UNSET else body.idempotency_id
        digest = json_body.digest({"from": body.from_, "to": body.to, "text": body.message.text})
        carry_out = partial(_send, services, call, body)
        # A caller's own key has no space.
        work = partial(run_or_replay, services, f"journeys {key}", digest, carry_out=carry_out)
        answer = _within(limit_seconds, work)
        stored = _decoder.decode(answer.encoded())
        stored.request_id, stored.channel_definition_id = body.request_id, body.channel_definition_id
        return Answer(stored, answer.status, answer.headers)

    return (
        Route(
            "POST",
            "/v1/customChannel:send",
            send_custom_channel,
            CustomChannelAnswer,
            body=CustomChannelBody,
            errors=(409, 422, 429, 502, 504),
        ),
    )


def _within(seconds: float, work: Callable[[], Answer]) -> Answer:
    """Return the result of the work. It goes on when the time is up, and its key keeps the outcome."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="custom-channel")
    try:
        return thread.submit(work).result(seconds)
    except TimeoutError:
        raise OutcomeUnknown(
            f"the outcome is not known after {seconds:g} s; ask again with the same IdempotencyId",
            kind=ErrorKind.TIMEOUT,
        ) from None
    finally:
        thread.shutdown(wait=False)


def _send(services: Services, call: ParsedRequest, body: CustomChannelBody, nonce: str) -> CustomChannelAnswer:
    answer = partial(CustomChannelAnswer, body.channel_definition_id, body.request_id)
    record = {"to": body.to, "reference": body.request_id}
    document = write_text_request(body.message.text, record, **({"sender": body.from_} if body.from_ else {}))
    try:
        order = read_request(services, document)
    except InvalidRequest as refused:
        problem = refused.problems[0]
        return answer(None, "NotSent", write_details(problem.kind, problem.message))
    services.engine.connection.require_active()
    options = msgspec.structs.replace(order.options, channel=body.channel_definition_id or services.profile.name)
    [sent] = services.engine.sender.send(SendRequest(order.read.drafts, options, nonce, call.request_id))
    if sent.status is MessageStatus.UNKNOWN:
        raise OutcomeUnknown(
            "whether the provider took the message is not known yet; ask again with the same IdempotencyId",
            kind=ErrorKind.TIMEOUT,
        )
    if sent.status is MessageStatus.ERROR and sent.failure is not None:
        return answer(sent.id, "NotSent", write_details(sent.failure.kind, sent.failure.message))
    return answer(sent.id, "Sent")


ROUTES = routes()
