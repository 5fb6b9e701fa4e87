"""Make drafts of a body: apply template and mapping, check recipients, measure texts, report every problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api.problem_list import Problems, reading
from sms_connector.api.schemas.base import value_or
from sms_connector.api.schemas.request_body import MAX_KEY, MAX_RECORDS, MAX_REFERENCE, MAX_TEXT, RequestBody, SendBody
from sms_connector.api.uploads.content import Located, RawRecord, RecordProblem
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.field_mapping import FieldMapping, Mapped
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.lookalikes import find_lookalikes
from sms_connector.model.phone_number import CHANNELS, NumberError, Recipient, parse_country, read_recipient
from sms_connector.model.record_warnings import Duplicates, RecordWarnings
from sms_connector.model.segments import Encoding, Segments, measure, utf16_length
from sms_connector.model.send_request import Draft
from sms_connector.model.senders import SenderChoice
from sms_connector.model.template import Template

_KEY = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_KEY}}}")
_KEY_RULE = f"is the record's idempotency key; it must be text of 1 to {MAX_KEY} characters without control characters"
_REFERENCE = re.compile(rf"[^\x00\ud800-\udfff]{{0,{MAX_REFERENCE}}}")
_REFERENCE_RULE = (
    f"is the record's reference; it must be text of at most {MAX_REFERENCE} characters, without NUL characters"
)
_NUL = "has a NUL character (U+0000); take it out"


class Refused(msgspec.Struct, frozen=True):
    """A record that can't be sent. `to` is what it had for a recipient, where that was text."""

    index: int
    to: str | None
    problems: tuple[FieldProblem, ...]
    key: str | None = None
    reference: str | None = None
    line: int | None = None


class RecipientRules(msgspec.Struct, frozen=True):
    """Rules of recipients: the provider's channels, who sends to them, the country that reads national forms, and where
    one is probably from."""

    channels: frozenset[str]
    senders: SenderChoice | None = None
    region: str | None = None
    country: str | None = None
    text_limit: int = MAX_TEXT
    basic_plane_only: bool = False
    needs_text: bool = True


class CheckedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record that can be sent, its placeholders' values, and the country, if any, by which the recipient's national
    number was read."""

    draft: Draft
    values: Mapping[str, str]
    country: str | None


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
        problems, mapped = Problems(), None
        try:
            mapped = self.mapping.apply(record)
        except InvalidValueError as error:
            problems.add_value(error, prefix)
        recipient, sender = self._read_recipient(record, prefix, mapped, problems)
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
        draft = Draft(index, recipient.address, sender, text, segments, key, reference, line)
        if draft.segments.encoding is Encoding.UCS_2 and "\x00" in text:
            return refuse_draft(draft, FieldProblem(prefix[:-1], _NUL, ErrorKind.INVALID_MESSAGE, line))
        return CheckedRecord(draft, mapped.values, recipient.country)

    def check_own_text(self) -> list[FieldProblem]:
        """Find the problems of a text that is the same for all records."""
        return [] if self.template.placeholders else check_text(self.template.text, "", self.rules)

    def _read_labels(
        self, record: Mapping[str, object], prefix: str, problems: Problems
    ) -> tuple[str | None, str | None]:
        """Return the record's key and reference."""
        key, reference = self.mapping.labels_of(record)
        if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
            problems.add(prefix + self.mapping.key_field, _KEY_RULE)
            key = None
        if reference is not None and not (isinstance(reference, str) and _REFERENCE.fullmatch(reference)):
            problems.add(prefix + self.mapping.reference_field, _REFERENCE_RULE)
            reference = None
        return key, reference

    def _read_recipient(
        self, record: Mapping[str, object], prefix: str, mapped: Mapped | None, problems: Problems
    ) -> tuple[Recipient | None, str]:
        """Return the recipient and the sender for it, `""` where none is chosen."""
        to, rules = mapped.to if mapped else record.get(self.mapping.to_field), self.rules
        if not isinstance(to, str) or not to.strip():
            return None, ""  # reported as missing already
        try:
            recipient = read_recipient(to, country=rules.country, likely_region=rules.region)
            _check_channel(recipient.address, rules.channels)
            return recipient, rules.senders.choose(recipient.address) if rules.senders else ""
        except InvalidValueError as error:
            problems.add_value(error, prefix + self.mapping.to_field)
            return None, ""


def _check_channel(address: str, channels: frozenset[str]) -> None:
    channel, colon, _ = address.partition(":")
    if colon and channel not in channels:
        known = ", ".join(sorted(channels & CHANNELS)) or "none"
        raise NumberError(
            f"the provider has no channel {quote(channel)} (it has: {known}); write a number in E.164 form"
        )


class Drafts(msgspec.Struct, frozen=True):
    """Drafts and refused records, both with their indexes, and warnings about them."""

    drafts: list[Draft]
    refused: list[Refused]
    notes: RecordWarnings


# Reads the records of a file, once the mapping says which columns it must have.
ReadFile = Callable[[FieldMapping], Iterable[Located]]


