"""Nothing that identifies a person or opens a door is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.transport.http import HttpRequest, HttpResponse
from sms_connector.transport.redaction import redact_headers, redact_text, redact_url

SID = "0123456789abcdef0123456789abcdef"

URLS = [
    ("https://user:pw@api.test/a", "https://api.test/a", "user info"),
    ("https://api.test/a?To=%2B15558675310&x", "https://api.test/a?To=***&x=***", "query values"),
    (
        f"https://api.test/2010-04-01/Accounts/AC{SID}.json",
        "https://api.test/2010-04-01/Accounts/AC…cdef.json",
        "an id",
    ),
    ("https://api.test/optOuts/+15558675310", "https://api.test/optOuts/+155…10", "a number in the path"),
    ("https://api.test/optOuts/%2B15558675310", "https://api.test/optOuts/+155…10", "an encoded number in the path"),
    ("https://api.test/cb/msg_1/Zm9vYmFyYmF6cXV4MTIz", "https://api.test/cb/msg_1/Zm…MTIz", "a keyed digest"),
    ("https://api.test/a#secret", "https://api.test/a", "the fragment"),
    ("https://[::1", "***", "not a URL"),
]


@pytest.mark.parametrize(("url", "shown"), [row[:2] for row in URLS], ids=[row[2] for row in URLS])
def test_urls(url: str, shown: str) -> None:
    assert redact_url(url) == shown


TEXTS = [
    ("call +15558675310 now", "call +155…10 now", "E.164"),
    ("call +1 (555) 867-5310.", "call +155…10.", "as people write it"),
    ("call 01632 960961", "call 016…61", "national"),
    ("on 2026-11-22 at 19:36:00", "on 2026-11-22 at 19:36:00", "a date is no number"),
    ("error 21211, 30007", "error 21211, 30007", "error codes are needed"),
    (f"see SM{SID}", "see SM…cdef", "an id"),
    ("see https://a.test/x?To=123456789", "see https://a.test/x?To=***", "a URL in a sentence"),
]


@pytest.mark.parametrize(("text", "shown"), [row[:2] for row in TEXTS], ids=[row[2] for row in TEXTS])
def test_texts(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_headers_show_only_what_is_known_to_be_harmless() -> None:
    headers = {
        "Authorization": "Basic QUM=",
        "Proxy-Authorization": "Digest x",
        "X-New": "who knows",
        "Content-Type": "text/csv",
    }
    assert redact_headers(headers) == {
        "Authorization": "***",
        "Proxy-Authorization": "***",
        "X-New": "***",
        "Content-Type": "text/csv",
    }


@given(
    st.from_regex(r"\+[1-9]\d{7,14}", fullmatch=True), st.sampled_from(["to {}", "({})", "{}, {}", "to:{};", "'{}'"])
)
def test_no_number_survives(number: str, sentence: str) -> None:
    assert number[1:] not in redact_text(sentence.replace("{}", number))
    for spelling in (number, quote(number, safe="")):
        assert number[1:] not in redact_url(f"https://api.test/v1/{spelling}/x?to={spelling}#{spelling}")


@given(st.text(max_size=80))
def test_redaction_never_raises(text: str) -> None:
    redact_text(text)
    redact_url(text)


def test_what_repr_shows() -> None:
    url = f"https://api.test/Accounts/AC{SID}/Messages.json?To=%2B15558675310"
    shown = repr(HttpRequest("POST", url, {"X": "y"}, b"Body=words", authorization="Basic QUM="))
    assert shown == "HttpRequest(POST https://api.test/Accounts/AC…cdef/Messages.json?To=***)"
    assert repr(HttpResponse(201, {"a": "b"}, b"words")) == "HttpResponse(201, 5 bytes)"
