"""A preview: what each record becomes, and what is wrong with it, side by side."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from sms_connector.api.schemas.base import ProblemInfo, payload_of, write_warnings
from sms_connector.api.schemas.message import PreviewAnswer, PreviewResult, write_template_use
from sms_connector.api.schemas.request_body import SendBody
from sms_connector.api.validation.drafts import (
    ReadFile,
    RecipientRules,
    check_text,
    find_warnings,
    make_reader,
    read_drafts,
)
from sms_connector.errors import FieldProblem
from sms_connector.model.segments import Segments, measure
from sms_connector.model.send_request import Draft


def write_preview(
    body: SendBody, rules: RecipientRules, *, template: str | None = None, read_file: ReadFile | None = None
) -> PreviewAnswer:
    """Raises InvalidRequest where the text or the mapping is wrong, so that no record could be right."""
    reader, wrong = make_reader(body, rules)
    parsed = reader.template
    if body.to is UNSET and body.records is UNSET and read_file is None:
        wrong.refuse()
        errors = _write_errors(check_text(parsed.text, "", rules))
        results = [_write_text(parsed.text, measure(parsed.text), index=0, to=None, errors=errors)]
        warnings = find_warnings(body)
    else:
        read = read_drafts(body, rules, read_file)
        results = [_write_draft(draft) for draft in read.drafts]
        results += [payload_of(PreviewResult, it, errors=_write_errors(it.problems)) for it in read.refused]
        warnings = read.notes.warnings
    ordered = sorted(results, key=lambda result: result.index)
    segments = sum(result.segments for result in ordered)
    warned = write_warnings(warnings)
    return PreviewAnswer(list(parsed.placeholders), ordered, segments, warned, write_template_use(template))


def _write_draft(draft: Draft) -> PreviewResult:
    own = {"index": draft.index, "to": draft.to, "sender": draft.sender or None, "line": draft.line}
    return _write_text(draft.text, draft.segments, **own)


def _write_text(text: str, measured: Segments, **own: object) -> PreviewResult:
    return payload_of(PreviewResult, measured, text=text, characters=len(text), segments=measured.count, **own)


def _write_errors(problems: Iterable[FieldProblem]) -> list[ProblemInfo]:
    return [payload_of(ProblemInfo, each, line=UNSET) for each in problems]
