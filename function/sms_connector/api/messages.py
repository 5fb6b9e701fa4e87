"""`/v1/messages`: send, preview, look up, list, cancel, redact."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sms_connector.api import body as json_body
from sms_connector.api.paging import read_token, write_token
from sms_connector.api.payloads import drafts as draft_payloads
from sms_connector.api.payloads import message as payloads
from sms_connector.api.payloads.connection import EmptyBody
from sms_connector.api.payloads.filter import read_filter
from sms_connector.api.payloads.options import OptionRules, read_options
from sms_connector.api.payloads.preview import write_preview
from sms_connector.api.payloads.send import MAX_TEXT, PreviewAnswer, PreviewBody, SendBody
from sms_connector.api.route import Answer, Call, Route, Services
from sms_connector.errors import FieldProblem, InvalidRequest, Kind, NotFound, RequestError
from sms_connector.messaging.requests import Draft, SendOptions, SendRequest, Tracking
from sms_connector.model.phone_number import region_of

if TYPE_CHECKING:
    from sms_connector.messaging.record import MessageRecord

T = TypeVar("T")

SEND_BODY_LIMIT = 10 * 1024 * 1024
KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MESSAGE_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,64}")


def send(services: Services, call: Call) -> Answer:
    """Every record has its own outcome; the answer is 200 once the request itself is right."""
    body: SendBody = call.body
    drafts, refused, options, key = _read_send(services, call)
    results = [payloads.write_refused(each.index, each.to, each.problems[0]) for each in refused]
    if body.dry_run:
        results += payloads.write_dry_results(drafts)
        return Answer(payloads.write_answer(results, request_id=call.request_id, dry_run=True))
    if key is None:
        results += _send_drafts(services, call, drafts, options, uuid.uuid4().hex)
        return Answer(payloads.write_answer(results, request_id=call.request_id))
    return _send_with_key(services, call, drafts, options, results, key=key)


def _send_with_key(
    services: Services,
    call: Call,
    drafts: list[Draft],
    options: SendOptions,
    results: list[payloads.SendResult],
    *,
    key: str,
) -> Answer:
    from sms_connector.messaging.idempotency import Replay

    keys = services.engine.keys
    begun = keys.begin(key, json_body.digest(call.document))
    if isinstance(begun, Replay):
        return Answer(begun.answer, begun.status, {REPLAYED_HEADER: "true"})
    settled = False
    try:
        results += _send_drafts(services, call, drafts, options, begun.nonce)
        answer = msgspec.json.encode(payloads.write_answer(results, request_id=call.request_id))
        settled = True
    except RequestError:
        settled = True
        keys.abandon(begun)  # refused before anything was sent
        raise
    finally:
        if not settled:
            keys.release(begun)
    keys.finish(begun, answer, 200)
    return Answer(answer)


def _send_drafts(
    services: Services, call: Call, drafts: list[Draft], options: SendOptions, nonce: str
) -> list[payloads.SendResult]:
    if not drafts:
        return []
    services.engine.connection.require_active()
    records = services.engine.sender.send(SendRequest(drafts, options, nonce, call.request_id))
    return payloads.write_results(records)


def _read_send(
    services: Services, call: Call
) -> tuple[list[Draft], list[draft_payloads.Refused], SendOptions, str | None]:
    """All that is wrong with the request at once: nothing is sent and nothing kept of a request that is refused here."""
    body: SendBody = call.body
    problems: list[FieldProblem] = []
    key = _collect(problems, lambda: _read_key(call))
    options = _collect(problems, lambda: read_options(body, _option_rules(services)))
    read = _collect(problems, lambda: draft_payloads.read_drafts(body, _recipient_rules(services, body)))
    drafts, refused = read or ([], [])
    if body.on_invalid == "refuse":
        problems += [problem for each in refused for problem in each.problems]
    if problems or options is None:
        raise InvalidRequest(*problems)
    return drafts, refused, options, key


def _collect(problems: list[FieldProblem], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except InvalidRequest as error:
        problems += error.problems
        return None


def _read_key(call: Call) -> str | None:
    key = call.headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest(FieldProblem(KEY_HEADER, "must be 1 to 255 visible ASCII characters"))
    return key


def _recipient_rules(services: Services, body: SendBody | PreviewBody) -> draft_payloads.RecipientRules:
    """Where a national number is probably from: where the default sender is."""
    sender, capabilities = services.profile.sender, services.capabilities
    return draft_payloads.RecipientRules(
        channels=capabilities.channels,
        region=region_of(sender.address) if sender else None,
        text_limit=min(MAX_TEXT, capabilities.text_limit),
        needs_text=not getattr(body, "media_urls", ()),
    )


def _option_rules(services: Services) -> OptionRules:
    profile = services.profile
    return OptionRules(
        capabilities=services.capabilities,
        sender=profile.sender,
        tracking=Tracking(profile.retry_interval_millis / 1000, profile.retry_attempts),
        now=services.now(),
        http_to_loopback=not profile.on_platform,
        callback_url=profile.callback_url,
    )


def preview(services: Services, call: Call) -> Answer:
    """What would be sent; whatever is wrong with a record is told with it."""
    body: PreviewBody = call.body
    return Answer(write_preview(body, replace(_recipient_rules(services, body), needs_text=False)))


def get(services: Services, call: Call) -> Answer:
    return Answer(payloads.write_message(services.engine.messages.get(_message_id(call))))


def list_messages(services: Services, call: Call) -> Answer:
    query: payloads.MessageQuery = call.query
    wanted = read_filter(query)
    after = read_token(query.page_token, "messages", wanted)
    found, cursor = services.engine.messages.list(wanted, limit=query.page_size, after=after)
    messages = [payloads.write_message(record, history=False) for record in found]
    token = write_token(cursor, "messages", wanted)
    return Answer(payloads.MessageList(messages=messages, next_page_token=token))


def cancel(services: Services, call: Call) -> Answer:
    return _change(services.engine.messages.cancel, call)


def redact(services: Services, call: Call) -> Answer:
    return _change(services.engine.messages.redact, call)


def _change(change: Callable[[str], MessageRecord], call: Call) -> Answer:
    return Answer(payloads.write_message(change(_message_id(call))))


def _message_id(call: Call) -> str:
    """An id that can't be ours is not looked for: stores have their own ideas of what an id may be."""
    message_id = call.path["message_id"]
    if not _MESSAGE_ID.fullmatch(message_id):
        raise NotFound(f"there is no message {message_id[:80]!r}; ids begin with msg_", kind=Kind.NOT_FOUND)
    return message_id


