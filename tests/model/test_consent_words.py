"""Consent: which texts end or restore it, and which only mention the word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.model.consent import STANDARD_WORDS, ConsentWords, classify
from sms_connector.model.inbound_message import Keyword


@pytest.mark.parametrize(
    ("text", "keyword", "why"),
    [
        ("STOP", Keyword.STOP, "the word"),
        ("stop", Keyword.STOP, "any case"),
        ("StOp", Keyword.STOP, "any case"),
        (" \tSTOP\r\n", Keyword.STOP, "trimmed"),
        ("\u00a0stop\u3000", Keyword.STOP, "trimmed beyond ASCII"),
        ("Unsubscribe", Keyword.STOP, "another word of the list"),
        ("optout", Keyword.STOP, "another word of the list"),
        ("START", Keyword.START, "the word"),
        ("unstop", Keyword.START, "contains stop, means start"),
        ("Yes", Keyword.START, "Twilio's opt-in words have it"),
        ("help", Keyword.HELP, "the word"),
        ("Info", Keyword.HELP, "the word"),
        ("please stop", None, "the whole text counts"),
        ("STOP.", None, "punctuation: providers match the bare word, so do we"),
        ("stop it", None, "the whole text counts"),
        ("S T O P", None, "spaces within"),
        ("STOPP", None, "another word"),
        ("non-stop", None, "another word"),
        ("", None, "nothing"),
        ("  ", None, "nothing"),
        ("arrêt", None, "not in the standard list"),
    ],
)
def test_standard_words(text: str, keyword: Keyword | None, why: str) -> None:
    assert classify(text) is keyword, why


@pytest.mark.parametrize(
    ("text", "keyword", "why"),
    [
        ("arrêt", Keyword.STOP, "the connection's own word"),
        ("ARRÊT", Keyword.STOP, "any case beyond ASCII"),
        ("arre\u0302t", Keyword.STOP, "the accent as a character of its own"),
        ("STOPP", Keyword.STOP, "listed with a space around"),
        ("straße", Keyword.START, "folded, not only lowered"),
        ("STRASSE", Keyword.START, "folded, not only lowered"),
        ("hilfe", Keyword.HELP, "the connection's own word"),
        ("stop", Keyword.STOP, "the standard words still hold"),
        ("yes", Keyword.STOP, "in two lists: stop wins"),
    ],
)
def test_extra_words(text: str, keyword: Keyword | None, why: str) -> None:
    found = classify(text, extra_stop=["Arrêt", " stopp ", "yes"], extra_start=["Straße"], extra_help=["Hilfe"])
    assert found is keyword, why


@pytest.mark.parametrize(
    ("text", "keyword", "why"),
    [
        ("avbryt", Keyword.STOP, "the provider's list"),
        ("stop", None, "replaces the standard one"),
        ("", None, "an empty list matches no empty text"),
    ],
)
def test_a_providers_own_list(text: str, keyword: Keyword | None, why: str) -> None:
    assert classify(text, ConsentWords(stop=("AVBRYT",))) is keyword, why


@given(
    st.sampled_from(STANDARD_WORDS.stop),
    st.text(alphabet=" \t\r\n", max_size=3),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_case_and_blanks_never_hide_a_stop(word: str, blanks: str, uppers: list[bool]) -> None:
    said = "".join(c.upper() if upper else c.lower() for c, upper in zip(word, uppers, strict=False))
    assert classify(blanks + said + blanks) is Keyword.STOP


@given(st.text(max_size=30))
def test_any_text_has_an_answer(text: str) -> None:
    listed = {*STANDARD_WORDS.stop, *STANDARD_WORDS.start, *STANDARD_WORDS.help}
    assert (classify(text) is not None) is (text.strip().casefold() in {word.casefold() for word in listed})
