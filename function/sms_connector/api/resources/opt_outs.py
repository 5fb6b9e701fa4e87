"""`/v1/optOuts` and `/v1/inboundMessages`."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from sms_connector.api.paging import read_page
from sms_connector.api.problem_list import reading
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import opt_out as payloads
from sms_connector.api.schemas.base import Nothing, PageQuery, ReasonBody, payload_of
from sms_connector.api.schemas.opt_out import OptOutImport, OptOutImportAnswer, OptOutImportBody, OptOutImportQuery
from sms_connector.api.schemas.request_body import refuse_query
from sms_connector.api.services import Services
from sms_connector.api.uploads.content import Located
from sms_connector.api.uploads.record_stream import read_opt_outs, read_upload
from sms_connector.api.uploads.text import FORMS
from sms_connector.api.validation.drafts import read_country
from sms_connector.api.validation.message_filter import decode_plus
from sms_connector.errors import InvalidRequest, NotFound
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.phone_number import parse_recipient


def list_opt_outs(services: Services, call: ParsedRequest) -> Answer:
    """List opt-outs, newest first."""
    found, token = read_page(call, services.engine.opt_outs.list, "optOuts")
    return Answer(payloads.OptOutList([payloads.write_opt_out(opt_out) for opt_out in found], token))


def get_opt_out(services: Services, call: ParsedRequest) -> Answer:
    """Look up an opt-out."""
    opt_out = services.engine.opt_outs.get(_number(services, call))
    if opt_out is None:
        raise _not_found()
    return Answer(payloads.write_opt_out_detail(opt_out))


def save_opt_out(services: Services, call: ParsedRequest) -> Answer:
    """Never write to this recipient again."""
    body: ReasonBody = call.body
    opt_out = services.engine.opt_outs.put(
        _number(services, call), "api", body.reason or None, caller=_caller(services, call)
    )
    return Answer(payloads.write_opt_out_detail(opt_out))


def delete_opt_out(services: Services, call: ParsedRequest) -> Answer:
    """Allow messages to this recipient again."""
    if not services.engine.opt_outs.delete(_number(services, call), caller=_caller(services, call)):
        raise _not_found()
    return Answer(Nothing())


def import_opt_outs(services: Services, call: ParsedRequest) -> Answer:
    """Add the opt-outs of a file, or of up to 10 000 records.

    Harmless to repeat: who has opted out already stays as they are.
    """
    said: OptOutImport = call.body or call.query
    country = read_country(said.default_country, services.profile.default_country)
    parse = partial(_parse_number, services, country=country)
    mapping = FieldMapping(said.column, ())
    try:
        numbers, problems = read_opt_outs(_read_rows(call, mapping), mapping, parse, reason=said.reason)
    except InvalidRequest as error:  # the reader of files knows the field by its place in a mapping
        found = [replace(each, field="column") if each.field == "mapping.to" else each for each in error.problems]
        raise InvalidRequest(*found) from None
    added = services.engine.opt_outs.put_all(numbers, "api", caller=_caller(services, call))
    return Answer(OptOutImportAnswer(sum(added), len(added) - sum(added), len(problems), problems))


def _read_rows(call: ParsedRequest, mapping: FieldMapping) -> Iterable[Located]:
    if call.body is None:
        return read_upload(call, mapping)
    refuse_query(call.given)
    return ((None, record) for record in call.body.records)


def list_inbound_messages(services: Services, call: ParsedRequest) -> Answer:
    """List inbound messages, newest first."""
    sender = _read_sender(services, call.query.sender)
    found, token = read_page(call, partial(services.engine.inbound.list, sender=sender), "inboundMessages", sender)
    return Answer(payloads.InboundList([payload_of(payloads.InboundInfo, message) for message in found], token))


def _read_sender(services: Services, text: str) -> str | None:
    """Return the sender to filter by: a number in any spelling, a short code, a name."""
    written = decode_plus(text)
    try:
        return parse_recipient(written, country=services.profile.default_country) if written else None
    except InvalidValueError:
        return written


def _number(services: Services, call: ParsedRequest) -> str:
    with reading("number"):
        return _parse_number(services, call.path["number"], country=services.profile.default_country)


def _parse_number(services: Services, text: str, *, country: str | None) -> str:
    """Read a recipient; a short code, or another address that the list shows, keeps consent too. Raises
    InvalidValueError."""
    try:
        return parse_recipient(text, country=country)
    except InvalidValueError:
        if _SHORT_CODE.fullmatch(text) or services.engine.opt_outs.get(text) is not None:
            return text
        raise


def _caller(services: Services, call: ParsedRequest) -> str | None:
    """Return the caller of the identity token. Only the platform has verified it; elsewhere there is none."""
    scheme, _, token = call.headers.get("Authorization", "").partition(" ")
    parts = token.split(".")
    if not services.profile.on_platform or scheme.lower() != "bearer" or len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError):
        return None
    who = claims.get("email") or claims.get("sub")
    return who[:200] if isinstance(who, str) else None


def _not_found() -> NotFound:
    return NotFound("this recipient has not opted out")


IMPORT_BODY_LIMIT = 4 * 1024 * 1024
_SHORT_CODE = re.compile(r"[1-9][0-9]{2,7}")
_ONE = "/v1/optOuts/{number}"

ROUTES = (
    Route("GET", "/v1/optOuts", list_opt_outs, payloads.OptOutList, query=PageQuery),
    Route(
        "POST",
        "/v1/optOuts:import",
        import_opt_outs,
        OptOutImportAnswer,
        body=OptOutImportBody,
        body_limit=IMPORT_BODY_LIMIT,
        files=tuple(FORMS),
        query=OptOutImportQuery,
    ),
    Route("GET", _ONE, get_opt_out, payloads.OptOutDetail, errors=(404,)),
    Route("PUT", _ONE, save_opt_out, payloads.OptOutDetail, body=ReasonBody),
    Route("DELETE", _ONE, delete_opt_out, Nothing, errors=(404,)),
    Route("GET", "/v1/inboundMessages", list_inbound_messages, payloads.InboundList, query=payloads.InboundQuery),
)
