"""Make drafts of a body: apply template and mapping, check recipients, measure texts, report every problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api.schemas.campaign_body import CampaignBody
from sms_connector.api.schemas.send_body import MAX_KEY, MAX_RECORDS, MAX_REFERENCE, MAX_TEXT, PreviewBody, SendBody
from sms_connector.api.uploads.content import Located, RecordProblem
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.field_mapping import FieldMapping, Mapped
from sms_connector.model.invalid_value import InvalidValueError, find_lone_surrogate, quote
from sms_connector.model.lookalikes import find_lookalikes
from sms_connector.model.phone_number import CHANNELS, Recipient, parse_country, read_recipient
from sms_connector.model.record_warnings import Duplicates, RecordWarnings
from sms_connector.model.segments import Segments, measure, utf16_length
from sms_connector.model.send_request import Draft
from sms_connector.model.template import Template

_KEY = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_KEY}}}")
_KEY_RULE = f"is the record's idempotency key; it must be text of 1 to {MAX_KEY} characters without control characters"
_REFERENCE_RULE = (
    f"is the record's reference; it must be text of at most {MAX_REFERENCE} characters, without NUL characters"
)


class Refused(msgspec.Struct, frozen=True):
    """A record that can't be sent. `to` is what it had for a recipient, where that was text."""

    index: int
    to: str | None
    problems: tuple[FieldProblem, ...]
    key: str | None = None
    reference: str | None = None
    line: int | None = None


class RecipientRules(msgspec.Struct, frozen=True):
    """Rules of recipients: the provider's channels, the country that reads national forms, and where one is probably
    from."""

    channels: frozenset[str]
    region: str | None = None
    country: str | None = None
    text_limit: int = MAX_TEXT
    basic_plane_only: bool = False
    needs_text: bool = True


class CheckedRecord(NamedTuple):
    """A record that can be sent: its recipient, the placeholders' values, what they make, its key and its reference,
    and the country, if any, by which the recipient's national number was read."""

    to: str
    values: Mapping[str, str]
    text: str
    segments: Segments
    key: str | None
    reference: str | None
    country: str | None = None


class RecordReader(msgspec.Struct, frozen=True):
    """The part that all records share; `measured` is there for a text without placeholders."""

    template: Template
    mapping: FieldMapping
    rules: RecipientRules
    measured: Segments | None

    def check(
        self, index: int, record: Mapping[str, object], prefix: str, *, line: int | None = None
    ) -> CheckedRecord | Refused:
        """`prefix` is the path of the record's fields in the body, `line` where it begins in a file."""
        problems: list[FieldProblem] = []
        try:
            mapped = self.mapping.apply(record)
        except InvalidValueError as error:
            mapped = None
            problems += [replace(problem, field=prefix + problem.field) for problem in error.problems]
        recipient = self._read_recipient(record, prefix, mapped, problems)
        text = self.template.render(mapped.values) if mapped else ""
        if mapped and self.template.placeholders:
            problems += check_text(text, prefix[:-1], self.rules)
        key, reference = self._read_labels(record, prefix, problems)
        if problems or mapped is None or recipient is None:
            shown = record.get(self.mapping.to_field)
            to = shown[:100] if isinstance(shown, str) else None
            placed = tuple(replace(problem, line=line) for problem in problems)
            return Refused(index, to, placed, key, reference, line)
        segments = self.measured or measure(text)
        return CheckedRecord(recipient.address, mapped.values, text, segments, key, reference, recipient.country)

    def _read_labels(
        self, record: Mapping[str, object], prefix: str, problems: list[FieldProblem]
    ) -> tuple[str | None, str | None]:
        """Return the record's key and reference."""
        key, reference = self.mapping.labels_of(record)
        if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
            problems.append(FieldProblem(prefix + self.mapping.key_field, _KEY_RULE))
            key = None
        if reference is not None and not (isinstance(reference, str) and _is_reference(reference)):
            problems.append(FieldProblem(prefix + self.mapping.reference_field, _REFERENCE_RULE))
            reference = None
        return key, reference

    def _read_recipient(
        self, record: Mapping[str, object], prefix: str, mapped: Mapped | None, problems: list[FieldProblem]
    ) -> Recipient | None:
        to = mapped.to if mapped else record.get(self.mapping.to_field)
        if not isinstance(to, str) or not to.strip():
            return None  # reported as missing already
        rules = self.rules
        try:
            recipient = read_recipient(to, country=rules.country, likely_region=rules.region)
        except InvalidValueError as error:
            problems += [replace(problem, field=prefix + self.mapping.to_field) for problem in error.problems]
            return None
        channel, colon, _ = recipient.address.partition(":")
        if colon and channel not in rules.channels:
            known = ", ".join(sorted(rules.channels & CHANNELS)) or "none"
            message = f"the provider has no channel {quote(channel)} (it has: {known}); write a number in E.164 form"
            problems.append(FieldProblem(prefix + self.mapping.to_field, message, ErrorKind.INVALID_RECIPIENT))
            return None
        return recipient


