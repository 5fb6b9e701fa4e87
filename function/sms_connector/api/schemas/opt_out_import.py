"""Import of opt-outs: request and answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import Body, Maybe, Payload
from sms_connector.api.schemas.campaign_body import Charset, Delimiter
from sms_connector.api.schemas.send_body import DefaultCountry, Record
from sms_connector.errors import ErrorKind

if TYPE_CHECKING:
    from sms_connector.api.validation.opt_out_records import CheckedOptOut

MAX_RECORDS = 10_000

Column = Annotated[
    str, Meta(min_length=1, max_length=200, description="The field of the records that has the numbers.")
]
Reason = Annotated[
    str, Meta(max_length=500, description="Why, for all of them; left out: each record's field `reason`.")
]


class OptOutImportQuery(Body):
    """Stands in the query where the body is CSV or NDJSON."""

    column: Column = "number"
    reason: Reason = ""
    default_country: Maybe[DefaultCountry] = UNSET
    delimiter: Maybe[Delimiter] = UNSET
    charset: Maybe[Charset] = UNSET


class OptOutImportBody(Body):
    """Up to 10 000 records."""

    records: Annotated[list[Record], Meta(min_length=1, max_length=MAX_RECORDS)]
    column: Column = "number"
    reason: Reason = ""
    default_country: DefaultCountry = ""


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


def write_import(checked: Sequence[CheckedOptOut], *, added: Sequence[bool]) -> OptOutImportAnswer:
    """`added` has an entry for each record that was taken."""
    problems = [
        RefusedOptOut(each.index, each.number, each.problem.kind, each.problem.message, each.line)
        for each in checked
        if each.problem is not None
    ]
    return OptOutImportAnswer(sum(added), len(added) - sum(added), len(problems), problems)
