"""`/v1/messages`: send, preview, look up, list, cancel, redact."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sms_connector.api import body as json_body
from sms_connector.api.idempotent import (
    KEY_DESCRIPTION,
    KEY_HEADER,
    digest_upload,
    read_key,
    read_or_replay,
    run_or_replay,
    unrepeatable_without_key,
)
from sms_connector.api.paging import read_page
from sms_connector.api.problem_list import Problems
from sms_connector.api.resources.templates import fill
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import message as payloads
from sms_connector.api.schemas.base import EmptyBody
from sms_connector.api.schemas.conversion import convert
from sms_connector.api.schemas.request_body import PreviewBody, SendBody, SendQuery, read_query, refuse_query
from sms_connector.api.services import Services
from sms_connector.api.uploads.record_stream import read_upload
from sms_connector.api.uploads.text import FORMS
from sms_connector.api.validation.drafts import Drafts, ReadFile, read_drafts
from sms_connector.api.validation.message_filter import read_filter
from sms_connector.api.validation.options import find_senders, read_options, recipient_rules
from sms_connector.api.validation.preview import write_preview
from sms_connector.errors import ErrorKind, NotFound
from sms_connector.model.send_request import Draft, SendOptions, SendRequest
from sms_connector.ports import Json
from sms_connector.sending.idempotency import RETRY_AFTER_SECONDS
from sms_connector.store.message_record import MessageRecord

PREVIEWED_RECORDS = 100
SEND_BODY_LIMIT = 10 * 1024 * 1024
SEND_FIELDS = SendBody.__struct_encode_fields__


class Ordered(NamedTuple):
    """A request that was read and checked."""

    read: Drafts
    options: SendOptions
    dry_run: bool
    key: str | None


def send_messages(services: Services, call: ParsedRequest) -> Answer:
    """Send one message, or up to 1 000 records.

    Each record has its own outcome; a valid request is answered 200.
    """
    digest = _digest(call)
    order = read_or_replay(services, call, digest, lambda: _read_send(services, call))
    if isinstance(order, Answer):
        return order
    drafts, notes, template = order.read.drafts, order.read.notes, order.options.template
    results = [payloads.write_refused(each, each.problems[0]) for each in order.read.refused]
    if order.dry_run:
        results += [payloads.write_dry_result(draft, template) for draft in drafts]
        return Answer(payloads.write_answer(results, request_id=call.request_id, notes=notes, dry_run=True))

    def carry_out(nonce: str) -> payloads.SendAnswer:
        sent = _send_drafts(services, call, drafts, options=order.options, nonce=nonce)
        return payloads.write_answer([*results, *sent], request_id=call.request_id, notes=notes)

    if order.key is None:
        answer = carry_out(uuid.uuid4().hex)
        return Answer(answer, headers=_retry_after(answer.results))
    return run_or_replay(services, order.key, digest, carry_out=carry_out)


def _retry_after(results: Sequence[payloads.SendResult]) -> dict[str, str]:
    """Return Retry-After if another request works on a record's key."""
    waits = any(result.error and result.error.kind is ErrorKind.IN_PROGRESS for result in results)
    return {"Retry-After": f"{RETRY_AFTER_SECONDS:.0f}"} if waits else {}


def _send_drafts(
    services: Services, call: ParsedRequest, drafts: list[Draft], *, options: SendOptions, nonce: str
) -> list[payloads.SendResult]:
    if not drafts:
        return []
    services.engine.connection.require_active()
    with unrepeatable_without_key(call):
        records = services.engine.sender.send(SendRequest(drafts, options, nonce, call.request_id))
    return list(map(payloads.write_result, records, drafts))


def _read_send(services: Services, call: ParsedRequest) -> Ordered:
    """Read and check the request. Raises InvalidRequest with all problems; nothing is sent or kept then."""
    body, template, read_file = _read_body(services, call)
    problems, key = Problems(), None
    with problems.collect():
        key = read_key(call)
    return _check_send(services, body, problems, template=template, read_file=read_file, key=key)


def read_request(services: Services, document: Json) -> Ordered:
    """Check a request that another resource makes. Raises InvalidRequest."""
    return _check_send(services, convert(document, SendBody), Problems())


def write_text_request(text: str, record: Json, **fields: Any) -> Json:
    """Return a request for a text as it is: it is a value of the record, so that `<name>` in it is no placeholder."""
    return {"message": "<text>", "records": [{**record, "text": text}], **fields}


