"""Opt-outs from a file: read as every file of records is, each record its own outcome, and harmless to repeat."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from sms_connector.api.schemas.opt_out import MAX_RECORDS
from tests.fixtures.campaign_api import CSV, JSON, CampaignApi

PATH = "/v1/optOuts:import"
NDJSON = "application/x-ndjson"


@pytest.fixture
def api() -> CampaignApi:
    return CampaignApi()


def post(api: CampaignApi, content: bytes, form: str = CSV, query: str = "", **headers: str) -> Any:
    return api.client.post(PATH + query, data=content, headers={"Content-Type": form, **headers})


def opted_out(api: CampaignApi) -> dict[str, str | None]:
    found = api.client.get("/v1/optOuts").json["optOuts"]
    return {each["number"]: each["reason"] for each in found}


@pytest.mark.parametrize(
    ("why", "content", "query", "wanted"),
    [
        (
            "as it is exported",
            b"number,source,reason,since\n+15558675310,api,letter,x\n",
            "",
            {"+15558675310": "letter"},
        ),
        ("another column", b"Mobil;Grund\n+15558675310;x\n", "?column=Mobil", {"+15558675310": None}),
        (
            "quoted header with the other delimiter",
            b'"Name, Vorname";number\nA;+15558675310\n',
            "",
            {"+15558675310": None},
        ),
        ("Excel's line", b"sep=;\nnumber;reason\n+15558675310;x\n", "", {"+15558675310": "x"}),
        ("UTF-16", "number\treason\n+15558675310\t\u00e9\n".encode("utf-16"), "", {"+15558675310": "\u00e9"}),
        ("old Macintosh lines", b"number\r+15558675310\r", "", {"+15558675310": None}),
        ("a reason for all", b"number,reason\n+15558675310,x\n", "?reason=law", {"+15558675310": "law"}),
        ("national form", b"number\n0171 3920017\n", "?defaultCountry=DE", {"+491713920017": None}),
        ("a former spelling", b"number\n+5215562000000\n", "", {"+525562000000": None}),
        ("a person twice", b"number,reason\n+5215562000000,a\n+525562000000,b\n", "", {"+525562000000": "a"}),
        ("a short code", b"number\n12345\n", "", {"12345": None}),
        ("empty rows at the end", b"number;name\n+15558675310;A\n;\n;\n", "", {"+15558675310": None}),
    ],
)
def test_a_file(api: CampaignApi, why: str, content: bytes, query: str, wanted: dict[str, str | None]) -> None:
    answer = post(api, content, query=query)
    assert answer.status_code == 200, answer.text
    assert (answer.json["added"], answer.json["refused"]) == (len(wanted), 0), why
    assert opted_out(api) == wanted


def test_lines_of_json_compressed(api: CampaignApi) -> None:
    rows = b'{"number": "+15558675310"}\n{"number": 15558675311}\n"no"\n'
    answer = post(api, gzip.compress(rows), NDJSON, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 200, answer.text
    assert answer.json["added"] == 1
    assert [(each["index"], each["line"]) for each in answer.json["problems"]] == [(1, 2), (2, 3)]


def test_a_document(api: CampaignApi) -> None:
    body = {"records": [{"number": "+15558675310", "reason": "letter"}, {"number": "0123"}, {"name": "Ann"}]}
    answer = post(api, json.dumps(body).encode(), JSON)
    assert (answer.json["added"], answer.json["refused"]) == (1, 2)
    assert [(each["index"], each["number"], each["kind"]) for each in answer.json["problems"]] == [
        (1, "0123", "INVALID_RECIPIENT"),
        (2, None, "MISSING_VALUE"),
    ]


def test_the_same_file_again_changes_nothing(api: CampaignApi) -> None:
    rows = b"number,reason\n+15558675310,letter\n+15558675311,letter\n"
    assert post(api, rows).json["added"] == 2
    before = api.client.get("/v1/optOuts/+15558675310").json
    again = post(api, rows.replace(b"letter", b"phone") + b"+15558675312,phone\n")
    assert (again.json["added"], again.json["unchanged"]) == (1, 2)
    assert api.client.get("/v1/optOuts/+15558675310").json == before, "the first reason stays"


def test_consent_given_again_ends_with_the_next_import(api: CampaignApi) -> None:
    rows = b"number\n+15558675310\n"
    post(api, rows)
    api.client.delete("/v1/optOuts/+15558675310")
    assert post(api, rows).json["added"] == 1
    assert len(api.client.get("/v1/optOuts/+15558675310").json["history"]) == 3


@pytest.mark.parametrize(
    ("why", "content", "form", "query", "field"),
    [
        ("no such column", b"Mobil\n+15558675310\n", CSV, "", "column"),
        ("an unknown country", b"number\n0123\n", CSV, "?defaultCountry=XX", "defaultCountry"),
        ("fields in two places", b'{"records": [{"number": "+15558675310"}]}', JSON, "?reason=x", "reason"),
        ("no records", b'{"records": []}', JSON, "", "records"),
        ("too many", b"number\n" + b"+15558675310\n" * (MAX_RECORDS + 1), CSV, "", "records"),
        ("an unknown field", b'{"records": [{}], "callback": 1}', JSON, "", "callback"),
    ],
)
def test_is_refused_and_adds_nothing(
    api: CampaignApi, why: str, content: bytes, form: str, query: str, field: str
) -> None:
    answer = post(api, content, form, query)
    assert answer.status_code == 400, why
    assert answer.json["error"]["details"][0].get("field", "") == field
    assert opted_out(api) == {}


def test_more_than_one_commit(api: CampaignApi) -> None:
    rows = b"number\n" + b"".join(b"+1555%07d\n" % index for index in range(2_000_000, 2_000_450))
    assert post(api, rows).json["added"] == 450