def read_drafts(body: SendBody, rules: RecipientRules, read_file: ReadFile | None = None) -> Drafts:
    """Read every record of the body, or of the file beside it. Raises InvalidRequest where the request as a whole is
    wrong."""
    reader, wrong = make_reader(body, rules)
    problems = Problems() if read_file else _check_shape(body, reader.template)
    problems += reader.check_own_text()
    if problems:
        raise InvalidRequest(*wrong, *problems)
    policy = read_policy(body)
    notes = RecordWarnings("skip" if policy == "refuse" else policy, find_warnings(body), strict=body.strict)
    single = {"to": body.to, "reference": value_or(body.reference, None)}
    listed = ((None, record) for record in value_or(body.records, [single]))
    rows = read_file(reader.mapping) if read_file else listed
    checked = check_rows(rows, reader, notes, single=body.records is UNSET and read_file is None)
    outcomes = [outcome for _, outcome in islice(checked, MAX_RECORDS + 1)]
    if len(outcomes) > MAX_RECORDS:
        message = f"a request holds at most {MAX_RECORDS:,} records; send more as a campaign: POST /v1/campaigns"
        raise InvalidRequest(FieldProblem("records", message))
    if not outcomes:
        raise InvalidRequest(FieldProblem("records", "is empty; send at least one record", ErrorKind.MISSING_VALUE))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if wrong:
        raise InvalidRequest(*wrong, *(problem for each in refused for problem in each.problems))
    drafts = [outcome.draft for outcome in outcomes if isinstance(outcome, CheckedRecord)]
    return Drafts(*_refuse_repeated_keys(drafts, refused, reader.mapping.key_field), notes)


def check_rows(
    rows: Iterable[Located], reader: RecordReader, notes: RecordWarnings, *, single: bool = False
) -> Iterator[tuple[RawRecord, CheckedRecord | Refused]]:
    """Yield each record with what it becomes; `notes` may refuse it for the records before it."""
    for index, (line, record) in enumerate(rows):
        if isinstance(record, RecordProblem):
            problem = FieldProblem(f"records[{index}]", record.message, line=line)
            yield record, Refused(index, None, (problem,), line=line)
            continue
        prefix = "" if single else f"records[{index}]."
        checked = reader.check(index, record, prefix, line=line)
        if isinstance(checked, CheckedRecord):
            draft = checked.draft
            repeated = notes.check(draft.to, checked.country, prefix + reader.mapping.to_field, index=index, line=line)
            yield record, refuse_draft(draft, repeated) if repeated else checked
        else:
            yield record, checked


def refuse_draft(draft: Draft, problem: FieldProblem) -> Refused:
    return Refused(draft.index, draft.to, (problem,), draft.key, draft.reference, draft.line)


def find_warnings(body: RequestBody) -> list[FieldProblem]:
    """Return what is odd about the text. Raises InvalidRequest instead where the request is strict."""
    warnings = [replace(problem, field="message") for problem in find_lookalikes(value_or(body.message, ""))]
    if warnings and body.strict:
        raise InvalidRequest(*warnings)
    return warnings


def read_policy(body: RequestBody) -> Duplicates:
    """Return the rule for repeated recipients: a strict request leaves no warning."""
    return "refuse" if body.strict and body.duplicates == "send" else body.duplicates


def read_country(text: str, default: str | None) -> str | None:
    """Return the country that national numbers are read by: the request's (`defaultCountry`), else the connection's."""
    with reading("defaultCountry"):
        return parse_country(text) if text else default


def make_reader(body: RequestBody, rules: RecipientRules) -> tuple[RecordReader, Problems]:
    """Return the reader of a request's records, and what is wrong with the mapping: without those entries, so that
    records can still be checked. Raises InvalidRequest for a text that can't be one."""
    if body.message is UNSET:
        message = "is missing; send a text (beside a file: as a query parameter), or name a saved 'template'"
        raise InvalidRequest(FieldProblem("message", message, ErrorKind.MISSING_VALUE))
    with reading("message"):
        template = Template.parse(body.message)
    entries, wrong = value_or(body.mapping, {}), Problems()
    try:
        mapping = FieldMapping.build(template, entries)
    except InvalidValueError as error:
        wrong.add_value(error, "mapping.")
        left = entries.keys() - {problem.field for problem in error.problems}
        mapping = FieldMapping.build(template, {entry: field for entry, field in entries.items() if entry in left})
    measured = None if template.placeholders else measure(template.text)
    return RecordReader(template, mapping, rules, measured), wrong


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


def _check_shape(body: SendBody, template: Template) -> Problems:
    problems = Problems()
    if body.to is UNSET and body.records is UNSET:
        problems.add("to", "name a recipient in 'to', or several in 'records'", ErrorKind.MISSING_VALUE)
    if body.to is not UNSET and body.records is not UNSET:
        problems.add("to", "there are 'to' and 'records'; send one of them")
    if body.records is not UNSET and body.reference is not UNSET:
        problems.add("reference", "is of a single message; write a 'reference' into each of the 'records'")
    if body.mapping is not UNSET and body.records is UNSET:
        problems.add("mapping", "has nothing to map without 'records'; leave it out")
    if body.records is UNSET and template.placeholders:
        names = ", ".join(f"<{name}>" for name in template.placeholders)
        message = f"has placeholders ({names}), which only 'records' can fill; send one record"
        problems.add("message", message, ErrorKind.MISSING_VALUE)
    return problems


def _refuse_repeated_keys(
    drafts: list[Draft], refused: list[Refused], key_field: str
) -> tuple[list[Draft], list[Refused]]:
    first: dict[str, int] = {}
    kept: list[Draft] = []
    for draft in drafts:
        if draft.key is not None and first.setdefault(draft.key, draft.index) != draft.index:
            message = f"is the key of records[{first[draft.key]}] too; each record needs its own"
            problem = FieldProblem(f"records[{draft.index}].{key_field}", message, line=draft.line)
            refused.append(refuse_draft(draft, problem))
        else:
            kept.append(draft)
    return kept, sorted(refused, key=lambda each: each.index)
