"""From the query of a list to the filter of the ledger. Only what the ledger has an index for can be combined."""

from __future__ import annotations

import re

from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api.payloads.message import MessageQuery
from sms_connector.api.payloads.shapes import read_time
from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.messaging.requests import MessageFilter
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.phone_number import parse_recipient
from sms_connector.ports import COMPOSITE_INDEXES

_CAMPAIGN = re.compile(r"cmp_c[0-9a-f]{20}")
# A recipient is looked for as a person, in any spelling.
_PARAMETERS = {"person": "to"}
_INDEXED = frozenset(
    frozenset(_PARAMETERS.get(field, field) for field in fields)
    for collection, fields, order, _ in COMPOSITE_INDEXES
    if (collection, order) == ("messages", "createdAt")
)
COMBINABLE = _INDEXED | {frozenset(), frozenset({"providerMessageId"})}


def read_filter(query: MessageQuery) -> MessageFilter:
    """Raises InvalidRequest naming every parameter that is wrong."""
    problems: list[FieldProblem] = []
    wanted = MessageFilter(
        to=read_address(query.to, "to", problems),
        status=None if query.status is UNSET else str(query.status),
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
    """A campaign's messages are listed as its results are: all of them, in order."""
    if wanted.campaign is None or problems:
        return
    if wanted.created_after is not None or wanted.created_before is not None:
        problems.append(
            FieldProblem("campaign", "can't be combined with times; a campaign's messages are listed in order")
        )
    if not _CAMPAIGN.fullmatch(wanted.campaign):
        problems.append(
            FieldProblem("campaign", f"{quote(wanted.campaign)} is no campaign's id; those begin with cmp_")
        )


def read_address(text: str, field: str, problems: list[FieldProblem]) -> str | None:
    """A recipient. A `+` that was not percent-encoded arrives as a space, which no address begins with."""
    if not text:
        return None
    try:
        return parse_recipient("+" + text[1:] if text.startswith(" ") else text)
    except InvalidValueError as error:
        problems += [replace(problem, field=field) for problem in error.problems]
        return None


def _read_moment(text: str, field: str, problems: list[FieldProblem]) -> float | None:
    if not text:
        return None
    try:
        return read_time(text).timestamp()
    except ValueError as error:
        problems.append(FieldProblem(field, f"{quote(text)} {error}; write + as %2B"))
        return None


def _check_combination(wanted: MessageFilter, problems: list[FieldProblem]) -> None:
    values = {
        "to": wanted.to,
        "status": wanted.status,
        "campaign": wanted.campaign,
        "providerMessageId": wanted.provider_message_id,
    }
    used = [name for name, value in values.items() if value is not None]
    if frozenset(used) not in COMBINABLE:
        allowed = "; ".join(sorted(" + ".join(sorted(each)) for each in COMBINABLE if each))
        problems.append(
            FieldProblem(used[0], f"can't be combined with {', '.join(used[1:])}; filter by one of: {allowed}")
        )
