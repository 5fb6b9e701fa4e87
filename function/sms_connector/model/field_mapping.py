"""From a record of the caller's to a recipient and the values of a template's placeholders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from sms_connector.errors import ErrorKind, FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, find_lone_surrogate, quote
from sms_connector.model.template import Template, normalize_name

RECIPIENT = "to"
# Members of a record beside its recipient and values: the idempotency key, and the caller's name for it.
KEY, REFERENCE = "key", "reference"


class Mapped(msgspec.Struct, frozen=True):
    """The values of one record: the recipient as written, not checked yet, and a value for every placeholder."""

    to: str
    values: Mapping[str, str]


class FieldMapping(msgspec.Struct, frozen=True):
    """Where `to`, each placeholder (placeholder, field of the record), the key and the reference come from."""

    to_field: str
    value_fields: tuple[tuple[str, str], ...]
    key_field: str = KEY
    reference_field: str = REFERENCE

    @classmethod
    def build(cls, template: Template, mapping: Mapping[str, str]) -> FieldMapping:
        """Build it: `mapping` maps `to`, `key`, `reference` and placeholders to fields; a name without an entry maps to
        the field of the same name.

        Raises InvalidValueError, which names every entry that maps nothing (UNKNOWN_FIELD) or names no field.
        """
        problems = list(_find_invalid_entries(template, mapping))
        if problems:
            raise InvalidValueError(*problems)
        fields = {normalize_name(name): field for name, field in mapping.items()}
        pairs = tuple((name, fields.get(name, name)) for name in template.placeholders)
        to, key, reference = (fields.get(name, name) for name in (RECIPIENT, KEY, REFERENCE))
        return cls(to, pairs, key, reference)

    def wanted_fields(self) -> list[tuple[str, str]]:
        """Return the fields that each record needs, by their names in the mapping; key and reference only where they
        are mapped."""
        optional = ((KEY, self.key_field), (REFERENCE, self.reference_field))
        mapped = [(name, field) for name, field in optional if name != field]
        return list(dict([(RECIPIENT, self.to_field), *self.value_fields, *mapped]).items())

    def labels_of(self, record: Mapping[str, object]) -> tuple[object, object]:
        """Return the key and the reference, not checked yet; None for what is absent or null."""
        key, reference = record.get(self.key_field), record.get(self.reference_field)
        if key is None and self.key_field != KEY:
            key = _look_up(record, self.key_field)
        if reference is None and self.reference_field != REFERENCE:
            reference = _look_up(record, self.reference_field)
        return key, reference

    def apply(self, record: Mapping[str, object]) -> Mapped:
        """Return the recipient and the values, as text: numbers as JSON has them (`3.0` is `3`), booleans `true` and
        `false`.

        Raises InvalidValueError, which names every field of the record that is absent, null or blank (MISSING_VALUE),
        or neither text, number nor boolean (INVALID_REQUEST).
        """
        problems: list[FieldProblem] = []
        to = _read(record, self.to_field, RECIPIENT, problems)
        values = {name: _read(record, field, f"<{name}>", problems) for name, field in self.value_fields}
        if problems:
            raise InvalidValueError(*problems)
        return Mapped(to, values)


def _find_invalid_entries(template: Template, mapping: Mapping[str, str]) -> Iterator[FieldProblem]:
    known = (RECIPIENT, *template.placeholders, KEY, REFERENCE)
    seen = set()
    for entry, field in mapping.items():
        name = normalize_name(entry)
        if name not in known:
            allowed = ", ".join(known)
            message = f"{quote(entry)} is not a placeholder of the message; the mapping may have: {allowed}"
            yield FieldProblem(entry, message, ErrorKind.UNKNOWN_FIELD)
        elif name in seen:
            yield FieldProblem(entry, f"{quote(entry)} is mapped twice; keep one entry")
        elif not field.strip():
            yield FieldProblem(
                entry, f"{quote(entry)} is mapped to no field; name the field of the records it comes from"
            )
        seen.add(name)


def _read(record: Mapping[str, object], field: str, use: str, problems: list[FieldProblem]) -> str:
    value = record.get(field)
    # The common case first: a campaign reads a million records.
    if isinstance(value, str) and value and value.isascii() and not value.isspace():
        return value
    text, problem = _to_text(_look_up(record, field) if value is None else value)
    if problem:
        kind = ErrorKind.MISSING_VALUE if text is None else ErrorKind.INVALID_REQUEST
        problems.append(FieldProblem(field, f"no value for {use}: field {quote(field)} {problem}", kind))
    return text or ""


def _look_up(record: Mapping[str, object], field: str) -> object:
    """Find a field whose name is the same for Unicode only: a CSV from a Mac has its accents decomposed."""
    wanted = normalize_name(field)
    return next((value for name, value in record.items() if normalize_name(name) == wanted), None)


def _to_text(value: object) -> tuple[str | None, str | None]:
    """Return the text and its problem; None for the text where there is no value."""
    if value is None:
        return None, "is missing"
    if isinstance(value, bool):
        return str(value).lower(), None
    if isinstance(value, int):
        return str(value), None
    if isinstance(value, float):
        return repr(value).removesuffix(".0"), None if math.isfinite(value) else "is not a number; send it as text"
    if not isinstance(value, str):
        return "", "is neither text, number nor boolean; send it as text"
    if not value.strip():
        return None, "is empty"
    surrogate = find_lone_surrogate(value)
    return value, f"has half a character ({surrogate}); send it as it was, in UTF-8" if surrogate else None
