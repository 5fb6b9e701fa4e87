"""A provider's request on its way through the queue, as it came."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime

import msgspec

from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.typed import convert
from sms_connector.ports import Json, Task
from sms_connector.provider import CallbackKind, RawCallback

PATH = "/tasks/callback"


# A body beyond this is compressed: a signature over many reports can be checked over all of them only.
PLAIN_BYTES = 32 * 1024
MOST_BYTES = 2 * 1024 * 1024


class _Payload(msgspec.Struct, rename="camel", omit_defaults=True):
    """The task as JSON. A body that is shorter as text is text, readable in the queue; a long one is compressed."""

    kind: CallbackKind
    method: str
    url: str
    headers: dict[str, str]
    received_at: float
    body: str = ""
    body_base64: str = ""
    body_deflated: str = ""
    tries: int = 0


class CallbackEvent(msgspec.Struct, frozen=True):
    """`tries` counts how often its message was not known (yet)."""

    kind: CallbackKind
    callback: RawCallback
    tries: int = 0

    def to_task(self, *, not_before: float | None = None) -> Task:
        callback = self.callback
        text, encoded, deflated = _write_body(callback.body)
        payload = _Payload(
            kind=self.kind,
            method=callback.method,
            url=callback.url,
            headers=dict(callback.headers),
            received_at=callback.received_at.timestamp(),
            body=text,
            body_base64=encoded,
            body_deflated=deflated,
            tries=self.tries,
        )
        content: Json = msgspec.to_builtins(payload)
        return Task("events", PATH, content, not_before=not_before)

    @classmethod
    def of(cls, payload: Json) -> CallbackEvent:
        """Raises InvalidRequest for what `to_task` never made."""
        try:
            read = convert(payload, _Payload)
            body = _read_body(read)
            received_at = datetime.fromtimestamp(read.received_at, UTC)
        except (msgspec.ValidationError, Base64Error, UnicodeEncodeError, OverflowError, OSError, zlib.error) as error:
            raise InvalidRequest(
                FieldProblem("", f"not a callback that the webhook enqueued: {type(error).__name__}")
            ) from None
        return cls(read.kind, RawCallback(read.method, read.url, read.headers, body, received_at), read.tries)


def _write_body(body: bytes) -> tuple[str, str, str]:
    """Return the body as text, or in base64 if that is shorter or it is not text, or compressed."""
    if len(body) > PLAIN_BYTES:
        return "", "", b64encode(zlib.compress(body)).decode()
    encoded = b64encode(body).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "", encoded, ""
    return (text, "", "") if len(msgspec.json.encode(text)) <= len(encoded) + 2 else ("", encoded, "")


def _read_body(payload: _Payload) -> bytes:
    if payload.body_deflated:
        return zlib.decompressobj().decompress(b64decode(payload.body_deflated, validate=True), MOST_BYTES)
    return b64decode(payload.body_base64, validate=True) if payload.body_base64 else payload.body.encode()