class Drafts(msgspec.Struct, frozen=True):
    """Drafts and refused records, both with their indexes, and warnings about them."""

    drafts: list[Draft]
    refused: list[Refused]
    notes: RecordWarnings


# Reads the records of a file, once the mapping says which columns it must have.
ReadFile = Callable[[FieldMapping], Iterable[Located]]


def read_drafts(body: SendBody | PreviewBody, rules: RecipientRules, read_file: ReadFile | None = None) -> Drafts:
    """Read every record of the body, or of the file beside it. Raises InvalidRequest where the request as a whole is
    wrong."""
    template = _parse_template(body)
    mapping, wrong = _build_mapping(template, {} if body.mapping is UNSET else body.mapping)
    problems = [] if read_file else list(_check_shape(body, template))
    problems += [] if template.placeholders else check_text(template.text, "", rules)
    if problems:
        raise InvalidRequest(*wrong, *problems)
    reader = make_reader(template, mapping, rules)
    policy = read_policy(body)
    notes = RecordWarnings("skip" if policy == "refuse" else policy, find_warnings(body), strict=body.strict)
    rows = read_file(mapping) if read_file else _list_records(body)
    outcomes = list(_check_rows(rows, reader, notes, single=body.records is UNSET and read_file is None))
    if not outcomes:
        raise InvalidRequest(FieldProblem("records", "is empty; send at least one record", ErrorKind.MISSING_VALUE))
    if wrong:
        raise InvalidRequest(*wrong, *(p for each in outcomes if isinstance(each, Refused) for p in each.problems))
    drafts = [outcome for outcome in outcomes if isinstance(outcome, Draft)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    return Drafts(*_refuse_repeated_keys(drafts, refused, mapping.key_field), notes)


def find_warnings(body: SendBody | PreviewBody | CampaignBody) -> list[FieldProblem]:
    """Return what is odd about the text. Raises InvalidRequest instead where the request is strict."""
    text = "" if body.message is UNSET else body.message
    warnings = [replace(problem, field="message") for problem in find_lookalikes(text)]
    if warnings and body.strict:
        raise InvalidRequest(*warnings)
    return warnings


def read_policy(body: SendBody | PreviewBody | CampaignBody) -> Duplicates:
    """Return the rule for repeated recipients: a strict request leaves no warning."""
    chosen: Duplicates = "send" if isinstance(body, PreviewBody) else body.duplicates
    return "refuse" if body.strict and chosen == "send" else chosen


def read_country(text: str, default: str | None) -> str | None:
    """Return the country that national numbers are read by: the request's (`defaultCountry`), else the connection's."""
    try:
        return parse_country(text) if text else default
    except InvalidValueError as error:
        raise InvalidRequest(*(replace(problem, field="defaultCountry") for problem in error.problems)) from None


def make_reader(template: Template, mapping: FieldMapping, rules: RecipientRules) -> RecordReader:
    return RecordReader(template, mapping, rules, None if template.placeholders else measure(template.text))


def check_text(text: str, record: str, rules: RecipientRules) -> list[FieldProblem]:
    """Find the problems of a text; `record` is the path of the record it was rendered for."""
    length, problem_text = utf16_length(text), None
    subject = "the rendered message" if record else "the text"
    if length > rules.text_limit:
        counted = "" if length == len(text) else " (an emoji counts as two)"
        problem_text = f"{subject} has {length} characters{counted}; at most {rules.text_limit} are allowed"
    elif rules.basic_plane_only and length > len(text):
        problem_text = f"{subject} has an emoji or another character that the provider does not take; leave it out"
    elif rules.needs_text and not text.strip():
        problem_text = f"{subject} is empty; write what is to be sent"
    return [FieldProblem(record or "message", problem_text, ErrorKind.INVALID_MESSAGE)] if problem_text else []


def _list_records(body: SendBody | PreviewBody) -> Iterable[Located]:
    if body.records is not UNSET:
        return ((None, record) for record in body.records)
    reference = body.reference if isinstance(body, SendBody) and body.reference is not UNSET else None
    return [(None, {"to": body.to, "reference": reference})]


def _check_rows(
    rows: Iterable[Located], reader: RecordReader, notes: RecordWarnings, *, single: bool
) -> Iterator[Draft | Refused]:
    for index, (line, record) in enumerate(rows):
        if index >= MAX_RECORDS:
            message = f"a request holds at most {MAX_RECORDS:,} records; send more as a campaign: POST /v1/campaigns"
            raise InvalidRequest(FieldProblem("records", message))
        prefix = "" if single else f"records[{index}]."
        if isinstance(record, RecordProblem):
            problem = FieldProblem(f"records[{index}]", record.message, line=line)
            yield Refused(index, None, (problem,), line=line)
        else:
            checked = reader.check(index, record, prefix, line=line)
            yield (
                checked
                if isinstance(checked, Refused)
                else _to_draft(checked, notes, index=index, line=line, field=prefix + reader.mapping.to_field)
            )


def _to_draft(
    checked: CheckedRecord, notes: RecordWarnings, *, index: int, line: int | None, field: str
) -> Draft | Refused:
    to, _, text, segments, key, reference, country = checked
    problem = notes.check(to, country, field, index=index, line=line)
    if problem is not None:
        return Refused(index, to, (problem,), key, reference, line)
    return Draft(index, to, text, segments, key, reference, line)


def read_template(body: SendBody | PreviewBody | CampaignBody) -> tuple[Template, FieldMapping]:
    template = _parse_template(body)
    mapping, wrong = _build_mapping(template, {} if body.mapping is UNSET else body.mapping)
    if wrong:
        raise InvalidRequest(*wrong)
    return template, mapping


def _parse_template(body: SendBody | PreviewBody | CampaignBody) -> Template:
    if body.message is UNSET:
        raise InvalidRequest(
            FieldProblem("message", "is missing; send a text, or name a saved 'template'", ErrorKind.MISSING_VALUE)
        )
    try:
        return Template.parse(body.message)
    except InvalidValueError as error:
        raise InvalidRequest(*(replace(problem, field="message") for problem in error.problems)) from None


def _build_mapping(template: Template, mapping: Mapping[str, str]) -> tuple[FieldMapping, list[FieldProblem]]:
    """Return the mapping without wrong entries, so that records can still be checked, and the problems."""
    try:
        return FieldMapping.build(template, mapping), []
    except InvalidValueError as error:
        wrong = {problem.field for problem in error.problems}
        rest = {entry: field for entry, field in mapping.items() if entry not in wrong}
        problems = [replace(each, field=f"mapping.{each.field}") for each in error.problems]
        return FieldMapping.build(template, rest), problems


def _check_shape(body: SendBody | PreviewBody, template: Template) -> Iterator[FieldProblem]:
    if body.to is UNSET and body.records is UNSET:
        yield FieldProblem("to", "name a recipient in 'to', or several in 'records'", ErrorKind.MISSING_VALUE)
    if body.to is not UNSET and body.records is not UNSET:
        yield FieldProblem("to", "there are 'to' and 'records'; send one of them")
    if body.records is not UNSET and isinstance(body, SendBody) and body.reference is not UNSET:
        yield FieldProblem("reference", "is of a single message; write a 'reference' into each of the 'records'")
    if body.mapping is not UNSET and body.records is UNSET:
        yield FieldProblem("mapping", "has nothing to map without 'records'; leave it out")
    if body.records is UNSET and template.placeholders:
        names = ", ".join(f"<{name}>" for name in template.placeholders)
        yield FieldProblem(
            "message",
            f"has placeholders ({names}), which only 'records' can fill; send one record",
            ErrorKind.MISSING_VALUE,
        )


def _is_reference(text: str) -> bool:
    return len(text) <= MAX_REFERENCE and "\x00" not in text and find_lone_surrogate(text) is None


def _refuse_repeated_keys(
    drafts: list[Draft], refused: list[Refused], key_field: str
) -> tuple[list[Draft], list[Refused]]:
    first: dict[str, int] = {}
    kept: list[Draft] = []
    for draft in drafts:
        if draft.key is not None and first.setdefault(draft.key, draft.index) != draft.index:
            message = f"is the key of records[{first[draft.key]}] too; each record needs its own"
            problem = FieldProblem(f"records[{draft.index}].{key_field}", message, line=draft.line)
            refused.append(Refused(draft.index, draft.to, (problem,), draft.key, draft.reference, draft.line))
        else:
            kept.append(draft)
    return kept, sorted(refused, key=lambda each: each.index)
