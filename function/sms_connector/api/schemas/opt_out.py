"""Opt-outs and inbound messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from sms_connector.api.schemas.base import (
    PAGE_SIZE,
    Body,
    NextPageToken,
    PageSize,
    PageToken,
    Payload,
    Time,
    payload_of,
    write_time,
)

if TYPE_CHECKING:
    from sms_connector.callbacks.inbound import StoredInbound
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


class OptOutBody(Body):
    """The reason of the opt-out."""

    reason: Annotated[str, Meta(max_length=500)] = ""


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


class PageQuery(Body):
    """Which page."""

    page_size: PageSize = PAGE_SIZE
    page_token: PageToken = ""


class InboundQuery(Body):
    """Which inbound messages."""

    sender: Annotated[
        str,
        Meta(min_length=1, max_length=100, description="The sender: a number in any spelling, a short code or a name."),
    ] = ""
    page_size: PageSize = PAGE_SIZE
    page_token: PageToken = ""


class Nothing(Payload):
    """Done; no content."""


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


def write_inbound(messages: Iterable[StoredInbound]) -> list[InboundInfo]:
    return [payload_of(InboundInfo, message) for message in messages]
