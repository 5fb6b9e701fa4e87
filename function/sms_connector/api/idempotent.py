"""Carry out a request with an Idempotency-Key once; a repetition gets the stored answer (sending.md section 2, rule
4)."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from sms_connector.api.routing import Answer, ParsedRequest
from sms_connector.api.services import Services
from sms_connector.errors import (
    BackendUnavailable,
    ErrorKind,
    FieldProblem,
    InvalidRequest,
    PreconditionFailed,
    RequestError,
    RetrySafety,
)
from sms_connector.sending.idempotency import Replay

T = TypeVar("T")

KEY_HEADER = "Idempotency-Key"
KEY_DESCRIPTION = "1 to 255 visible ASCII characters; kept 24 hours"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_UNSURE = (
    "ledger or queue became unavailable, and without an Idempotency-Key it is unknown how far the request came: "
    "check what exists before you repeat it, and repeat it with a key, so that it can be repeated safely"
)
_BROKEN_OFF = (
    "the first request with this idempotency key broke off before it was answered, and it can't be continued, "
    "because it would be refused by now ({refusal}). It may have sent messages: check GET /v1/messages and "
    "GET /v1/campaigns, which follow them to their final status, before you send the rest with a new key"
)


def read_key(call: ParsedRequest) -> str | None:
    """Read the Idempotency-Key. Raises InvalidRequest."""
    key = call.headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest(FieldProblem(KEY_HEADER, "must be 1 to 255 visible ASCII characters"))
    return key


def digest_upload(given: Mapping[str, Any], *headers: str | None, content: bytes) -> str:
    """Return the digest that a key stands for where the body is a file: of all that was sent, before a template fills
    it."""
    said = msgspec.json.encode((given, *headers), order="sorted")
    return hashlib.sha256(said + b"\0" + content).hexdigest()


def read_or_replay(services: Services, call: ParsedRequest, digest: str, read: Callable[[], T]) -> T | Answer:
    """Return what `read` makes of the request, or the stored answer of a request that was right when it first came.

    Time passes and templates change: a request that is refused now may repeat one that was carried out. Only a refusal
    costs a look-up. Raises PreconditionFailed where the first request broke off: it may have sent messages, and can't
    be continued.
    """
    try:
        return read()
    except InvalidRequest as refusal:
        key = call.headers.get(KEY_HEADER)
        found = services.engine.keys.find(key, digest) if key else None
        if found is None:
            raise
        if isinstance(found, Replay):
            return _replay(found)
        error = PreconditionFailed(_BROKEN_OFF.format(refusal=refusal), kind=ErrorKind.UNKNOWN_OUTCOME)
        error.retry = RetrySafety.UNKNOWN_OUTCOME
        raise error from None


@contextmanager
def unrepeatable_without_key(call: ParsedRequest) -> Iterator[None]:
    """Guard what makes messages: after a lost ledger or queue only a request with a key may be repeated safely."""
    try:
        yield
    except BackendUnavailable as error:
        if KEY_HEADER in call.headers:
            raise
        raise type(error)(_UNSURE, retry=RetrySafety.UNKNOWN_OUTCOME, retry_after=None) from error.__cause__


def run_or_replay(
    services: Services, key: str | None, digest: str, *, carry_out: Callable[[str], msgspec.Struct], status: int = 200
) -> Answer:
    """Return the answer of `carry_out(nonce)`, or the one it gave the first time. Without a key every time is the
    first.

    A request that it refuses (RequestError) has done nothing, and its key is free again. Any other error releases the
    key, so that a repetition continues the request.
    """
    if key is None:
        return Answer(msgspec.json.encode(carry_out(uuid.uuid4().hex)), status)
    keys = services.engine.keys
    begun = keys.begin(key, digest)
    if isinstance(begun, Replay):
        return _replay(begun)
    try:
        content = msgspec.json.encode(carry_out(begun.nonce))
    except RequestError:
        keys.abandon(begun)
        raise
    except BaseException:
        keys.release(begun)
        raise
    keys.finish(begun, content, status)
    return Answer(content, status)


def _replay(replay: Replay) -> Answer:
    return Answer(replay.answer, replay.status, {REPLAYED_HEADER: "true"})
