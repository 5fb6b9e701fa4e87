"""`/v1/optOuts` and `/v1/inboundMessages`: who is not written to, and what came in."""

from __future__ import annotations

from msgspec.structs import replace

from sms_connector.api.paging import read_token, write_token
from sms_connector.api.payloads import consent as payloads
from sms_connector.api.payloads.filter import read_address
from sms_connector.api.route import Answer, Call, Route, Services
from sms_connector.errors import FieldProblem, InvalidRequest, Kind, NotFound
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.phone_number import parse_recipient


def list_opt_outs(services: Services, call: Call) -> Answer:
    query: payloads.PageQuery = call.query
    after = read_token(query.page_token, "optOuts")
    found, cursor = services.engine.opt_outs.list(limit=query.page_size, after=after)
    opt_outs = [payloads.write_opt_out(opt_out) for opt_out in found]
    return Answer(payloads.OptOutList(opt_outs=opt_outs, next_page_token=write_token(cursor, "optOuts")))


def get_opt_out(services: Services, call: Call) -> Answer:
    opt_out = services.engine.opt_outs.get(_number(call))
    if opt_out is None:
        raise _not_found()
    return Answer(payloads.write_opt_out(opt_out))


def put_opt_out(services: Services, call: Call) -> Answer:
    body: payloads.OptOutBody = call.body
    return Answer(payloads.write_opt_out(services.engine.opt_outs.put(_number(call), "api", body.reason or None)))


def delete_opt_out(services: Services, call: Call) -> Answer:
    if not services.engine.opt_outs.delete(_number(call)):
        raise _not_found()
    return Answer(payloads.Nothing())


def list_inbound(services: Services, call: Call) -> Answer:
    query: payloads.InboundQuery = call.query
    problems: list[FieldProblem] = []
    sender = read_address(query.sender, "sender", problems)
    if problems:
        raise InvalidRequest(*problems)
    after = read_token(query.page_token, "inboundMessages", sender)
    found, cursor = services.engine.inbound.list(limit=query.page_size, after=after, sender=sender)
    token = write_token(cursor, "inboundMessages", sender)
    return Answer(payloads.InboundList(inbound_messages=payloads.write_inbound(found), next_page_token=token))


def _number(call: Call) -> str:
    try:
        return parse_recipient(call.path["number"])
    except InvalidValueError as error:
        raise InvalidRequest(*(replace(problem, field="number") for problem in error.problems)) from None


def _not_found() -> NotFound:
    return NotFound("this recipient has not opted out", kind=Kind.NOT_FOUND)


_ONE = "/v1/optOuts/<address:number>"

ROUTES = (
    Route("GET", "/v1/optOuts", list_opt_outs, "List opt-outs", payloads.OptOutList, query=payloads.PageQuery),
    Route("GET", _ONE, get_opt_out, "Look up an opt-out", payloads.OptOutInfo, errors=(404,)),
    Route(
        "PUT",
        _ONE,
        put_opt_out,
        "Never write to this recipient again",
        payloads.OptOutInfo,
        body=payloads.OptOutBody,
        body_required=False,
    ),
    Route("DELETE", _ONE, delete_opt_out, "Allow messages to this recipient again", payloads.Nothing, errors=(404,)),
    Route(
        "GET",
        "/v1/inboundMessages",
        list_inbound,
        "List inbound messages, newest first",
        payloads.InboundList,
        query=payloads.InboundQuery,
    ),
)
