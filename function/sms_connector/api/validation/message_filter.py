"""From the query of a list to the filter of the ledger."""

from __future__ import annotations

import re

from msgspec.structs import replace

from sms_connector.api.problem_list import Problems
from sms_connector.api.routing import PARAMETERS
from sms_connector.api.schemas.base import read_time, value_or
from sms_connector.api.schemas.message import MessageQuery
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.phone_number import find_number, parse_recipient
from sms_connector.model.send_request import MessageFilter

# A plus that was not encoded arrives as a space.
HINT = "; a + in a query is written %2B"


def read_filter(query: MessageQuery, country: str | None = None) -> MessageFilter:
    """Raises InvalidRequest naming every parameter that is wrong."""
    problems = Problems()
    status = value_or(query.status, None)
    wanted = MessageFilter(
        to=_read_recipient(query.to, country, problems),
        status=status and str(status),
        reference=query.reference or None,
        campaign=query.campaign or None,
        provider_message_id=query.provider_message_id or None,
        created_after=_read_moment(query.created_after, "createdAfter", problems),
        created_before=_read_moment(query.created_before, "createdBefore", problems),
    )
    if wanted.provider_message_id is not None and replace(wanted, provider_message_id=None) != MessageFilter():
        problems.add("providerMessageId", "can't be combined with another filter; it names one message")
    if wanted.campaign is not None and not re.fullmatch(PARAMETERS["campaign_id"].pattern, wanted.campaign):
        problems.add("campaign", f"{quote(wanted.campaign)} is not a campaign's id; those begin with cmp_")
    problems.refuse()
    return wanted


def decode_plus(text: str) -> str:
    """Restore a `+` that was not percent-encoded: it arrives as a space, which no address begins with."""
    return "+" + text[1:] if text.startswith(" ") else text


def _read_recipient(text: str, country: str | None, problems: Problems) -> str | None:
    """Read a recipient in any spelling."""
    address = decode_plus(text)
    with problems.collect("to"):
        try:
            return parse_recipient(address, country=country) if text else None
        except InvalidValueError:
            if find_number(address) is None:
                raise
    return address


def _read_moment(text: str, field: str, problems: Problems) -> float | None:
    try:
        return read_time(text).timestamp() if text else None
    except ValueError as error:
        problems.add(field, f"{quote(text)} {error}{HINT if ' ' in text else ''}")
        return None
