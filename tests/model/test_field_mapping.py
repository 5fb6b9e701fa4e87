"""Field mapping: every name has a field, every field a value, and what is missing is named all at once."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind
from sms_connector.model.field_mapping import FieldMapping, Mapped
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.template import Template

TEMPLATE = Template.parse("Hello <first name>, order <order> ships today.")
MAPPING = {"to": "mobile", "first name": "firstName", "order": "orderId"}
RECORD = {"mobile": "+15558675310", "firstName": "Ann", "orderId": "A-1"}
NFD_NAME = unicodedata.normalize("NFD", "prénom")


def test_the_contracts_example() -> None:
    mapped = FieldMapping.build(TEMPLATE, MAPPING).apply(RECORD)
    assert mapped == Mapped("+15558675310", {"first name": "Ann", "order": "A-1"})
    assert TEMPLATE.render(mapped.values) == "Hello Ann, order A-1 ships today."


@pytest.mark.parametrize(
    ("text", "mapping", "record", "mapped", "why"),
    [
        ("Hi", {}, {"to": "+1"}, Mapped("+1", {}), "no mapping, no placeholder: to comes from to"),
        ("<a>", {}, {"to": "+1", "a": "x"}, Mapped("+1", {"a": "x"}), "a name without entry maps to its own field"),
        (
            "<a>",
            {"a": "b"},
            {"to": "+1", "b": "x", "a": "y"},
            Mapped("+1", {"a": "x"}),
            "an entry wins over the own field",
        ),
        ("<to>", {"to": "t"}, {"t": "+1"}, Mapped("+1", {"to": "+1"}), "<to> is the recipient"),
        (
            "<a><b>",
            {"a": "x", "b": "x"},
            {"to": "+1", "x": "v"},
            Mapped("+1", {"a": "v", "b": "v"}),
            "two from one field",
        ),
        (
            "<a>",
            {"a": "b"},
            {"to": "+1", "b": "x", "c": None},
            Mapped("+1", {"a": "x"}),
            "other fields may be anything",
        ),
        (
            "<prénom>",
            {NFD_NAME: "p"},
            {"to": "+1", "p": "x"},
            Mapped("+1", {"prénom": "x"}),
            "the entry typed otherwise",
        ),
        ("<prénom>", {}, {"to": "+1", NFD_NAME: "x"}, Mapped("+1", {"prénom": "x"}), "a CSV header from a Mac"),
        ("<a>", {"a": NFD_NAME}, {"to": "+1", "prénom": "x"}, Mapped("+1", {"a": "x"}), "the other way round"),
        (
            "<a>",
            {},
            {"to": 15558675310, "a": "x"},
            Mapped("15558675310", {"a": "x"}),
            "a number as number: E.164 is not our say",
        ),
    ],
)
def test_mapping(text: str, mapping: dict[str, str], record: dict[str, Any], mapped: Mapped, why: str) -> None:
    assert FieldMapping.build(Template.parse(text), mapping).apply(record) == mapped, why


@pytest.mark.parametrize(
    ("value", "text", "why"),
    [
        ("Ann", "Ann", "text"),
        (" Ann ", " Ann ", "text is not trimmed"),
        ("Zoë", "Zoë", "not ASCII"),
        ("0", "0", "text that looks like nothing is something"),
        (0, "0", "zero is a value"),
        (-7, "-7", "negative"),
        (12345678901234567890, "12345678901234567890", "beyond 64 bits"),
        (3.0, "3", "what JSON writes as 3"),
        (10.5, "10.5", "a fraction"),
        (-0.25, "-0.25", "negative fraction"),
        (True, "true", "as JSON has it"),
        (False, "false", "false is a value"),
    ],
)
def test_values_become_text(value: object, text: str, why: str) -> None:
    assert FieldMapping.build(Template.parse("<a>"), {}).apply({"to": "+1", "a": value}).values == {"a": text}, why


@pytest.mark.parametrize(
    ("value", "kind", "message", "why"),
    [
        (None, ErrorKind.MISSING_VALUE, "no value for <a>: field 'f' is missing", "null"),
        ("", ErrorKind.MISSING_VALUE, "no value for <a>: field 'f' is empty", "empty"),
        (" \t\n", ErrorKind.MISSING_VALUE, "no value for <a>: field 'f' is empty", "blank"),
        ("\u3000\u00a0", ErrorKind.MISSING_VALUE, "no value for <a>: field 'f' is empty", "blank beyond ASCII"),
        (["x"], ErrorKind.INVALID_REQUEST, "field 'f' is neither text, number nor boolean", "a list"),
        ([], ErrorKind.INVALID_REQUEST, "field 'f' is neither text, number nor boolean", "an empty list"),
        ({"x": 1}, ErrorKind.INVALID_REQUEST, "field 'f' is neither text, number nor boolean", "an object"),
        (float("nan"), ErrorKind.INVALID_REQUEST, "field 'f' is not a number", "NaN, which Python's JSON lets in"),
        (float("-inf"), ErrorKind.INVALID_REQUEST, "field 'f' is not a number", "infinity"),
        ("x\ud83d", ErrorKind.INVALID_REQUEST, "field 'f' has half a character (U+D83D)", "half an emoji"),
    ],
)
def test_unusable_values(value: object, kind: ErrorKind, message: str, why: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        FieldMapping.build(Template.parse("<a>"), {"a": "f"}).apply({"to": "+1", "f": value})
    assert message in str(caught.value), why
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [("f", kind)]


def test_all_missing_values_are_named_at_once() -> None:
    with pytest.raises(InvalidValueError) as caught:
        FieldMapping.build(TEMPLATE, MAPPING).apply({"firstName": " ", "orderId": ["A-1"]})
    assert [(problem.field, problem.message, problem.kind) for problem in caught.value.problems] == [
        ("mobile", "no value for to: field 'mobile' is missing", ErrorKind.MISSING_VALUE),
        ("firstName", "no value for <first name>: field 'firstName' is empty", ErrorKind.MISSING_VALUE),
        (
            "orderId",
            "no value for <order>: field 'orderId' is neither text, number nor boolean; send it as text",
            ErrorKind.INVALID_REQUEST,
        ),
    ]
    assert caught.value.kind is ErrorKind.MISSING_VALUE


@pytest.mark.parametrize(
    ("mapping", "problems", "why"),
    [
        (
            {"first nam": "firstName"},
            [
                (
                    "first nam",
                    "is not a placeholder of the message; the mapping may have: to, first name, order",
                    ErrorKind.UNKNOWN_FIELD,
                )
            ],
            "a typing error shows what is allowed",
        ),
        ({"<order>": "o"}, [("<order>", "is not a placeholder", ErrorKind.UNKNOWN_FIELD)], "names go without brackets"),
        ({"To": "mobile"}, [("To", "is not a placeholder", ErrorKind.UNKNOWN_FIELD)], "case matters"),
        ({"order": " "}, [("order", "is mapped to no field", ErrorKind.INVALID_REQUEST)], "a blank field name"),
        (
            {"a": "x", "order": "", "b": "y"},
            [
                ("a", "is not a placeholder", ErrorKind.UNKNOWN_FIELD),
                ("order", "is mapped to no field", ErrorKind.INVALID_REQUEST),
                ("b", "is not a placeholder", ErrorKind.UNKNOWN_FIELD),
            ],
            "all at once",
        ),
    ],
)
def test_wrong_mappings(mapping: dict[str, str], problems: list[tuple[str, str, ErrorKind]], why: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        FieldMapping.build(TEMPLATE, mapping)
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [
        (f, kind) for f, _, kind in problems
    ], why
    assert all(
        part in problem.message for (_, part, _), problem in zip(problems, caught.value.problems, strict=True)
    ), why


def test_one_name_typed_in_two_ways_is_mapped_twice() -> None:
    with pytest.raises(InvalidValueError, match="is mapped twice; keep one entry"):
        FieldMapping.build(Template.parse("<prénom>"), {"prénom": "a", NFD_NAME: "b"})


scalars = (
    st.text(max_size=10) | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(["mobile", "firstName", "orderId", "else"]), scalars))
def test_a_record_gives_all_or_names_all_that_is_wrong(record: dict[str, object]) -> None:
    mapping = FieldMapping.build(TEMPLATE, MAPPING)
    try:
        mapped = mapping.apply(record)
    except InvalidValueError as error:
        wrong = [problem.field for problem in error.problems]
        assert len(wrong) == len(set(wrong))
        mended = mapping.apply({**record, **dict.fromkeys(wrong, "x")})
        assert mended.values.keys() == set(TEMPLATE.placeholders)
    else:
        assert mapped.values.keys() == set(TEMPLATE.placeholders)
        assert all(text.strip() and text.encode() for text in (mapped.to, *mapped.values.values()))
