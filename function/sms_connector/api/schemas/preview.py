"""The answer of `messages:preview`: what each record becomes, and what is wrong with it, side by side."""

from __future__ import annotations

from msgspec import UNSET

from sms_connector.api.schemas.base import write_warnings
from sms_connector.api.schemas.message import write_template_use
from sms_connector.api.schemas.send_body import PreviewAnswer, PreviewBody, PreviewError, PreviewResult
from sms_connector.api.validation.drafts import (
    ReadFile,
    RecipientRules,
    Refused,
    check_text,
    find_warnings,
    read_drafts,
    read_template,
)
from sms_connector.errors import FieldProblem
from sms_connector.model.segments import Segments, measure


def write_preview(
    body: PreviewBody, rules: RecipientRules, *, template: str | None = None, read_file: ReadFile | None = None
) -> PreviewAnswer:
    """Raises InvalidRequest where the text or the mapping is wrong, so that no record could be right."""
    parsed, _ = read_template(body)
    if body.to is UNSET and body.records is UNSET and read_file is None:
        problems = check_text(parsed.text, "", rules)
        results = [_write_text(0, None, parsed.text, measure(parsed.text), problems=problems)]
        warnings = find_warnings(body)
    else:
        read = read_drafts(body, rules, read_file)
        results = [_write_text(each.index, each.to, each.text, each.segments, line=each.line) for each in read.drafts]
        results += [_write_refused(each) for each in read.refused]
        warnings = read.notes.warnings
    ordered = sorted(results, key=lambda result: result.index)
    segments = sum(result.segments for result in ordered)
    warned = write_warnings(warnings)
    return PreviewAnswer(list(parsed.placeholders), ordered, segments, warned, write_template_use(template))


def _write_text(
    index: int,
    to: str | None,
    text: str,
    measured: Segments,
    *,
    problems: list[FieldProblem] | None = None,
    line: int | None = None,
) -> PreviewResult:
    return PreviewResult(
        index=index,
        to=to,
        text=text,
        characters=len(text),
        encoding=measured.encoding,
        segments=measured.count,
        units=measured.units,
        remaining=measured.remaining,
        reason=measured.reason,
        errors=_write_errors(problems or ()),
        line=UNSET if line is None else line,
    )


def _write_refused(refused: Refused) -> PreviewResult:
    line = UNSET if refused.line is None else refused.line
    return PreviewResult(index=refused.index, to=refused.to, errors=_write_errors(refused.problems), line=line)


def _write_errors(problems: list[FieldProblem] | tuple[FieldProblem, ...]) -> list[PreviewError]:
    return [PreviewError(field=each.field, kind=each.kind, message=each.message) for each in problems]
