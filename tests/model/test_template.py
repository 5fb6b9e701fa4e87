"""Templates: what is a placeholder, what is text, and that values stay what they are."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.template import (
    MAX_NAME_LENGTH,
    MAX_PLACEHOLDERS,
    Template,
    normalize_name,
    strip_invisible,
)

DECOMPOSED = unicodedata.normalize("NFD", "prénom")


@pytest.mark.parametrize(
    ("text", "names", "why"),
    [
        ("Hello <first name>, order <order> ships today.", ("first name", "order"), "the contract's example"),
        ("<a>", ("a",), "one letter, nothing around it"),
        ("<a><b>", ("a", "b"), "nothing between"),
        ("<a> <b> <a>", ("a", "b"), "the same one twice counts once, in order of first use"),
        ("<A> <a>", ("A", "a"), "case matters"),
        (
            "<prénom> <Größe> <имя> <名前> <नाम>",
            ("prénom", "Größe", "имя", "名前", "नाम"),
            "letters of any script, vowel signs too",
        ),
        (f"<{DECOMPOSED}>", ("prénom",), "the accent typed as a character of its own"),
        (f"<prénom> <{DECOMPOSED}>", ("prénom",), "one name, however it was typed"),
        ("<order2> <line 2>", ("order2", "line 2"), "digits, but not in front"),
        (
            "<first_name> <e-mail> <driver's name> <nom d’usage>",
            ("first_name", "e-mail", "driver's name", "nom d’usage"),
            "marks",
        ),
        (f"<{'a' * MAX_NAME_LENGTH}>", ("a" * MAX_NAME_LENGTH,), "the longest"),
        (f"<{'é' * MAX_NAME_LENGTH}>", ("é" * MAX_NAME_LENGTH,), "the longest, with accents"),
        (
            unicodedata.normalize("NFD", f"<{'ǖ' * MAX_NAME_LENGTH}>"),
            ("ǖ" * MAX_NAME_LENGTH,),
            "three times as long as typed",
        ),
        ("<<name>", ("name",), "the first < is text"),
        ("<<<name>>", (), "an escaped one with a < before"),
        (
            "<first\u00a0name> <last\u202fname>",
            ("first name", "last name"),
            "no-break spaces, as word processors put them",
        ),
        ("<first\tname> <last\nname>", ("first name", "last name"), "any white space"),
        ("<first  name>", ("first name",), "two spaces are one"),
        ("<a\u200bb> <\ufeffc> <d\u00ad>", ("ab", "c", "d"), "invisible characters are no part of a name"),
        ("a <b and c> d", ("b and c",), "looks like one, so it is one"),
        ("1 < 2 <name>", ("name",), "a lone < before"),
        ("<to>", ("to",), "the recipient can be written in the text"),
        ("<a> <b> <c> <d> <e> <a>", ("a", "b", "c", "d", "e"), "five different ones, the most"),
    ],
)
def test_placeholders(text: str, names: tuple[str, ...], why: str) -> None:
    assert Template.parse(text).placeholders == names, why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("no placeholder", "no <"),
        ("a < b", "a space follows"),
        ("a < b > c", "a space follows, though a > comes"),
        ("<3", "a heart"),
        ("<3>", "a digit in front"),
        ("<2nd name>", "a digit in front"),
        ("<>", "no name"),
        ("< name>", "a space in front"),
        ("<name >", "a space behind"),
        ("<name", "never closed"),
        ("name>", "never opened"),
        ("<a.b>", "a dot"),
        ("<a/b> </b>", "slashes: markup"),
        ("<a=1>", "an equals sign"),
        ("<_name>", "an underscore in front"),
        ("<-->", "no letter"),
        ("<\u0301a>", "an accent with no letter under it"),
        ("<name\u00a0>", "a no-break space behind"),
        ("<name😀>", "an emoji within"),
        (f"<{'a' * (MAX_NAME_LENGTH + 1)}>", "too long"),
        ("a <= b >= c -> d <- e", "arrows and comparisons"),
        ("&lt;name&gt; {name} %name% $name", "other people's placeholders"),
    ],
)
def test_what_opens_no_placeholder_is_text(text: str, why: str) -> None:
    template = Template.parse(text)
    assert template.placeholders == (), why
    assert template.render({}) == text, why


@pytest.mark.parametrize(
    ("text", "values", "rendered", "why"),
    [
        ("Hi <name>!", {"name": "Ann"}, "Hi Ann!", "the ordinary case"),
        ("<a><a>", {"a": "x"}, "xx", "every occurrence"),
        ("<a> <b>", {"a": "<b>", "b": "<a>"}, "<b> <a>", "values are never read as templates"),
        ("<<<a>", {"a": "b"}, "<<b", "nor is what they make together with the text"),
        ("<<a>>", {}, "<a>", "an escaped placeholder is the text itself"),
        ("<<<a>>>", {}, "<<a>>", "and so can it be written itself"),
        ("Hi <<a>>, <a>", {"a": "Ann"}, "Hi <a>, Ann", "escaped beside filled"),
        ("<<first\u00a0name>>", {}, "<first\u00a0name>", "the text as it was written"),
        ("1 << 2 >> 3", {}, "1 << 2 >> 3", "no name, so nothing is escaped"),
        ("<a>", {"a": r"\1 \g<a> {a} %s $a"}, r"\1 \g<a> {a} %s $a", "no other language's marks either"),
        ("<a>", {"a": ""}, "", "an empty value is the mapping's business"),
        ("<a>", {"a": "x", "b": "y"}, "x", "values without a placeholder are ignored"),
        (f"<{DECOMPOSED}>", {"prénom": "Zoë"}, "Zoë", "the name is composed, the value untouched"),
        (f"{DECOMPOSED} <a>", {"a": DECOMPOSED}, f"{DECOMPOSED} {DECOMPOSED}", "text and values are not composed"),
    ],
)
def test_rendering(text: str, values: dict[str, str], rendered: str, why: str) -> None:
    assert Template.parse(text).render(values) == rendered, why


@pytest.mark.parametrize(
    ("text", "message", "why"),
    [
        (
            "<a><b><c><d><e><f>",
            "has 6 different placeholders (<a>, <b>, <c>, <d>, <e>, <f>); at most 5",
            "one too many",
        ),
        ("half \ud83d", "has half a character (U+D83D)", 'JSON\'s "\\ud83d" alone'),
    ],
)
def test_refusals(text: str, message: str, why: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Template.parse(text)
    assert message in str(caught.value), why
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [("", ErrorKind.INVALID_MESSAGE)]


def test_a_missing_value_is_a_bug_and_says_which() -> None:
    with pytest.raises(KeyError, match="name"):
        Template.parse("<name>").render({})


carried = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
tricky = st.text(alphabet="<<<>>>ab 1_'-é\u0301\n", max_size=40)
names = st.from_regex(r"[a-zà-ö](?:[a-z0-9à-ö '_-]{0,38}[a-z0-9])?", fullmatch=True).map(normalize_name)


def parse(text: str) -> Template | None:
    try:
        return Template.parse(text)
    except InvalidValueError:
        return None


@given(carried | tricky)
def test_parts_are_text_and_names_in_turn_and_nothing_is_lost(text: str) -> None:
    template = parse(text)
    if template is None:
        return
    assert len(template.parts) % 2 == 1
    assert tuple(dict.fromkeys(template.parts[1::2])) == template.placeholders
    assert all(normalize_name(name) == name for name in template.placeholders)
    spelled = template.render({name: f"<{name}>" for name in template.placeholders})
    assert bare(spelled) == bare(text)


def bare(text: str) -> str:
    """Without what folding and escaping change: white space, invisible characters, brackets."""
    return "".join(unicodedata.normalize("NFC", strip_invisible(text)).translate({0x3C: None, 0x3E: None}).split())


@given(carried.map(lambda text: text.replace("<", "")))
def test_text_without_an_opening_is_unchanged(text: str) -> None:
    assert Template.parse(text).render({}) == text


@given(st.lists(names, min_size=1, max_size=MAX_PLACEHOLDERS), st.lists(carried | tricky, min_size=5, max_size=5))
def test_values_go_in_as_they_are(drawn: list[str], values: list[str]) -> None:
    given_values = dict(zip(drawn, values, strict=False))
    template = Template.parse("|".join(f"<{name}>" for name in drawn))
    assert template.placeholders == tuple(dict.fromkeys(drawn))
    assert template.render(given_values) == "|".join(given_values[name] for name in drawn)