_CHANGE_ERRORS = (403, 404, 422, 429, 502, 504)

ROUTES = (
    Route(
        "POST",
        "/v1/messages:send",
        send,
        "Send one message, or up to 1 000 records",
        payloads.SendAnswer,
        body=SendBody,
        body_limit=SEND_BODY_LIMIT,
        errors=(403, 409, 422, 429, 502, 504),
        headers={KEY_HEADER: "1 to 255 visible ASCII characters; kept 24 hours"},
    ),
    Route(
        "POST",
        "/v1/messages:preview",
        preview,
        "Render and measure a text without sending it",
        PreviewAnswer,
        body=PreviewBody,
        body_limit=SEND_BODY_LIMIT,
    ),
    Route(
        "GET",
        "/v1/messages",
        list_messages,
        "List messages, newest first",
        payloads.MessageList,
        query=payloads.MessageQuery,
    ),
    Route(
        "GET", "/v1/messages/<id:message_id>", get, "Look up a message", payloads.Message, errors=(404, 429, 502, 504)
    ),
    Route(
        "POST",
        "/v1/messages/<id:message_id>:cancel",
        cancel,
        "Take back a message that was not sent yet",
        payloads.Message,
        body=EmptyBody,
        body_required=False,
        errors=_CHANGE_ERRORS,
    ),
    Route(
        "POST",
        "/v1/messages/<id:message_id>:redact",
        redact,
        "Have the provider forget the text of a message",
        payloads.Message,
        body=EmptyBody,
        body_required=False,
        errors=_CHANGE_ERRORS,
    ),
)