def _check_send(
    services: Services,
    body: SendBody,
    problems: Problems,
    *,
    template: str | None = None,
    read_file: ReadFile | None = None,
    key: str | None = None,
) -> Ordered:
    options, senders = read_options(body, services, problems, template=template)
    with problems.collect():
        read = read_drafts(body, recipient_rules(body, services, senders), read_file)
        for refused in read.refused if body.on_invalid == "refuse" else ():
            skipped = body.duplicates == "skip" and refused.problems[0].kind is ErrorKind.DUPLICATE
            problems += () if skipped else refused.problems
    problems.refuse()
    return Ordered(read, options, body.dry_run, key)


def _digest(call: ParsedRequest) -> str:
    """Return the digest that the Idempotency-Key stands for: of all that was sent, before a template fills it."""
    if call.body is not None:
        return json_body.digest(call.document)
    return digest_upload(call.given, call.headers.get("Content-Type"), content=call.stream.read())


def _read_body(
    services: Services, call: ParsedRequest, *, fields: tuple[str, ...] = SEND_FIELDS, most: int | None = None
) -> tuple[SendBody, str | None, ReadFile | None]:
    """Return the fields, the name of their template, and the reader of a file's records, at most `most` of them."""
    is_file = call.body is None
    if not is_file:
        refuse_query(call.given)
    document = read_query(call.given) if is_file else call.document
    document, template = fill(services, document, file=is_file)
    body = convert({name: document[name] for name in fields if name in document}, SendBody)
    return body, template, (lambda mapping: islice(read_upload(call, mapping), most)) if is_file else None


def preview_messages(services: Services, call: ParsedRequest) -> Answer:
    """Render and measure a text without sending it.

    Each record is answered with its problems; of a file the first hundred.
    """
    fields = PreviewBody.__struct_encode_fields__
    body, template, read_file = _read_body(services, call, fields=fields, most=PREVIEWED_RECORDS)
    rules = recipient_rules(body, services, find_senders(body, services), preview=True)
    return Answer(write_preview(body, rules, template=template, read_file=read_file))


def get_message(services: Services, call: ParsedRequest) -> Answer:
    """Look up a message."""
    message_id = call.path["message_id"]
    try:
        record = services.engine.messages.get(message_id)
    except NotFound:
        waiting = services.engine.results.waiting(message_id)
        if waiting is None:
            raise
        record = waiting
    return Answer(payloads.write_message(record))


def list_messages(services: Services, call: ParsedRequest) -> Answer:
    """List messages, newest first."""
    wanted = read_filter(call.query, services.profile.default_country)
    found, token = read_page(call, partial(services.engine.messages.list, wanted), "messages", wanted)
    messages = [payloads.write_message(record, history=False) for record in found]
    return Answer(payloads.MessageList(messages, token))


def cancel_message(services: Services, call: ParsedRequest) -> Answer:
    """Cancel a message that was not sent yet."""
    return _change(services.engine.messages.cancel, call)


def redact_message(services: Services, call: ParsedRequest) -> Answer:
    """Redact the text of a message at the provider."""
    return _change(services.engine.messages.redact, call)


def _change(change: Callable[[str], MessageRecord], call: ParsedRequest) -> Answer:
    return Answer(payloads.write_message(change(call.path["message_id"])))


_ONE = "/v1/messages/{message_id}"
_CHANGE_ERRORS = (403, 404, 422, 429, 502, 504)

ROUTES = (
    Route(
        "POST",
        "/v1/messages:send",
        send_messages,
        payloads.SendAnswer,
        body=SendBody,
        body_limit=SEND_BODY_LIMIT,
        files=tuple(FORMS),
        query=SendQuery,
        errors=(403, 409, 422, 429, 502, 504),
        headers={KEY_HEADER: KEY_DESCRIPTION},
    ),
    Route(
        "POST",
        "/v1/messages:preview",
        preview_messages,
        payloads.PreviewAnswer,
        body=PreviewBody,
        body_limit=SEND_BODY_LIMIT,
        files=tuple(FORMS),
        query=SendQuery,
    ),
    Route("GET", "/v1/messages", list_messages, payloads.MessageList, query=payloads.MessageQuery),
    Route("GET", _ONE, get_message, payloads.Message, errors=(404, 429, 502, 504)),
    Route("POST", f"{_ONE}:cancel", cancel_message, payloads.Message, body=EmptyBody, errors=_CHANGE_ERRORS),
    Route("POST", f"{_ONE}:redact", redact_message, payloads.Message, body=EmptyBody, errors=_CHANGE_ERRORS),
)
