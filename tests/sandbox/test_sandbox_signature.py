"""Vectors of the official SDK, and the SDK's own validator as judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from sandbox.twilio.accounts import AUTH_TOKEN
from sandbox.twilio.signature import sign

STATUS_URL = "https://sms.example.com/hooks/twilio/status?tenant=acme"
STATUS_FORM = [
    ("AccountSid", "AC00000000000000000000000000000001"),
    ("ApiVersion", "2010-04-01"),
    ("From", "+15017122661"),
    ("MessageSid", "SM00000000000000000000000000000001"),
    ("MessageStatus", "delivered"),
    ("SmsSid", "SM00000000000000000000000000000001"),
    ("SmsStatus", "delivered"),
    ("To", "+15558675310"),
]
INBOUND_URL = "https://sms.example.com/hooks/twilio/inbound"
INBOUND_FORM = [
    ("From", "+15558675310"),
    ("MessageSid", "SM00000000000000000000000000000002"),
    ("NumMedia", "0"),
    ("To", "+15017122661"),
]


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        pytest.param(STATUS_URL, STATUS_FORM, "Gahk9UGeWifqG7dmT0ChSXRvpDw=", id="a status callback"),
        pytest.param(STATUS_URL, STATUS_FORM[::-1], "Gahk9UGeWifqG7dmT0ChSXRvpDw=", id="in any order"),
        pytest.param(f"{STATUS_URL}#rc=3", STATUS_FORM, "Gahk9UGeWifqG7dmT0ChSXRvpDw=", id="without the fragment"),
        pytest.param(
            STATUS_URL.replace(".com", ".com:443"), STATUS_FORM, "Z9a8lAlC7nevLBIyl+OHkL0j4Gc=", id="with the port"
        ),
        pytest.param(
            INBOUND_URL, [("Body", "Olá – ça va? 👍"), *INBOUND_FORM], "KtxElSWhhwL+Kx+zb1iAvimE3hs=", id="not ASCII"
        ),
        pytest.param(INBOUND_URL, [("Body", ""), *INBOUND_FORM], "eiokilCoIkX8Ze1MFvtEUW2BF0M=", id="an empty value"),
        pytest.param(
            f"{INBOUND_URL}?From=%2B15558675310&Body=Hi", [], "wWVJZmXZPkHs56P6f2DdsGqwbh4=", id="a GET has no form"
        ),
        pytest.param(
            "https://h/x",
            [("A", "2"), ("A", "1"), ("A", "2"), ("B", "x")],
            "+p+CO2hOnSgxcXqfgpkidapFsck=",
            id="repeated names",
        ),
    ],
)
def test_vectors(url: str, form: list[tuple[str, str]], signature: str) -> None:
    assert sign(AUTH_TOKEN, url, form=form) == signature


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=8)), max_size=6))
def test_the_official_validator_agrees(form: list[tuple[str, str]]) -> None:
    assert RequestValidator(AUTH_TOKEN).validate(STATUS_URL, MultiDict(form), sign(AUTH_TOKEN, STATUS_URL, form=form))
