"""Campaigns over HTTP: every form of records, once for each key, pages and CSV, and what can be done to a running one."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sms_connector.api.uploads.content import MAX_RECORD_BYTES
from sms_connector.campaigns.chunk_worker import Attempt
from sms_connector.campaigns.sources import AllowedSources
from sms_connector.local.objects import FileObjects
from tests.fixtures.campaign_api import CAMPAIGNS_PATH, CSV, JSON, NDJSON, TO, CampaignApi, ndjson, zipped
from tests.fixtures.campaign_world import called, run_in

ANN = {"mobile": TO, "first name": "Ann"}
ZOE = {"mobile": "+4915112345678", "first name": "Zoë"}
QUERY = {"message": "Hello <first name>", "mapping": "to:mobile"}
DOCUMENT = {"message": "Hello <first name>", "mapping": {"to": "mobile"}, "records": [ANN, ZOE]}
TEXTS = ["Hello Ann", "Hello Zoë"]


@pytest.fixture
def api() -> CampaignApi:
    return CampaignApi()


def carry_out(api: CampaignApi) -> list[str]:
    """The texts that were sent, sorted: what leaves at the same moment may overtake one another on its way."""
    assert set(run_in(api.world.clock, lambda: api.world.run_chunks(api.node))) <= {Attempt.SENT}
    return sorted(stored.message.text for stored in api.world.network.stored)


# --- forms --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    reason: str
    body: bytes
    form: str = CSV
    query: dict[str, Any] = field(default_factory=lambda: dict(QUERY))
    headers: dict[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = tuple(TEXTS)


def text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


ROWS = "mobile,first name\n+15558675310,Ann\n+4915112345678,Zoë\n".encode()
GZIP = {"Content-Encoding": "gzip"}
BEHIND = {"records": [ANN, ZOE], "message": "Hello <first name>", "mapping": {"to": "mobile"}}

FORMS = [
    Form("JSON", text(DOCUMENT), JSON, {}),
    Form("JSON with the records in front", text(BEHIND), JSON, {}),
    Form("JSON as gzip", zipped(text(DOCUMENT)), JSON, {}, GZIP),
    Form("JSON escaped", json.dumps(DOCUMENT).encode(), JSON, {}),
    Form("JSON with white space all over", json.dumps(DOCUMENT, indent=4).encode(), JSON, {}),
    Form("JSON with a charset", text(DOCUMENT), "application/json; charset=UTF-8", {}),
    Form("NDJSON", ndjson([ANN, ZOE]), NDJSON),
    Form("NDJSON by its other name", ndjson([ANN, ZOE]), "application/jsonl"),
    Form("NDJSON without a last line break", ndjson([ANN, ZOE])[:-1], NDJSON),
    Form("NDJSON from Windows, with empty lines", b"\r\n".join([text(ANN), b"", text(ZOE), b"", b""]), NDJSON),
    Form("NDJSON behind a byte order mark", b"\xef\xbb\xbf" + ndjson([ANN, ZOE]), NDJSON),
    Form("NDJSON as gzip in two members", zipped(ndjson([ANN])) + zipped(ndjson([ZOE])), NDJSON, headers=GZIP),
    Form("NDJSON whose values have colons", ndjson([{**ANN, "url": "a:b:c"}, {**ZOE, "x": {"y": ":"}}]), NDJSON),
    Form("CSV", ROWS),
    Form("CSV as gzip", zipped(ROWS), headers=GZIP),
    Form(
        "CSV from Excel: byte order mark, semicolons, CRLF",
        b"\xef\xbb\xbf" + ROWS.replace(b",", b";").replace(b"\n", b"\r\n"),
    ),
    Form("CSV with tabs", ROWS.replace(b",", b"\t")),
    Form("CSV with its delimiter named", ROWS.replace(b",", b"|"), query={**QUERY, "delimiter": "pipe"}),
    Form("CSV in quotes", b'"mobile","first name"\n"+15558675310","Ann"\n"+4915112345678","Zo\xc3\xab"\n'),
    Form(
        "CSV with empty rows and blank names around",
        b" mobile , first name \n\n+15558675310,Ann\n\n+4915112345678,Zo\xc3\xab",
    ),
    Form(
        "CSV whose header is decomposed, as a Mac writes it",
        "mobile,pre\u0301nom\n+15558675310,Ann\n".encode(),
        query={"message": "Hello <prénom>", "mapping": "to:mobile"},
        texts=("Hello Ann",),
    ),
    Form(
        "a record with as much as it may have, most of it in one value",
        b"mobile,first name,notes\n+15558675310,Ann," + b"x" * (MAX_RECORD_BYTES - 100) + b"\n",
        texts=("Hello Ann",),
    ),
    Form("a value over two lines", b'mobile,first name\n+15558675310,"Ann\nB."\n', texts=("Hello Ann\nB.",)),
    Form(
        "numbers and booleans as JSON has them",
        ndjson([{**ANN, "first name": 3.0}, {**ANN, "first name": True}]),
        NDJSON,
        texts=("Hello 3", "Hello true"),
    ),
    Form(
        "CSV where some have no key, and some rows no cell for one",
        b"mobile,first name,key\n+15558675310,Ann,\n+15558675310,Bob,  \n+15558675310,Cat\n+15558675310,Dan,order-1\n",
        texts=("Hello Ann", "Hello Bob", "Hello Cat", "Hello Dan"),
    ),
    Form("the mapping as an object", ROWS, query={**QUERY, "mapping": json.dumps({"to": "mobile"})}),
    Form(
        "several entries of the mapping",
        b"a,b\n+15558675310,Ann\n",
        query={"message": "Hello <x>", "mapping": ["to:a", "x:b"]},
        texts=("Hello Ann",),
    ),
    Form(
        "an emoji by its two halves",
        rb'{"message": "<a>", "records": [{"to": "+15558675310", "a": "\ud83d\ude00"}]}',
        JSON,
        {},
        texts=("😀",),
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.reason)
def test_every_form_of_records(api: CampaignApi, form: Form) -> None:
    answer = api.create(form.body, form=form.form, headers=form.headers, **form.query)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{CAMPAIGNS_PATH}/{answer.json['id']}"
    assert (answer.json["state"], answer.json["total"], answer.json["refused"]) == ("running", len(form.texts), 0)
    assert carry_out(api) == sorted(form.texts)


def test_options_reach_the_provider(api: CampaignApi) -> None:
    api.create(ROWS, form=CSV, **QUERY, validitySeconds=600, sender="ACME", mediaUrls="https://example.com/a.png")
    carry_out(api)
    message = api.world.network.stored[0].message
    assert (message.sender, message.validity_seconds, message.media_urls) == (
        "ACME",
        600,
        ("https://example.com/a.png",),
    )


def test_a_body_in_chunks_of_unknown_length(api: CampaignApi) -> None:
    body = io.BytesIO(ROWS)
    answer = api.client.post(
        f"{CAMPAIGNS_PATH}?message=x&mapping=to:mobile",
        input_stream=body,
        headers={"Content-Type": CSV, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 202, answer.text


# --- records that are wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "field", "kind", "says"),
    [
        pytest.param({"mobile": "0123", "n": "x"}, "records[1].mobile", "INVALID_RECIPIENT", "E.164", id="no number"),
        pytest.param({"n": "x"}, "records[1].mobile", "MISSING_VALUE", "is missing", id="no recipient"),
        pytest.param({"mobile": TO}, "records[1].n", "MISSING_VALUE", "is missing", id="no value"),
        pytest.param({"mobile": TO, "n": None}, "records[1].n", "MISSING_VALUE", "is missing", id="null"),
        pytest.param({"mobile": TO, "n": " "}, "records[1].n", "MISSING_VALUE", "is empty", id="blank"),
        pytest.param({"mobile": TO, "n": ["x"]}, "records[1].n", "INVALID_REQUEST", "neither text", id="a list"),
        pytest.param({"mobile": TO, "n": "x" * 1700}, "records[1]", "INVALID_MESSAGE", "1600", id="too long"),
        pytest.param({"mobile": TO, "n": "a\x00é☃"}, "records[1]", "INVALID_MESSAGE", "NUL", id="a NUL character"),
        pytest.param(
            {"mobile": TO, "n": "x", "key": 5}, "records[1].key", "INVALID_REQUEST", "key", id="a key that is none"
        ),
        pytest.param(
            {"mobile": "messenger:x", "n": "x"},
            "records[1].mobile",
            "INVALID_RECIPIENT",
            "channel",
            id="a channel it has not",
        ),
        pytest.param(3, "records[1]", "INVALID_REQUEST", "an object", id="a number"),
        pytest.param([], "records[1]", "INVALID_REQUEST", "an object", id="a list for a record"),
        pytest.param(None, "records[1]", "INVALID_REQUEST", "an object", id="null for a record"),
    ],
)
@pytest.mark.parametrize("form", [JSON, NDJSON])
def test_a_wrong_record_is_its_own_result(
    api: CampaignApi, row: Any, field: str, kind: str, says: str, form: str
) -> None:
    rows = [{"mobile": TO, "n": "a"}, row, {"mobile": TO, "n": "b"}]
    if form == JSON:
        answer = api.create({"message": "Hi <n>", "mapping": {"to": "mobile"}, "records": rows})
    else:
        answer = api.create(ndjson(rows), form=form, message="Hi <n>", mapping="to:mobile")
    assert (answer.status_code, answer.json["refused"], answer.json["counts"]) == (202, 1, {"error": 1})
    assert carry_out(api) == ["Hi a", "Hi b"]
    result = api.results(answer.json["id"])[1]
    assert (result["status"], result["final"], result["id"]) == ("error", True, None)
    assert (result["error"]["field"], result["error"]["kind"], result["error"]["source"]) == (field, kind, "connector")
    assert says in result["error"]["message"]


def test_a_row_with_too_many_values_is_its_own_result(api: CampaignApi) -> None:
    answer = api.create(
        b"mobile,n\n+15558675310,Hello, you\n+15558675310,x\n", form=CSV, message="<n>", mapping="to:mobile"
    )
    assert answer.json["refused"] == 1
    [wrong, right] = api.results(answer.json["id"])
    assert wrong["error"]["message"].startswith("the row has 3 values, the header 2 names")
    assert (wrong["line"], right["line"]) == (2, 3)
    assert right["status"] == "accepted"


# --- once ---------------------------------------------------------------------------------------------------------------


def test_a_key_makes_one_campaign(api: CampaignApi) -> None:
    key = {"Idempotency-Key": "newsletter"}
    first = api.create(ROWS, form=CSV, headers=key, **QUERY)
    again = api.create(ROWS, form=CSV, headers=key, **QUERY)
    assert again.data == first.data
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert len(carry_out(api)) == 2
    other = api.create(ROWS + b"+15558675310,Bob\n", form=CSV, headers=key, **QUERY)
    assert (other.status_code, other.json["error"]["details"][0]["kind"]) == (422, "KEY_REUSED")
    changed = api.create(ROWS, form=CSV, headers=key, **{**QUERY, "validitySeconds": 60})
    assert changed.status_code == 422


def test_a_refused_request_keeps_no_key(api: CampaignApi) -> None:
    key = {"Idempotency-Key": "k"}
    assert api.create(ROWS[:-3] + b"\xff\n", form=CSV, headers=key, **QUERY).status_code == 400
    assert api.create(ROWS, form=CSV, headers=key, **QUERY).status_code == 202


def test_two_without_a_key_are_two(api: CampaignApi) -> None:
    assert api.create(DOCUMENT).json["id"] != api.create(DOCUMENT).json["id"]


# --- forecast -------------------------------------------------------------------------------------------------------------


def test_a_dry_run_keeps_nothing(api: CampaignApi) -> None:
    rows = [{"to": TO, "n": "x" * 200}, {"to": TO, "n": "é☃"}, *[{"to": "0"}] * 120]
    answer = api.create({"message": "Hi <n>", "records": rows, "dryRun": True}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 200
    plan = answer.json
    assert (plan["total"], plan["refused"], len(plan["refusals"])) == (122, 120, 100)
    assert (plan["segments"], plan["encodings"]) == (3, {"GSM-7": 1, "UCS-2": 1})
    assert plan["refusals"][0]["field"] == "records[2].n"
    assert plan["forecast"]["rate"] == 25
    assert plan["wouldBeRefused"] is None
    assert api.kept() == 0
    assert api.create({"message": "Hi", "records": [{"to": TO}]}, headers={"Idempotency-Key": "k"}).status_code == 202


# --- afterwards -----------------------------------------------------------------------------------------------------------


def test_progress_results_and_messages(api: CampaignApi) -> None:
    records = [{"to": f"+1555867{index:04d}"} for index in range(300)]
    campaign = api.create({"message": "Hello", "records": [*records, {"to": "0123"}]}).json["id"]
    place = f"{CAMPAIGNS_PATH}/{campaign}"
    assert api.client.get(place).json["waiting"] == 300
    assert {result["status"] for result in api.results(campaign)} == {"accepted", "error"}
    waiting = api.client.get(f"/v1/messages/{api.results(campaign)[5]['id']}").json
    assert (waiting["to"], waiting["status"], waiting["final"]) == (records[5]["to"], "accepted", False)
    assert api.client.get(f"/v1/messages/{waiting['id'][:-1]}999").status_code == 404
    carry_out(api)
    info = api.client.get(place).json
    assert (info["waiting"], info["counts"], info["open"]) == (0, {"queued": 300, "error": 1}, 300)
    listed = api.client.get(CAMPAIGNS_PATH).json["campaigns"]
    assert [each["id"] for each in listed] == [campaign]
    assert "counts" not in listed[0]
    found = api.client.get(f"/v1/messages?campaign={campaign}&pageSize=200").json
    assert {message["campaign"] for message in found["messages"]} == {campaign}
    rest = api.client.get(f"/v1/messages?campaign={campaign}&pageSize=200&pageToken={found['nextPageToken']}").json
    assert (len(rest["messages"]), rest["nextPageToken"]) == (100, None)
    listed = found["messages"] + rest["messages"]
    assert {message["to"] for message in listed} == {record["to"] for record in records[:300]}
    assert listed == sorted(listed, key=lambda each: each["createdAt"], reverse=True)
    everything = api.client.get("/v1/messages?pageSize=200").json
    assert everything["messages"] == found["messages"]
    shown = listed[7]
    [by_number] = api.client.get("/v1/messages", query_string={"to": shown["to"], "status": "queued"}).json["messages"]
    assert by_number == shown
    one = api.client.get(f"/v1/messages/{shown['id']}").json
    assert (one["to"], one["campaign"], one["history"][0]["status"]) == (shown["to"], campaign, "queued")


@pytest.mark.parametrize("size", [1, 7, 250, 251, 1000])
def test_pages_are_in_order_and_complete(api: CampaignApi, size: int) -> None:
    records = [{"to": TO} if index % 3 else {"to": "0"} for index in range(260 if size > 1 else 12)]
    campaign = api.create({"message": "Hello", "records": records}).json["id"]
    seen: list[int] = []
    token = ""
    for _ in range(len(records) + 1):
        page = api.client.get(f"{CAMPAIGNS_PATH}/{campaign}/results?pageSize={size}{token}").json
        seen += [result["index"] for result in page["results"]]
        assert sum(page["summary"].values()) == len(page["results"]) <= size
        if page["nextPageToken"] is None:
            break
        token = f"&pageToken={page['nextPageToken']}"
    assert seen == list(range(len(records)))


def test_a_page_token_belongs_to_its_campaign(api: CampaignApi) -> None:
    first, second = (api.create({"message": "x", "records": [{"to": TO}] * 3}).json["id"] for _ in range(2))
    token = api.client.get(f"{CAMPAIGNS_PATH}/{first}/results?pageSize=1").json["nextPageToken"]
    for path in (f"{CAMPAIGNS_PATH}/{second}/results", f"/v1/messages?campaign={first}", CAMPAIGNS_PATH):
        mark = "&" if "?" in path else "?"
        answer = api.client.get(f"{path}{mark}pageToken={token}")
        assert answer.status_code == 400, path
        assert answer.json["error"]["details"][0]["field"] == "pageToken"


@pytest.mark.parametrize(
    ("accept", "form", "reason"),
    [
        ("text/csv", CSV, "by name"),
        ("TEXT/CSV; charset=utf-8", CSV, "names have no case, and parameters"),
        ("text/csv, application/json", CSV, "as welcome as JSON: whoever names it wants it"),
        ("text/csv;q=0.9, */*;q=0.1", CSV, "rather than anything else"),
        ("application/json, text/csv;q=0.5", JSON, "JSON is preferred"),
        ("text/csv;q=0, */*", JSON, "by name not"),
        ("*/*", JSON, "whoever takes what there is"),
        ("", JSON, "nothing said"),
        ("text/csv;q=much", JSON, "no weight at all is none"),
    ],
)
def test_who_gets_csv(api: CampaignApi, accept: str, form: str, reason: str) -> None:
    campaign = api.create({"message": "Hello", "records": [{"to": TO}]}).json["id"]
    answer = api.client.get(f"{CAMPAIGNS_PATH}/{campaign}/results", headers={"Accept": accept})
    assert answer.mimetype == form, reason


def test_results_as_csv(api: CampaignApi) -> None:
    evil = ['=HYPERLINK("http://x")', "+1+2", "-2", "@SUM(A1)", "\t=1"]
    rows = [{"to": TO}, *({"to": each} for each in evil)]
    campaign = api.create({"message": "Hello", "records": rows}).json["id"]
    carry_out(api)
    answer = api.client.get(f"{CAMPAIGNS_PATH}/{campaign}/results", headers={"Accept": "text/csv, */*;q=0.1"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{campaign}.csv"'
    table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["index"] for row in table] == ["0", "1", "2", "3", "4", "5"]
    assert (table[0]["to"], table[0]["status"], table[0]["final"]) == (TO, "queued", "false")
    assert [row["to"] for row in table[1:]] == [f"'{each}" for each in evil]
    assert {row["errorKind"] for row in table[1:]} == {"INVALID_RECIPIENT"}
    assert not [
        cell for row in table for cell in row.values() if cell[:1] in ("=", "-", "@", "\t") or cell.startswith("+1+")
    ]


def test_pause_resume_cancel(api: CampaignApi) -> None:
    campaign = api.create({"message": "Hello", "records": [{"to": TO}]}).json["id"]
    place = f"{CAMPAIGNS_PATH}/{campaign}"
    paused = api.client.post(f"{place}:pause", json={"reason": "the offer is wrong"})
    assert (paused.json["state"], paused.json["reason"]) == ("paused", "the offer is wrong")
    assert api.client.get(f"{CAMPAIGNS_PATH}?state=paused").json["campaigns"][0]["id"] == campaign
    assert api.client.get(f"{CAMPAIGNS_PATH}?state=running").json["campaigns"] == []
    assert api.client.post(f"{place}:resume").json["state"] == "running"
    canceled = api.client.post(f"{place}:cancel").json
    assert (canceled["state"], canceled["counts"], canceled["waiting"]) == ("canceled", {"canceled": 1}, 0)
    [result] = api.results(campaign)
    assert (result["status"], result["final"]) == ("canceled", True)
    assert api.client.get(f"/v1/messages/{result['id']}").json["status"] == "canceled"
    refused = api.client.post(f"{place}:resume")
    assert (refused.status_code, refused.json["error"]["status"]) == (422, "FAILED_PRECONDITION")


@pytest.mark.parametrize("path", ["", "/results", ":pause", ":resume", ":cancel"])
@pytest.mark.parametrize("campaign", ["cmp_c" + "0" * 20, "cmp_1", "msg_1", "../x"])
def test_what_is_not_there(api: CampaignApi, path: str, campaign: str) -> None:
    answer = api.client.open(f"{CAMPAIGNS_PATH}/{campaign}{path}", method="POST" if path.startswith(":") else "GET")
    assert answer.status_code in (404, 405)


# --- what stands in the way ---------------------------------------------------------------------------------------------


def test_while_suspended_nothing_is_taken(api: CampaignApi) -> None:
    run_in(api.world.clock, api.node.engine.connection.suspend)
    answer = api.create(DOCUMENT)
    assert (answer.status_code, answer.json["error"]["details"][0]["kind"]) == (422, "SUSPENDED")
    assert api.kept() == 0


def test_nothing_of_the_records_is_logged(api: CampaignApi) -> None:
    api.create(ROWS, form=CSV, **QUERY)
    api.create(b"mobile\n0123 secret\n\xff", form=CSV, message="x", mapping="to:mobile")
    carry_out(api)
    written = api.log.getvalue()
    assert "request" in written
    for secret in (TO, "Ann", "Zoë", "secret", "Hello"):
        assert secret not in written


# --- sources ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "batch.csv").write_bytes(ROWS)
    (tmp_path / "batch.csv.gz").write_bytes(zipped(ROWS))
    (tmp_path / "batch.jsonl").write_bytes(ndjson([ANN, ZOE]))
    (tmp_path / "batch").write_bytes(ROWS.replace(b",", b";"))
    (tmp_path / "broken.csv").write_bytes(ROWS + b'"')
    return tmp_path


@pytest.mark.parametrize(
    "source",
    [
        {"source": "file:batch.csv"},
        {"source": "file:batch.csv.gz"},
        {"source": "file:batch.jsonl"},
        {"source": "file:batch", "format": "csv"},
        {"source": "file:batch", "format": "csv", "delimiter": "semicolon"},
    ],
    ids=str,
)
def test_records_from_a_source(folder: Path, source: dict[str, str]) -> None:
    api = CampaignApi(AllowedSources(folders=FileObjects(folder)))
    answer = api.create({"message": "Hello <first name>", "mapping": {"to": "mobile"}, **source})
    assert (answer.status_code, answer.json["source"]) == (202, source["source"]), answer.text
    assert carry_out(api) == sorted(TEXTS)


@pytest.mark.parametrize(
    ("source", "field", "says"),
    [
        ({"source": "file:absent.csv"}, "source", "no file"),
        ({"source": "file:../secret.csv"}, "source", "no file"),
        ({"source": "gs://bucket/x.csv"}, "source", "SMS_CAMPAIGN_SOURCES"),
        ({"source": "https://example.com/x.csv"}, "source", "gs://bucket/object"),
        ({"source": "file:batch"}, "format", "csv or ndjson"),
        ({"source": "file:batch", "format": "xml"}, "format", "must be one of"),
        ({"source": "file:broken.csv"}, "", "not CSV"),
        ({"source": "file:batch.csv", "records": [ANN]}, "records", "send one of them"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_sources_that_are_refused(folder: Path, source: dict[str, Any], field: str, says: str) -> None:
    api = CampaignApi(AllowedSources(folders=FileObjects(folder)))
    answer = api.create({"message": "Hello <first name>", "mapping": {"to": "mobile"}, **source})
    assert answer.status_code == 400
    [detail] = answer.json["error"]["details"]
    assert detail["field"] == field
    assert says in answer.json["error"]["message"]
    assert api.kept() == 0


def test_without_a_setting_no_source_is_read(api: CampaignApi) -> None:
    answer = api.create({"message": "Hello", "source": "file:batch.csv"})
    assert "SMS_CAMPAIGN_SOURCES" in answer.json["error"]["message"]


def test_results_hold_what_the_engine_knows(api: CampaignApi) -> None:
    campaign = api.create(DOCUMENT).json["id"]
    carry_out(api)
    records = called(api.node.results(campaign))
    assert [result["providerMessageId"] for result in api.results(campaign)] == [r.provider_message_id for r in records]


NAMED = {"name": "Spring sale", "reference": "crm-4711"}


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_campaign_shows_what_it_is(form: str) -> None:
    api = CampaignApi()
    message, mapping = "Hello <first name>", {"to": "mobile", "first name": "firstName"}
    if form == "json":
        records = [{"mobile": "+15558675310", "firstName": "Ann"}]
        created = api.create({**NAMED, "message": message, "mapping": mapping, "records": records})
    else:
        pairs = [f"{name}:{field}" for name, field in mapping.items()]
        body = b"mobile,firstName\n+15558675310,Ann\n"
        created = api.create(body, form="text/csv", **NAMED, message=message, mapping=pairs)
    assert created.status_code == 202, created.text
    expected = {**NAMED, "message": message, "mapping": mapping}
    [listed] = api.client.get("/v1/campaigns").json["campaigns"]
    for shown in (created.json, api.client.get(f"/v1/campaigns/{created.json['id']}").json, listed):
        assert {name: shown[name] for name in expected} == expected


def test_a_campaign_shows_that_its_connection_is_suspended() -> None:
    api = CampaignApi()
    created = api.create({"message": "x", "records": [{"to": TO}]}).json["id"]
    control = api.node.engine.connection
    control.suspend("an audit")
    [listed] = api.client.get("/v1/campaigns").json["campaigns"]
    for shown in (api.client.get(f"/v1/campaigns/{created}").json, listed):
        assert shown["state"] == "running"
        assert "an audit" in shown["reason"]
        assert "POST /v1/connection:resume" in shown["reason"]
    control.resume()
    assert api.client.get(f"/v1/campaigns/{created}").json["reason"] is None
