"""The rotator: rotations on demand, and by the notices that Secret Manager publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas.base import Body, Nothing, Payload, payload_of
from sms_connector.api.services import Services
from sms_connector.errors import UnsupportedOperation
from sms_connector.rotation import RotationProgress, Rotator, secret_of_notice

NOTICE_PATH = "/tasks/rotation"
# https://cloud.google.com/secret-manager/docs/event-notifications
DUE = "SECRET_ROTATE"


class RotateBody(Body):
    """What to rotate: the name of a secret, such as `auth-token`."""

    secret: Annotated[str, Meta(min_length=1, max_length=100)]
    dry_run: Annotated[bool, Meta(description="true: tell where it stands and what would be done, and do nothing.")] = (
        False
    )


class RotationInfo(Payload):
    """How far a rotation is. It goes on with the next request or notice."""

    secrets: list[str]
    stages: list[str]
    stage: Annotated[str, Meta(description="The one under way.")]
    state: Literal["PLANNED", "WAITING", "DONE"]
    retry_after_seconds: Annotated[float, Meta(description="When to ask again; 0 when done.")]


class _Message(msgspec.Struct, rename="camel"):
    attributes: dict[str, str] = {}
    publish_time: str = ""


class Notice(msgspec.Struct):
    """A push of Pub/Sub's (https://cloud.google.com/pubsub/docs/push#receive_push)."""

    message: _Message


def rotation_routes(rotator: Rotator, connection: str, read_time: Callable[[str], float]) -> tuple[Route, ...]:
    """Return the routes of the rotator. `read_time` reads an RFC 3339 time as epoch seconds."""

    def on_demand(_services: Services, call: ParsedRequest) -> Answer:
        body: RotateBody = call.body
        if body.dry_run:
            return Answer(_write(rotator.plan(body.secret), "PLANNED"))
        return Answer(_write(rotator.rotate(body.secret), "WAITING"))

    def by_notice(services: Services, call: ParsedRequest) -> Answer:
        message: _Message = call.body.message
        secret = secret_of_notice(message.attributes.get("secretId", ""), connection)
        if message.attributes.get("eventType") != DUE or secret is None:
            return Answer(Nothing())
        try:
            progress = rotator.rotate(secret, notice_at=read_time(message.publish_time))
        except UnsupportedOperation as by_hand:
            services.log.warning("rotation_due", rotation=secret, steps=str(by_hand))
            return Answer(Nothing())
        services.log.info("rotation_done" if progress.done else "rotation_waits", rotation=secret, stage=progress.stage)
        if progress.done:
            return Answer(Nothing())
        # Pub/Sub delivers the notice again, later each time, until it is taken.
        return Answer(Nothing(), 503, {"Retry-After": str(round(progress.retry_after) + 1)})

    return (
        Route("POST", "/v1/rotations:run", on_demand, RotationInfo, body=RotateBody),
        Route("POST", NOTICE_PATH, by_notice, Nothing, body=Notice),
    )


def _write(progress: RotationProgress, otherwise: Literal["PLANNED", "WAITING"]) -> RotationInfo:
    state = "DONE" if progress.done else otherwise
    return payload_of(RotationInfo, progress, state=state, retry_after_seconds=progress.retry_after)
