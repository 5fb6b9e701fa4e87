"""Nothing that identifies a person or opens a door is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.structured_log import mask_url
from sms_connector.transport.http import HttpRequest, HttpResponse

SID = "0123456789abcdef0123456789abcdef"

URLS = [
    ("https://user:pw@api.test/a", "https://api.test/a", "user info"),
    ("https://api.test/a?To=%2B15558675310&x", "https://api.test/a?To=***&x=***", "query values"),
    (
        f"https://api.test/2010-04-01/Accounts/AC{SID}.json",
        "https://api.test/2010-04-01/Accounts/AC…cdef.json",
        "an id",
    ),
    ("https://api.test/optOuts/+15558675310", "https://api.test/optOuts/…10", "a number in the path"),
    ("https://api.test/optOuts/%2B15558675310", "https://api.test/optOuts/…10", "an encoded number in the path"),
    ("https://api.test/cb/msg_1/Zm9vYmFyYmF6cXV4MTIz", "https://api.test/cb/msg_1/Zm…MTIz", "a keyed digest"),
    ("https://api.test/a#secret", "https://api.test/a", "the fragment"),
    ("https://[::1", "***", "not a URL"),
]


@pytest.mark.parametrize(("url", "shown"), [row[:2] for row in URLS], ids=[row[2] for row in URLS])
def test_urls(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@given(st.from_regex(r"\+[1-9]\d{7,14}", fullmatch=True))
def test_no_number_survives(number: str) -> None:
    for spelling in (number, quote(number, safe="")):
        assert number[1:] not in mask_url(f"https://api.test/v1/{spelling}/x?to={spelling}&{spelling}#{spelling}")


@given(st.text(max_size=80))
def test_redaction_never_raises(text: str) -> None:
    mask_url(text)


def test_what_repr_shows() -> None:
    url = f"https://api.test/Accounts/AC{SID}/Messages.json?To=%2B15558675310"
    shown = repr(HttpRequest("POST", url, {"X": "y"}, b"Body=words", authorization="Basic QUM="))
    assert shown == "HttpRequest(POST https://api.test/Accounts/AC…cdef/Messages.json?To=***)"
    assert repr(HttpResponse(201, {"a": "b"}, b"words")) == "HttpResponse(201, 5 bytes)"
