"""SMS_SENDERS: what a list may say, and that everything wrong with it is reported with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import StartError
from sms_connector.model.phone_number import Sender, SenderKind
from sms_connector.settings import Settings, load
from tests.settings.test_settings import LOCAL

ORDERS = {"address": "+15551234567", "name": "Orders", "businessUnit": "Retail", "countries": ["us", "CA"]}
ACME = {"address": "ACME", "kind": "alphanumeric", "default": True}


def read(*senders: Any, raw: str | None = None, **others: str) -> Settings:
    return load(LOCAL | {"SMS_SENDERS": json.dumps(senders) if raw is None else raw, **others})


def problems(*senders: Any, raw: str | None = None, **others: str) -> list[str]:
    with pytest.raises(StartError) as caught:
        read(*senders, raw=raw, **others)
    return caught.value.problems


def test_a_list_with_everything() -> None:
    settings = read(ORDERS, ACME)
    orders = Sender("+15551234567", SenderKind.LONG_CODE, "Orders", "Retail", ("US", "CA"))
    acme = Sender("ACME", SenderKind.ALPHANUMERIC, default=True)
    assert settings.senders == settings.all_senders.listed == (orders, acme)
    assert settings.all_senders.complete


def test_the_example_can_be_used_as_it_is() -> None:
    example = Path(__file__).parents[2] / "examples" / "senders.json"
    assert [sender.name for sender in read(raw=example.read_text()).senders] == ["Orders", "Acme Europe"]


def test_a_sender_alone_is_the_short_form_for_one() -> None:
    alone = load(LOCAL | {"SMS_SENDER": "+15551234567"}).all_senders
    assert alone.listed == read({"address": "+15551234567", "default": True}).all_senders.listed
    assert not load(LOCAL).all_senders.listed
    assert not read().all_senders.listed


def test_each_channel_has_a_default_of_its_own() -> None:
    assert len(read(ACME, {"address": "whatsapp:+15551234567", "default": True}).senders) == 2


@pytest.mark.parametrize(
    ("wrong", "place", "said"),
    [
        pytest.param("ACME", "", "it has to be an object", id="no object"),
        pytest.param({}, ".address", "is missing", id="no address"),
        pytest.param({"address": 15551234567}, ".address", "it has to be text, in quotes", id="a number"),
        pytest.param({"address": "+1555"}, ".address", "is not a phone number", id="too short"),
        pytest.param({"address": "much too long a name"}, ".address", "is not a sender", id="too long"),
        pytest.param({**ACME, "friendlyName": "x"}, ".friendlyName", "unknown field; a sender has address", id="field"),
        pytest.param({**ACME, "name": ""}, ".name", "text of 1 to 100 printable characters", id="an empty name"),
        pytest.param({**ACME, "name": "a\nb"}, ".name", "printable", id="a name of two lines"),
        pytest.param({**ACME, "businessUnit": 7}, ".businessUnit", "text of 1 to 100", id="a unit that is a number"),
        pytest.param({**ACME, "kind": "mobile"}, ".kind", "'mobile' is not one of long_code", id="no kind"),
        pytest.param({**ACME, "kind": ["pool"]}, ".kind", "is not one of", id="a list of kinds"),
        pytest.param(
            {**ACME, "kind": "long_code"}, ".kind", "the address is alphanumeric, not long_code", id="another kind"
        ),
        pytest.param({**ACME, "countries": "DE"}, ".countries", "it has to be an array", id="a country alone"),
        pytest.param({**ACME, "countries": ["DE", "XX"]}, ".countries[1]", "'XX' is not a country", id="no country"),
        pytest.param({**ACME, "countries": [49]}, ".countries[0]", "'49' is not a country", id="a country code"),
        pytest.param({**ACME, "countries": ["UK"]}, ".countries[0]", "write GB", id="a country's other name"),
        pytest.param(
            {**ACME, "countries": ["DE", "US"]}, ".countries[1]", "US takes no alphanumeric sender", id="refused there"
        ),
        pytest.param({**ACME, "default": "true"}, ".default", "true or false, without quotes", id="a truth in quotes"),
    ],
)
def test_says_what_is_wrong_and_where(wrong: Any, place: str, said: str) -> None:
    [problem] = problems(ORDERS, wrong)
    assert problem.startswith(f"SMS_SENDERS[1]{place} (environment): ")
    assert said in problem


@pytest.mark.parametrize(
    ("second", "place", "said"),
    [
        pytest.param({"address": "+1 555 123 4567"}, "address", "is that of SMS_SENDERS[0] too", id="an address twice"),
        pytest.param({"address": "12345", "name": "ORDERS "}, "name", "is that of SMS_SENDERS[0] too", id="a name"),
        pytest.param(
            {"address": "12345", "name": "+15551234567"}, "name", "is the address of SMS_SENDERS[0]", id="an address"
        ),
        pytest.param({"address": "12345", "default": True}, "default", "SMS_SENDERS[0] is the default", id="defaults"),
    ],
)
def test_what_only_one_may_have(second: dict[str, Any], place: str, said: str) -> None:
    [problem] = problems({**ORDERS, "default": True}, second)
    assert problem.startswith(f"SMS_SENDERS[1].{place} (environment): ")
    assert said in problem


def test_everything_wrong_is_told_at_once() -> None:
    told = problems(
        {**ORDERS, "x": 1, "kind": "pool"}, {"name": "Orders", "countries": ["XX", "YY"]}, SMS_NODE_RATE="0"
    )
    assert [problem.partition(" ")[0] for problem in told] == [
        "SMS_SENDERS[0].x",
        "SMS_SENDERS[0].kind",
        "SMS_SENDERS[1].address",
        "SMS_SENDERS[1].countries[0]",
        "SMS_SENDERS[1].countries[1]",
        "SMS_NODE_RATE",
    ]


@pytest.mark.parametrize("raw", ["ACME", "{}", '["', "7", "null"])
def test_what_is_no_json_array(raw: str) -> None:
    [problem] = problems(raw=raw)
    assert problem.startswith("SMS_SENDERS (environment): it has to be a JSON array of objects, such as [{")


def test_one_form_or_the_other() -> None:
    [problem] = problems(ORDERS, SMS_SENDER="+15550000001")
    assert "SMS_SENDER and SMS_SENDERS are both set" in problem


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["ACME", "US", "+15551234567"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ORDERS, *ACME, "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_json)
def test_any_document_is_a_list_of_senders_or_refused_in_words(document: Any) -> None:
    told: list[str] = []
    try:
        count = len(read(raw=json.dumps(document)).senders)
    except StartError as error:
        told, count = error.problems, -1
    assert all(problem.startswith("SMS_SENDERS") for problem in told)
    assert told or count == len(document)
