"""Page tokens: they come back as they were, and anything else is refused in one way only."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind
from sms_connector.model.invalid_value import InvalidValueError
from sms_connector.model.page import PageKey, decode_token, encode_token

plain = (
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)


def forge(content: str) -> str:
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


@given(st.lists(plain, max_size=4).map(tuple))
def test_a_key_comes_back_as_it_was(key: PageKey) -> None:
    token = encode_token(key)
    assert decode_token(token) == key
    assert token.replace("-", "").replace("_", "").isalnum()


def decode_or_refuse(token: str) -> PageKey | InvalidValueError:
    try:
        return decode_token(token)
    except InvalidValueError as error:
        return error


tokens = (
    st.text(max_size=60)
    | st.from_regex(r"[A-Za-z0-9_-]{0,60}={0,2}", fullmatch=True)
    | st.text(alphabet='[]{},:"\\1ea .', max_size=30).map(forge)
)
documents = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=6
).map(lambda document: forge(json.dumps(document, separators=(",", ":"))))


@given(tokens | documents)
def test_any_text_is_a_token_of_ours_or_refused(token: str) -> None:
    decoded = decode_or_refuse(token)
    if isinstance(decoded, InvalidValueError):
        assert decoded.kind is ErrorKind.INVALID_REQUEST
    else:
        assert encode_token(decoded) == token


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "empty"),
        ("2", "what a page number would look like"),
        (encode_token(("a", 1))[:-1], "cut off"),
        (encode_token(("a", 1)) + "=", "padded: another spelling"),
        (encode_token(("a", 1)) + "\n", "a line end"),
        ("é" * 8, "not ASCII"),
        (forge("null"), "no list"),
        (forge('{"a":1}'), "an object"),
        (forge("[[1]]"), "a list within"),
        (forge("[1, 2]"), "a space we don't write"),
        (forge("[NaN]"), "no JSON"),
        (forge(r'["\ud83d"]'), "half a character"),
        (forge("[" * 700), "nested without end"),
        (forge("[" + "1" * 5000 + "]"), "longer than any of ours"),
        (base64.urlsafe_b64encode(b"\xff\xfe[1]").decode(), "no UTF-8"),
    ],
)
def test_refused_tokens_say_what_to_send(token: str, why: str) -> None:
    with pytest.raises(
        InvalidValueError, match="send the nextPageToken of the page before, or none for the first page"
    ):
        decode_token(token)


@pytest.mark.parametrize(
    ("key", "why"), [(("x" * 2000,), "too long"), ((float("nan"),), "no JSON"), (("\ud83d",), "half a character")]
)
def test_keys_that_make_no_token(key: PageKey, why: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_token(key)
