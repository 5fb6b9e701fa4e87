"""Consent: which texts end or restore it, and which only mention the word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sms_connector.model.consent_words import REGULATORS_STOP, STANDARD_WORDS, TRANSLATED_STOP, ConsentWords, classify
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.phone_number import SenderKind
from sms_connector.providers.twilio.statuses import CONSENT_WORDS


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
        ("STOP.", Keyword.STOP, "punctuation"),
        ("Stop!", Keyword.STOP, "punctuation"),
        ('"STOP"', Keyword.STOP, "quotes"),
        ("«stop»", Keyword.STOP, "quotes of other languages"),
        ("’stop’", Keyword.STOP, "apostrophes"),
        ("¡Alto!", Keyword.STOP, "Spanish punctuation"),
        ("S T O P", Keyword.STOP, "spaces within"),
        ("STOP ALL", Keyword.STOP, "a space within"),
        ("OPT OUT", Keyword.STOP, "the regulator's list"),
        ("OPT-OUT", Keyword.STOP, "a hyphen"),
        ("opt–out", Keyword.STOP, "a dash"),
        ("Revoke", Keyword.STOP, "the regulator's list"),
        ("quit", Keyword.STOP, "the regulator's list"),
        ("END", Keyword.STOP, "the regulator's list"),
        ("cancel", Keyword.STOP, "the regulator's list"),
        ("ST\u200bOP", Keyword.STOP, "a zero-width space within"),
        ("\ufeffSTOP", Keyword.STOP, "a byte order mark"),
        ("STO\u00adP", Keyword.STOP, "a soft hyphen"),
        ("\u202aSTOP\u202c", Keyword.STOP, "marks of direction"),
        ("STOP\ufe0f", Keyword.STOP, "a variation selector"),
        ("STOP 🛑", Keyword.STOP, "an emoji"),
        ("stop 👍🏽", Keyword.STOP, "an emoji with a colour of skin"),
        ("ＳＴＯＰ", Keyword.STOP, "full-width letters"),
        ("𝐒𝐓𝐎𝐏", Keyword.STOP, "letters of a fancy keyboard"),
        ("STÓP", Keyword.STOP, "an accent"),
        ("ARRET", Keyword.STOP, "French, as carriers in Canada require it"),
        ("arrêt", Keyword.STOP, "French with its accent"),
        ("arre\u0302t", Keyword.STOP, "the accent as a character of its own"),
        ("STOPP", Keyword.STOP, "German, Swedish, Norwegian"),
        ("Abmelden", Keyword.STOP, "German"),
        ("désabonner", Keyword.STOP, "French"),
        ("Annuler", Keyword.STOP, "French"),
        ("BAJA", Keyword.STOP, "Spanish"),
        ("cancelar", Keyword.STOP, "Spanish and Portuguese"),
        ("Parar", Keyword.STOP, "Spanish and Portuguese"),
        ("SAIR", Keyword.STOP, "Portuguese"),
        ("annulla", Keyword.STOP, "Italian"),
        ("Afmelden", Keyword.STOP, "Dutch"),
        ("afmeld", Keyword.STOP, "Danish"),
        ("sluta", Keyword.STOP, "Swedish"),
        ("avsluta", Keyword.STOP, "Swedish"),
        ("lopeta", Keyword.STOP, "Finnish"),
        ("odhlásit", Keyword.STOP, "Czech"),
        ("İPTAL", Keyword.STOP, "Turkish, dotted capital"),
        ("ıptal", Keyword.STOP, "Turkish, dotless small"),
        ("Стоп", Keyword.STOP, "Russian, any case"),
        ("στοπ", Keyword.STOP, "Greek, any case"),
        ("توقف", Keyword.STOP, "Arabic"),
        ("إلغاء", Keyword.STOP, "Arabic with its hamza"),
        ("הסר", Keyword.STOP, "Hebrew"),
        ("停止", Keyword.STOP, "Japanese and Chinese"),
        ("ｽﾄｯﾌﾟ", Keyword.STOP, "Japanese, half-width"),
        ("退订", Keyword.STOP, "Chinese"),
        ("수신거부", Keyword.STOP, "Korean"),
        ("please stop", None, "the whole text counts"),
        ("stop it", None, "the whole text counts"),
        ("Don't stop", None, "the whole text counts"),
        ("Please do not end my order", None, "the whole text counts"),
        ("bus stop", None, "another meaning"),
        ("non-stop", None, "another word"),
        ("STOPS", None, "another word"),
        ("ends", None, "another word"),
        ("Start!", Keyword.START, "START folds too"),
        ("start now", None, "the whole text counts"),
        ("Help?", Keyword.HELP, "HELP folds too"),
        ("no", None, "answers a question"),
        ("", None, "nothing"),
        ("  ", None, "nothing"),
        ("...", None, "punctuation alone"),
        ("🛑", None, "a symbol alone"),
    ],
)
def test_standard_words(text: str, keyword: Keyword | None, why: str) -> None:
    assert classify(text) is keyword, why


@pytest.mark.parametrize(
    ("text", "keyword", "why"),
    [
        ("genug, jetzt!", Keyword.STOP, "the connection's own words"),
        ("BASTA", Keyword.STOP, "listed with a space around"),
        ("straße", Keyword.START, "folded, not only lowered"),
        ("STRASSE", Keyword.START, "folded, not only lowered"),
        ("hilfe", Keyword.HELP, "the connection's own word"),
        ("stop", Keyword.STOP, "the standard words still hold"),
        ("yes", Keyword.STOP, "in two lists: stop wins"),
    ],
)
def test_extra_words(text: str, keyword: Keyword | None, why: str) -> None:
    words = replace(STANDARD_WORDS, start=(*STANDARD_WORDS.start, "Straße"), help=(*STANDARD_WORDS.help, "Hilfe"))
    assert classify(text, words, extra_stop=["Genug jetzt", " basta ", "yes"]) is keyword, why


@pytest.mark.parametrize(
    ("text", "keyword", "why"),
    [
        ("avbryt", Keyword.STOP, "the provider's list"),
        ("stop", Keyword.STOP, "the regulator's list holds with every provider"),
        ("start", None, "what restores consent is the provider's own"),
        ("", None, "an empty list matches no empty text"),
    ],
)
def test_a_providers_own_list(text: str, keyword: Keyword | None, why: str) -> None:
    assert classify(text, ConsentWords(stop=("AVBRYT",))) is keyword, why


@pytest.mark.parametrize(
    ("text", "kind", "keyword", "why"),
    [
        ("YES", SenderKind.LONG_CODE, Keyword.START, "a long code takes it"),
        ("YES", SenderKind.SHORT_CODE, Keyword.START, "a short code takes it"),
        ("YES", SenderKind.TOLL_FREE, None, "the network does not lift the block of a toll-free number for it"),
        ("START", SenderKind.TOLL_FREE, Keyword.START, "one of the two that lift it"),
        ("unstop", SenderKind.TOLL_FREE, Keyword.START, "one of the two that lift it"),
        ("STOP", SenderKind.TOLL_FREE, Keyword.STOP, "words that end consent are the same everywhere"),
        ("Arrêt", SenderKind.TOLL_FREE, Keyword.STOP, "words that end consent are the same everywhere"),
        ("HELP", SenderKind.TOLL_FREE, Keyword.HELP, "help is help"),
        ("YES", None, Keyword.START, "no kind is known"),
    ],
)
def test_words_by_the_kind_of_our_number(text: str, kind: SenderKind | None, keyword: Keyword | None, why: str) -> None:
    assert classify(text, CONSENT_WORDS, our_kind=kind) is keyword, why


noise = st.text(alphabet=" \t\r\n.!?\"'()*_-\u200b\ufeff\u00ad\u00a0\u202a\ufe0f", max_size=3)


@given(
    st.sampled_from((*REGULATORS_STOP, *TRANSLATED_STOP, *STANDARD_WORDS.stop)),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.lists(noise, min_size=40, max_size=40),
)
def test_case_and_what_is_no_letter_never_hide_a_stop(word: str, uppers: list[bool], between: list[str]) -> None:
    letters = (c.upper() if upper else c.lower() for c, upper in zip(word, uppers, strict=False))
    said = "".join(separator + letter for letter, separator in zip(letters, between, strict=False))
    assert classify(said) is Keyword.STOP


@given(st.text(max_size=30))
def test_any_text_has_an_answer(text: str) -> None:
    assert classify(text) in (None, *Keyword)
