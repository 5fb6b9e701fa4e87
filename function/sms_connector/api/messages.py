"""`/v1/messages`: send, preview, look up, list, cancel, redact."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from sms_connector.api import body as json_body
from sms_connector.api.conversion import convert
from sms_connector.api.once import KEY_DESCRIPTION, KEY_HEADER, answer_once, read_key, unrepeatable_without_key
from sms_connector.api.paging import read_token, write_token
from sms_connector.api.payloads import drafts as draft_payloads
from sms_connector.api.payloads import message as payloads
from sms_connector.api.payloads.connection import EmptyBody
from sms_connector.api.payloads.filter import read_filter
from sms_connector.api.payloads.options import read_options
from sms_connector.api.payloads.preview import write_preview
from sms_connector.api.payloads.send import PreviewAnswer, PreviewBody, SendBody
from sms_connector.api.request_rules import option_rules, recipient_rules
from sms_connector.api.route import Answer, Call, Route, Services
from sms_connector.api.templates import fill
from sms_connector.errors import FieldProblem, InvalidRequest, Kind, NotFound
from sms_connector.messaging.record import MessageRecord
from sms_connector.messaging.requests import Draft, SendOptions, SendRequest

T = TypeVar("T")

SEND_BODY_LIMIT = 10 * 1024 * 1024
_PREVIEWED = PreviewBody.__struct_encode_fields__
_MESSAGE_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,64}")


def send(services: Services, call: Call) -> Answer:
    """Every record has its own outcome; the answer is 200 once the request itself is right."""
    document, template = fill(services, call.document)
    body = call.body if template is None else convert(document, SendBody)
    drafts, refused, options, key = _read_send(services, call, body)
    options = replace(options, template=template)
    results = [
        payloads.name_record(payloads.write_refused(each.index, each.to, each.problems[0]), each) for each in refused
    ]
    if body.dry_run:
        results += payloads.write_dry_results(drafts, template)
        return Answer(payloads.write_answer(results, request_id=call.request_id, dry_run=True))
    if key is None:
        results += _send_drafts(services, call, drafts, options=options, nonce=uuid.uuid4().hex)
        return Answer(payloads.write_answer(results, request_id=call.request_id))

    def carry_out(nonce: str) -> payloads.SendAnswer:
        sent = _send_drafts(services, call, drafts, options=options, nonce=nonce)
        return payloads.write_answer([*results, *sent], request_id=call.request_id)

    return answer_once(services, key, json_body.digest(call.document), carry_out=carry_out)


def _send_drafts(
    services: Services, call: Call, drafts: list[Draft], *, options: SendOptions, nonce: str
) -> list[payloads.SendResult]:
    if not drafts:
        return []
    services.engine.connection.require_active()
    with unrepeatable_without_key(call):
        records = services.engine.sender.send(SendRequest(drafts, options, nonce, call.request_id))
    # A replayed one is the first one's message; it is told by what this request calls it.
    return [payloads.name_record(*pair) for pair in zip(payloads.write_results(records), drafts, strict=True)]


def _read_send(
    services: Services, call: Call, body: SendBody
) -> tuple[list[Draft], list[draft_payloads.Refused], SendOptions, str | None]:
    """All that is wrong with the request at once: nothing is sent and nothing kept of a request that is refused here."""
    problems: list[FieldProblem] = []
    key = _collect(problems, lambda: read_key(call))
    options = _collect(problems, lambda: read_options(body, option_rules(services)))
    read = _collect(
        problems,
        lambda: draft_payloads.read_drafts(
            body, recipient_rules(services, body.default_country, has_media=bool(body.media_urls))
        ),
    )
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


def preview(services: Services, call: Call) -> Answer:
    """What would be sent; whatever is wrong with a record is told with it."""
    document, template = fill(services, call.document)
    known = {name: document[name] for name in _PREVIEWED if name in document}
    body = call.body if template is None else convert(known, PreviewBody)
    rules = recipient_rules(services, body.default_country, has_media=True)
    return Answer(write_preview(body, rules, template=template))


def get(services: Services, call: Call) -> Answer:
    message_id = _message_id(call)
    try:
        record = services.engine.messages.get(message_id)
    except NotFound:
        waiting = services.engine.results.waiting(message_id)
        if waiting is None:
            raise
        record = waiting
    return Answer(payloads.write_message(record))


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
        headers={KEY_HEADER: KEY_DESCRIPTION},
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
