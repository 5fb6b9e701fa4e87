"""`/v1/optOuts` and `/v1/inboundMessages`."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from sms_connector.callbacks.inbound import StoredInbound
from tests.fixtures.engine_double import NOW

NUMBER = "+15558675310"


@pytest.mark.parametrize(
    ("path", "number"),
    [
        pytest.param(NUMBER, NUMBER, id="as it is"),
        pytest.param("%2B15558675310", NUMBER, id="percent-encoded"),
        pytest.param(f"whatsapp:{NUMBER}", f"whatsapp:{NUMBER}", id="a channel address has a colon"),
    ],
)
def test_an_opt_out_from_beginning_to_end(api: Any, path: str, number: str) -> None:
    url = f"/v1/optOuts/{path}"
    assert api.get(url).status_code == 404
    told = {"number": number, "source": "api", "reason": "asked by phone", "createdAt": "2026-01-01T00:00:00.000Z"}
    change = {"optedOut": True, "at": told["createdAt"], "source": "api", "reason": "asked by phone"}
    detail = told | {"optedOut": True, "history": [change | {"messageId": None, "caller": None}]}
    answer = api.client.put(url, json={"reason": "asked by phone"})
    assert (answer.status_code, answer.json) == (200, detail)
    assert api.get(url).json == detail
    assert api.get("/v1/optOuts").json == {"optOuts": [told], "nextPageToken": None}
    answer = api.client.delete(url)
    assert (answer.status_code, answer.json) == (200, {})
    answer = api.client.delete(url)
    assert (answer.status_code, answer.json["error"]["details"]) == (404, [{"kind": "NOT_FOUND"}])


def test_an_opt_out_needs_no_body(api: Any) -> None:
    assert api.client.put(f"/v1/optOuts/{NUMBER}").json["reason"] is None


def _token(claims: bytes) -> dict[str, str]:
    payload = urlsafe_b64encode(claims).decode().rstrip("=")
    return {"Authorization": f"Bearer e30.{payload}.SIGNATURE_REMOVED_BY_GOOGLE"}


@pytest.mark.parametrize(
    ("on_platform", "headers", "caller"),
    [
        pytest.param(True, _token(b'{"email": "ann@example.com"}'), "ann@example.com", id="who called"),
        pytest.param(True, _token(b'{"sub": "1234"}'), "1234", id="an account without an address"),
        pytest.param(True, _token(b"no JSON"), None, id="no token"),
        pytest.param(True, {"Authorization": "Basic YTpi"}, None, id="another scheme"),
        pytest.param(True, {}, None, id="none"),
        pytest.param(False, _token(b'{"email": "ann@example.com"}'), None, id="nobody has checked it"),
    ],
)
def test_the_history_names_the_caller(
    make: Any, profile: Any, on_platform: bool, headers: dict[str, str], caller: str | None
) -> None:
    api = make(profile=replace(profile, on_platform=on_platform))
    [change] = api.client.put(f"/v1/optOuts/{NUMBER}", headers=headers).json["history"]
    assert change["caller"] == caller


@pytest.mark.parametrize(
    ("written", "number"),
    [
        pytest.param("+5215562000000", "+525562000000", id="another spelling"),
        pytest.param("+1 (555) 867-5310", NUMBER, id="separators"),
        pytest.param("0171 3920017", "+491713920017", id="national, by the connection's country"),
        pytest.param("12345", "12345", id="a short code"),
    ],
)
def test_opt_outs_take_numbers_as_people_type_them(make: Any, profile: Any, written: str, number: str) -> None:
    api = make(profile=replace(profile, default_country="DE"))
    assert api.client.put(f"/v1/optOuts/{quote(written)}").json["number"] == number
    assert api.get(f"/v1/optOuts/{quote(written)}").status_code == 200


@pytest.mark.parametrize("written", ["0123", "Ann", "+49 151 1234567X", "+4915112345678.0"])
def test_an_opt_out_of_no_number_is_refused(api: Any, written: str) -> None:
    assert api.client.put(f"/v1/optOuts/{quote(written)}").status_code == 400


@pytest.mark.parametrize("sender", ["12345", "ACME", "+0", "rcs:brand/agent"])
def test_the_filter_takes_everything_its_list_shows(api: Any, sender: str) -> None:
    api.double.stored_inbound = [StoredInbound("in_1", sender, "x", "", NOW, (), None, None, "SM1")]
    assert len(api.get(f"/v1/inboundMessages?sender={quote(sender)}").json["inboundMessages"]) == 1


def test_opt_outs_page_by_page(api: Any) -> None:
    for last in range(5):
        api.client.put(f"/v1/optOuts/+1555867531{last}")
    first = api.get("/v1/optOuts?pageSize=3").json
    rest = api.get(f"/v1/optOuts?pageSize=3&pageToken={first['nextPageToken']}").json
    assert [each["number"][-1] for each in first["optOuts"] + rest["optOuts"]] == list("01234")
    assert rest["nextPageToken"] is None


def test_inbound_messages(api: Any) -> None:
    stored = StoredInbound("in_1", NUMBER, "+15551234567", "STOP", NOW, ("https://a.example/x",), "stop", None, "SM1")
    api.double.stored_inbound = [
        stored,
        StoredInbound("in_2", "+4915112345678", "x", "", NOW, (), None, "msg_1", "SM2"),
    ]
    assert api.get("/v1/inboundMessages?sender=%2B15558675310").json == {
        "inboundMessages": [
            {
                "id": "in_1",
                "sender": NUMBER,
                "to": "+15551234567",
                "text": "STOP",
                "mediaUrls": ["https://a.example/x"],
                "receivedAt": "2026-01-01T00:00:00.000Z",
                "keyword": "stop",
                "inReplyTo": None,
                "providerMessageId": "SM1",
            }
        ],
        "nextPageToken": None,
    }
    first = api.get("/v1/inboundMessages?pageSize=1").json
    rest = api.get(f"/v1/inboundMessages?pageSize=1&pageToken={first['nextPageToken']}").json
    assert [each["id"] for each in first["inboundMessages"] + rest["inboundMessages"]] == ["in_1", "in_2"]
