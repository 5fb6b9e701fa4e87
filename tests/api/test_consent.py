"""`/v1/optOuts` and `/v1/inboundMessages`."""

from __future__ import annotations

from typing import Any

import pytest

from sms_connector.messaging.inbound import StoredInbound
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
    answer = api.client.put(url, json={"reason": "asked by phone"})
    assert (answer.status_code, answer.json) == (200, told)
    assert api.get(url).json == told
    assert api.get("/v1/optOuts").json == {"optOuts": [told], "nextPageToken": None}
    answer = api.client.delete(url)
    assert (answer.status_code, answer.json) == (200, {})
    answer = api.client.delete(url)
    assert (answer.status_code, answer.json["error"]["details"]) == (404, [{"kind": "NOT_FOUND"}])


def test_an_opt_out_needs_no_body(api: Any) -> None:
    assert api.client.put(f"/v1/optOuts/{NUMBER}").json["reason"] is None


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
