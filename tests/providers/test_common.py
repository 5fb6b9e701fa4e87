"""What providers that are called over HTTP have in common."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.provider import RawCallback
from sms_connector.providers.common import accepts_webhook_basic, basic, split_array
from tests.contract.providers.doubles import CannedSecrets

NOW = datetime(2026, 7, 6, 12, 0, 0, tzinfo=UTC)


def callback(body: bytes, **headers: str) -> RawCallback:
    return RawCallback("POST", "https://hooks.example.com/webhooks/p/status/t", headers, body, NOW)


@given(
    items=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30)), min_size=1, max_size=40),
    most=st.integers(30, 400),
    key=st.sampled_from([None, "results"]),
)
def test_an_array_is_spread_without_loss_in_order(items: list[dict[str, str]], most: int, key: str | None) -> None:
    body = json.dumps(items if key is None else {key: items, "count": len(items)}).encode()
    parts = split_array(callback(body), most, key=key)
    read = [json.loads(part.body) for part in parts]
    assert [item for part in read for item in (part if key is None else part[key])] == items
    longest = max(len(json.dumps(item)) for item in items)
    assert len(parts) == 1 or all(len(part.body) <= max(most, longest) + 20 for part in parts)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'"text"', b"[" * 100, b'{"results": 3}', b'{"results": {"a": 1}}', b"\xff\xfe" * 40],
    ids=repr,
)
@pytest.mark.parametrize("key", [None, "results"])
def test_what_is_no_such_array_stays_whole(body: bytes, key: str | None) -> None:
    assert split_array(callback(body), 1, key=key) == [callback(body)]


@pytest.mark.parametrize(
    ("secrets", "given", "accepted"),
    [
        pytest.param({}, "", True, id="nothing is set, nothing is asked"),
        pytest.param({"webhook-username": "u", "webhook-password": "new"}, basic("u", "new"), True, id="current"),
        pytest.param(
            {"webhook-username": "u", "webhook-password": "new", "webhook-password-previous": "old"},
            basic("u", "old"),
            True,
            id="the one before, while a rotation overlaps",
        ),
        pytest.param({"webhook-username": "u", "webhook-password": "new"}, basic("u", "old"), False, id="another"),
        pytest.param({"webhook-username": "u", "webhook-password": "new"}, "", False, id="none"),
        pytest.param({"webhook-username": "u"}, basic("u", ""), False, id="a name without a password accepts nobody"),
        pytest.param({"webhook-username": "u", "webhook-password": "new"}, "Basic \xff", False, id="not ASCII"),
    ],
)
def test_basic_authentication_of_callbacks(secrets: dict[str, str], given: str, accepted: bool) -> None:
    found = accepts_webhook_basic(CannedSecrets(secrets), callback(b"", authorization=given))
    assert found is accepted
