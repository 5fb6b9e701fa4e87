"""Recipients as people type them, by the default country of the request or of the connection; the answer shows the number used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

NATIONAL, USED = "0171 3920017", "+491713920017"
MESSAGE: dict[str, Any] = {"message": "Hello"}
MEXICO, MEXICO_USED = "+5215562000000", "+525562000000"


@pytest.mark.parametrize(
    ("to", "country", "used"),
    [
        (NATIONAL, "DE", USED),
        ("+49 171 3920017", None, USED),
        (MEXICO, None, MEXICO_USED),
        ("(415) 555-2671", "us", "+14155552671"),
    ],
)
def test_the_answer_shows_the_number_used(api: Any, to: str, country: str | None, used: str) -> None:
    document = MESSAGE | {"to": to} | ({"defaultCountry": country} if country else {})
    answer = api.send(document)
    assert answer.status_code == 200, answer.text
    assert answer.json["results"][0]["to"] == used
    [request] = api.double.requests
    assert request.drafts[0].to == used


def test_the_connection_has_one_too_and_the_requests_goes_before(make: Callable[..., Any], profile: Any) -> None:
    api = make(profile=replace(profile, default_country="DE"))
    records = [{"to": NATIONAL}, {"to": "+1 415 555 2671"}]
    assert [each["to"] for each in api.send(MESSAGE | {"records": records}).json["results"]] == [USED, "+14155552671"]
    british = api.send(MESSAGE | {"to": "07700 900123", "defaultCountry": "GB"})
    assert british.json["results"][0]["to"] == "+447700900123"


def test_preview_and_dry_run_show_it(api: Any) -> None:
    document = MESSAGE | {"to": NATIONAL, "defaultCountry": "DE"}
    assert api.post("/v1/messages:preview", document).json["results"][0]["to"] == USED
    assert api.send(document | {"dryRun": True}).json["results"][0]["to"] == USED


def test_a_sender_is_read_alike(api: Any) -> None:
    assert api.send(MESSAGE | {"to": USED, "sender": "0171 3920018", "defaultCountry": "DE"}).status_code == 200
    [request] = api.double.requests
    assert request.options.sender == "+491713920018"


@pytest.mark.parametrize("to", ["0171 392001X", "0171 3920017.0", "1.7139E+9", "0171 3920017 (2)"])
def test_what_is_not_certain_is_refused_all_the_same(api: Any, to: str) -> None:
    answer = api.send(MESSAGE | {"to": to, "defaultCountry": "DE"})
    assert answer.status_code == 400
    assert "write +49" not in answer.json["error"]["message"]
    assert api.double.requests == []


def test_a_country_that_there_is_not_names_the_fix(api: Any) -> None:
    answer = api.send(MESSAGE | {"to": NATIONAL, "defaultCountry": "UK"})
    assert answer.status_code == 400
    assert "write GB" in answer.json["error"]["message"]
    assert {each["field"] for each in answer.json["error"]["details"]} == {"defaultCountry"}


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/v1/campaigns?message=Hello&defaultCountry=DE&dryRun=true", "text/csv", b"to\n0171 3920017\n"),
        (
            "/v1/campaigns",
            "application/json",
            b'{"message": "Hello", "defaultCountry": "DE", "dryRun": true, "records": [{"to": "0171 3920017"}]}',
        ),
    ],
)
def test_campaigns_read_it_from_query_and_document(api: Any, path: str, content_type: str, body: bytes) -> None:
    answer = api.client.post(path, data=body, headers={"Content-Type": content_type})
    assert answer.status_code == 200, answer.text
    assert (answer.json["total"], answer.json["refused"]) == (1, 0)
