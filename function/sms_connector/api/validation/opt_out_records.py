"""Check the records of an import of opt-outs, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from sms_connector.api.schemas.opt_out_import import MAX_RECORDS
from sms_connector.api.uploads.raw_record import Located, RecordProblem
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.invalid_value import InvalidValueError

MAX_REASON = 500


class CheckedOptOut(msgspec.Struct, frozen=True):
    """`problem`: why the record has no valid number; `number` is then as it was written."""

    index: int
    line: int | None
    number: str | None
    reason: str | None = None
    problem: FieldProblem | None = None


def check_opt_outs(
    rows: Iterable[Located], mapping: FieldMapping, parse: Callable[[str], str], *, reason: str
) -> Iterator[CheckedOptOut]:
    """Yield each record, checked. `parse` reads a number and raises InvalidValueError. Raises InvalidRequest for too many."""
    for index, (line, record) in enumerate(rows):
        if index == MAX_RECORDS:
            raise InvalidRequest(FieldProblem("records", f"at most {MAX_RECORDS:,} are taken at once; split the file"))
        if isinstance(record, RecordProblem):
            problem = FieldProblem(f"records[{index}]", record.message, ErrorKind.INVALID_REQUEST, line)
            yield CheckedOptOut(index, line, None, problem=problem)
            continue
        written = record.get(mapping.to_field)
        own = record.get("reason")
        why = reason or (own.strip()[:MAX_REASON] if isinstance(own, str) else "")
        try:
            yield CheckedOptOut(index, line, parse(mapping.apply(record).to.strip()), why or None)
        except InvalidValueError as error:
            shown = written if isinstance(written, str) else None
            yield CheckedOptOut(index, line, shown, problem=error.problems[0])
