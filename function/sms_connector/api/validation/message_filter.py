"""From the query of a list to the filter of the ledger."""

from __future__ import annotations

import re

from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api.schemas.base import read_time
from sms_connector.api.schemas.message import MessageQuery
from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.phone_number import find_number, parse_recipient
from sms_connector.model.send_request import MessageFilter

_CAMPAIGN = re.compile(r"cmp_c[0-9a-f]{20}")
# A plus that was not encoded arrives as a space.
HINT = "; a + in a query is written %2B"


def read_filter(query: MessageQuery, country: str | None = None) -> MessageFilter:
    """Raises InvalidRequest naming every parameter that is wrong."""
    problems: list[FieldProblem] = []
    wanted = MessageFilter(
        to=_read_recipient(query.to, country, problems),
        status=None if query.status is UNSET else str(query.status),
        reference=query.reference or None,
        campaign=query.campaign or None,
        provider_message_id=query.provider_message_id or None,
        created_after=_read_moment(query.created_after, "createdAfter", problems),
        created_before=_read_moment(query.created_before, "createdBefore", problems),
    )
    _check_combination(wanted, problems)
    _check_campaign(wanted, problems)
    if problems:
        raise InvalidRequest(*problems)
    return wanted


def _check_campaign(wanted: MessageFilter, problems: list[FieldProblem]) -> None:
    if wanted.campaign is not None and not _CAMPAIGN.fullmatch(wanted.campaign):
        problems.append(
            FieldProblem("campaign", f"{quote(wanted.campaign)} is not a campaign's id; those begin with cmp_")
        )


def _read_recipient(text: str, country: str | None, problems: list[FieldProblem]) -> str | None:
    """Read a recipient in any spelling. A `+` that was not percent-encoded arrives as a space, which no address begins
    with."""
    if not text:
        return None
    address = "+" + text[1:] if text.startswith(" ") else text
    try:
        return parse_recipient(address, country=country)
    except InvalidValueError as error:
        if find_number(address) is not None:
            return address
        problems += [replace(problem, field="to") for problem in error.problems]
        return None


def _read_moment(text: str, field: str, problems: list[FieldProblem]) -> float | None:
    if not text:
        return None
    try:
        return read_time(text).timestamp()
    except ValueError as error:
        problems.append(FieldProblem(field, f"{quote(text)} {error}{HINT if ' ' in text else ''}"))
        return None


def _check_combination(wanted: MessageFilter, problems: list[FieldProblem]) -> None:
    """Refuse other filters beside the provider's id, which names one message."""
    others = replace(wanted, provider_message_id=None)
    if wanted.provider_message_id is not None and others != MessageFilter():
        problems.append(
            FieldProblem("providerMessageId", "can't be combined with another filter; it names one message")
        )
