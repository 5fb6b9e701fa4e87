"""docs/http-api.md is true: every route is in it, its examples run, and their answers have the members it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.api.dispatcher import ROUTES
from sms_connector.api.openapi import with_document
from sms_connector.api.schemas.message import MessageQuery
from sms_connector.api.schemas.request_body import CampaignBody, CampaignQuery, SendBody
from sms_connector.model.phone_number import CHANNELS
from tests.api.conftest import CAPABILITIES

PAGE = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
MESSAGE_ID = "msg_0bd6cf24ae5a7d9c1e0a4b7c33"
CAMPAIGN_ID = "cmp_c3f2a91d0b7e64c85aa10"
EXAMPLE = re.compile(r"```http\n(?P<request>.*?)```(?:\s*```json\n(?P<answer>.*?)```)?", re.DOTALL)
TEMPLATE = {"message": "Hello <first name>", "mapping": {"to": "mobile", "first name": "firstName"}}
EXAMPLES = [
    pytest.param(match["request"], match["answer"], id=match["request"].split("\n")[0])
    for match in EXAMPLE.finditer(PAGE)
]


@pytest.fixture
def api(make: Any) -> Any:
    """The reference shows the connection of a provider that has every channel."""
    return make(capabilities=replace(CAPABILITIES, channels=CHANNELS))


@pytest.mark.parametrize("route", with_document(ROUTES), ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_in_the_reference(route: Any) -> None:
    path = re.sub(r"<\w+:(\w+)>", r"{\1}", route.path)
    assert f"`{route.method} {path}`" in PAGE


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, id=name)
        for struct in (SendBody, MessageQuery, CampaignBody, CampaignQuery)
        for name in struct.__struct_encode_fields__
    ],
)
def test_every_field_is_in_the_reference(name: str) -> None:
    assert f"`{name}" in PAGE


@pytest.mark.parametrize(("request_text", "answer_text"), EXAMPLES)
def test_examples_run(api: Any, request_text: str, answer_text: str | None) -> None:
    head, _, body = request_text.partition("\n\n")
    first, *header_lines = head.strip().split("\n")
    method, path = first.split(" ")
    api.client.put("/v1/optOuts/+15558675310", json={"reason": "asked by phone"})
    [sent] = api.send({"to": "+15558675310", "message": "x"}).json["results"]
    if "GET /v1/optOuts?" in first:
        api.client.delete("/v1/optOuts/+15558675310")
    if "GET /v1/messages?" in first:
        api.double.records.clear()
    if "/v1/templates" in first or '"template"' in request_text:
        api.client.put("/v1/templates/order-shipped", json=TEMPLATE)
    if CAMPAIGN_ID in first:
        path = path.replace(CAMPAIGN_ID, new_campaign(api, paused=first.endswith(":resume")))
    headers = dict(line.split(": ") for line in header_lines)
    answer = api.client.open(
        path.replace(MESSAGE_ID, sent["id"]),
        method=method,
        data=body.strip() or None,
        headers=headers,
        content_type=headers.get("Content-Type", "application/json") if body.strip() else None,
    )
    assert answer.status_code in (200, 201, 202), answer.text
    if answer_text:
        assert shape(answer.json) == shape(json.loads(answer_text))


def new_campaign(api: Any, *, paused: bool) -> str:
    records = [{"to": "+15558675310"}, {"to": "0123"}]
    created = api.post("/v1/campaigns", {"message": "Hello", "records": records}).json["id"]
    if paused:
        api.post(f"/v1/campaigns/{created}:pause")
    return str(created)


def shape(value: Any) -> Any:
    """Members and kinds of values; moments, ids and counts differ."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


# --- the design's own examples, word for word -------------------------------------------------------------------------


def test_the_first_example_of_the_contract(api: Any) -> None:
    document = json.loads('{"to": "+15558675310", "message": "Your code is 1234"}')
    assert api.send(document).status_code == 200


def test_the_second_example_of_the_contract(api: Any) -> None:
    document = json.loads(
        """{"message": "Hello <first name>, order <order> ships today.",
 "mapping": {"to": "mobile", "first name": "firstName", "order": "orderId"},
 "records": [{"mobile": "+15558675310", "firstName": "Ann", "orderId": "A-1"}],
 "sender": "+15551234567",
 "tracking": {"retryIntervalMillis": 10000, "retryAttempts": 6, "wait": true},
 "onUnknown": "report"}"""
    )
    assert api.send(document).status_code == 200
    [request] = api.double.requests
    assert request.drafts[0].text == "Hello Ann, order A-1 ships today."
    assert request.options.tracking.wait is True


def test_the_error_of_the_contract(api: Any) -> None:
    good = {"to": "+15558675310"}
    error = api.send({"message": "x", "records": [good, good, good, {"to": "0123"}]}).json["error"]
    begins = "records[3].to: '0123' is not a phone number in E.164 form"
    assert error["message"].startswith(begins)
    assert {**error, "message": begins} == {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": begins,
        "details": [{"field": "records[3].to", "kind": "INVALID_RECIPIENT"}],
    }
