"""Opt-outs, their import, and inbound messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import (
    Body,
    Maybe,
    NextPageToken,
    PageQuery,
    Payload,
    Time,
    payload_of,
    write_time,
)
from sms_connector.api.schemas.request_body import Charset, DefaultCountry, Delimiter, Record
from sms_connector.errors import ErrorKind

if TYPE_CHECKING:
    from sms_connector.store.opt_outs import OptOut


class OptOutInfo(Payload):
    """An opt-out: its person, time and reason, as of the last change."""

    number: str
    source: Annotated[str, Meta(description="`api`, `inbound` (a STOP word) or `provider` (it refused).")]
    reason: str | None
    created_at: Time


class ConsentChangeInfo(Payload):
    """A change of consent: who, when, why, and by which message or caller."""

    opted_out: bool
    at: Time
    source: Annotated[str, Meta(description="`api`, `inbound` (a word) or `provider` (it refused).")]
    reason: str | None
    message_id: Annotated[str | None, Meta(description="Our id of the inbound message that brought it.")]
    caller: Annotated[str | None, Meta(description="Who called, where the platform has checked it.")]


class OptOutDetail(OptOutInfo):
    """A person's consent: the last change is the state, none is ever overwritten."""

    opted_out: Annotated[bool, Meta(description="false: consent was given again.")]
    history: Annotated[list[ConsentChangeInfo], Meta(description="Oldest first.")]


class OptOutList(Payload):
    """A page of opt-outs, newest first."""

    opt_outs: list[OptOutInfo]
    next_page_token: NextPageToken


class InboundInfo(Payload):
    """An inbound message."""

    id: str
    sender: str
    to: str
    text: str
    media_urls: list[str]
    received_at: Time
    keyword: Annotated[str | None, Meta(description="`stop`, `start` or `help`, where the text is such a word.")]
    in_reply_to: Annotated[
        str | None, Meta(description="Our id of the message it answers, where the provider reports it.")
    ]
    provider_message_id: str


class InboundList(Payload):
    """A page of inbound messages, newest first."""

    inbound_messages: list[InboundInfo]
    next_page_token: NextPageToken


class InboundQuery(PageQuery):
    """Which inbound messages."""

    sender: Annotated[
        str,
        Meta(min_length=1, max_length=100, description="The sender: a number in any spelling, a short code or a name."),
    ] = ""


def write_opt_out(opt_out: OptOut) -> OptOutInfo:
    return payload_of(OptOutInfo, opt_out.last, number=opt_out.number, created_at=write_time(opt_out.last.at))


def write_opt_out_detail(opt_out: OptOut) -> OptOutDetail:
    return payload_of(
        OptOutDetail,
        opt_out.last,
        number=opt_out.number,
        created_at=write_time(opt_out.last.at),
        history=[payload_of(ConsentChangeInfo, change, message_id=change.message) for change in opt_out.history],
    )


MAX_RECORDS = 10_000


class OptOutImport(Body):
    """How the records of an import are read."""

    column: Annotated[
        str, Meta(min_length=1, max_length=200, description="The field of the records that has the numbers.")
    ] = "number"
    reason: Annotated[
        str, Meta(max_length=500, description="Why, for all of them; left out: each record's field `reason`.")
    ] = ""
    default_country: DefaultCountry = ""


class OptOutImportQuery(OptOutImport):
    """Stands in the query where the body is CSV or NDJSON."""

    delimiter: Maybe[Delimiter] = UNSET
    charset: Maybe[Charset] = UNSET


class OptOutImportBody(OptOutImport, kw_only=True):
    """Up to 10 000 records."""

    records: Annotated[list[Record], Meta(min_length=1, max_length=MAX_RECORDS)]


class RefusedOptOut(Payload, omit_defaults=True):
    """A record without a valid number. `line` is the file's."""

    index: int
    number: str | None
    kind: ErrorKind
    message: str
    line: int | None = None


class OptOutImportAnswer(Payload):
    """The outcome of an import."""

    added: int
    unchanged: Annotated[int, Meta(description="Had opted out already; their first reason stays.")]
    refused: int
    problems: list[RefusedOptOut]
