"""A record's key and reference come back wherever its outcome is told; its row's own columns come back in the CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from sms_connector.api.schemas.notification import StandardForm
from sms_connector.api.schemas.result_csv import COLUMNS, name_columns
from sms_connector.campaigns import results as results_module
from sms_connector.campaigns.chunk import MAX_COLUMNS, MAX_ROW, Columns
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Document
from sms_connector.ports.ledger_access import read_document
from sms_connector.store.message_record import MessageRecord
from tests.fixtures.campaign_api import CSV, NDJSON, TO, CampaignApi, ndjson
from tests.fixtures.campaign_world import run_in

OTHER = "+15558675311"


def read_csv(api: CampaignApi, campaign: str, **query: str) -> list[dict[str, str]]:
    answer = api.client.get(f"/v1/campaigns/{campaign}/results", headers={"Accept": "text/csv"}, query_string=query)
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def carry_out(api: CampaignApi) -> None:
    run_in(api.world.clock, lambda: api.world.run_chunks(api.node))


@pytest.mark.parametrize(
    ("body", "expected", "why"),
    [
        ({"to": TO, "message": "x", "reference": "order 7"}, [(None, "order 7")], "a single message"),
        ({"to": TO, "message": "x", "reference": ""}, [(None, "")], "any text, also none"),
        ({"to": TO, "message": "x"}, [(None, None)], "nothing is invented"),
        (
            {"message": "x", "records": [{"to": TO, "key": "k1", "reference": "r\n1"}, {"to": OTHER}]},
            [("k1", "r\n1"), (None, None)],
            "members of a record",
        ),
        (
            {
                "message": "x",
                "mapping": {"reference": "customer", "key": "order"},
                "records": [{"to": TO, "customer": "C-1", "order": "O-1", "reference": "not this one"}],
            },
            [("O-1", "C-1")],
            "mapped from fields of any name",
        ),
        (
            {"message": "<reference>", "records": [{"to": TO, "reference": "A-1"}]},
            [(None, "A-1")],
            "the same field may be a placeholder too",
        ),
        (
            {"message": "x", "onInvalid": "report", "records": [{"to": "0123", "key": "k", "reference": "bad one"}]},
            [("k", "bad one")],
            "a record that is wrong",
        ),
        ({"message": "x", "dryRun": True, "records": [{"to": TO, "reference": "dry"}]}, [(None, "dry")], "a dry run"),
    ],
)
def test_results_and_look_ups_have_key_and_reference(body: Any, expected: Any, why: str) -> None:
    api = CampaignApi()
    answer = run_in(api.world.clock, lambda: api.client.post("/v1/messages:send", json=body))
    assert answer.status_code == 200, answer.text
    results = answer.json["results"]
    assert [(each.get("key"), each.get("reference")) for each in results] == expected, why
    for each in results:
        if each["id"] is not None:
            found = api.client.get(f"/v1/messages/{each['id']}").json
            assert (found.get("key"), found.get("reference")) == (each.get("key"), each.get("reference")), why


@pytest.mark.parametrize(
    ("body", "field", "why"),
    [
        ({"to": TO, "message": "x", "reference": "r" * 256}, "reference", "too long"),
        ({"to": TO, "message": "x", "reference": 7}, "reference", "no text"),
        ({"message": "x", "records": [{"to": TO}], "reference": "r"}, "reference", "whose would it be"),
        ({"message": "x", "records": [{"to": TO, "reference": ["r"]}]}, "records[0].reference", "no text"),
        ({"message": "x", "records": [{"to": TO, "reference": "r" * 256}]}, "records[0].reference", "too long"),
        (
            {"message": "x", "mapping": {"reference": "id"}, "records": [{"to": TO, "id": {}}]},
            "records[0].id",
            "named by its own field",
        ),
    ],
)
def test_a_wrong_reference_is_named(make: Any, body: Any, field: str, why: str) -> None:
    answer = make().client.post("/v1/messages:send", json=body)
    assert answer.status_code == 400, why
    assert [each["field"] for each in answer.json["error"]["details"]] == [field], why


def test_a_replayed_record_has_the_reference_of_its_own_request() -> None:
    api = CampaignApi()

    def scenario() -> list[Any]:
        bodies = [{"message": "x", "records": [{"to": TO, "key": "k", "reference": each}]} for each in ("a", "b")]
        return [api.client.post("/v1/messages:send", json=body).json["results"][0] for body in bodies]

    first, second = run_in(api.world.clock, scenario)
    assert (first["reference"], second["reference"]) == ("a", "b")
    assert second["replayed"] is True
    assert second["id"] == first["id"]


def test_a_notification_has_key_and_reference() -> None:
    record = MessageRecord("msg_1", TO, OTHER, "0" * 32, 0.0, 0.0, key="k", reference="r")
    kept = read_document(Document("msg_1", record.to_write().data or {}, 1), MessageRecord)
    data = json.loads(StandardForm().of_message(kept))["data"]
    assert (data["key"], data["reference"]) == ("k", "r")


FORMS = [
    pytest.param(
        CSV,
        f"Mobile;Name;reference;key;Status;Ort\n{TO};Zoë;ref 1;key 1;gold;=Köln\n0123;Bob;ref 2;;silver\n".encode(),
        id="csv",
    ),
    pytest.param(
        NDJSON,
        ndjson(
            [
                {"Mobile": TO, "Name": "Zoë", "reference": "ref 1", "key": "key 1", "Status": "gold", "Ort": "=Köln"},
                {"Mobile": "0123", "Name": "Bob", "reference": "ref 2", "Status": "silver"},
            ]
        ),
        id="ndjson",
    ),
]


@pytest.mark.parametrize(("form", "body"), FORMS)
@pytest.mark.parametrize("sent", [False, True], ids=["waiting", "sent"])
def test_a_campaign_tells_of_each_record_by_the_callers_names(form: str, body: bytes, sent: bool) -> None:
    api = CampaignApi()
    campaign = api.create(body, form=form, message="Hello <Name>", mapping="to:Mobile").json["id"]
    if sent:
        carry_out(api)
    found = api.results(campaign)
    assert [(each.get("key"), each["reference"]) for each in found] == [("key 1", "ref 1"), (None, "ref 2")]
    one = api.client.get(f"/v1/messages/{found[0]['id']}").json
    assert (one["key"], one["reference"]) == ("key 1", "ref 1")
    first, second = read_csv(api, campaign)
    assert [(each["key"], each["reference"]) for each in (first, second)] == [("key 1", "ref 1"), ("", "ref 2")]
    assert [first[name] for name in ("Mobile", "Name", "file.Status", "Ort")] == [TO, "Zoë", "gold", "'=Köln"]
    assert [second[name] for name in ("Mobile", "Name", "file.Status", "Ort")] == ["0123", "Bob", "silver", ""]
    assert first["status"] == ("queued" if sent else "accepted")


def test_a_mapped_reference_needs_its_column() -> None:
    answer = CampaignApi().create(
        f"to\n{TO}\n".encode(), form=CSV, message="x", mapping=["to:to", "reference:customer"]
    )
    assert answer.status_code == 400
    assert answer.json["error"]["details"][0]["field"] == "mapping.reference"


def test_results_are_filtered_by_status() -> None:
    api = CampaignApi()
    records = [{"to": f"+1555867{index:04d}" if index % 3 else "0123"} for index in range(30)]
    campaign = api.create({"message": "x", "records": records}).json["id"]
    carry_out(api)
    path = f"/v1/campaigns/{campaign}/results"
    seen, token = [], None
    while True:
        page = api.client.get(
            path, query_string={"status": "error", "pageSize": 4, **({"pageToken": token} if token else {})}
        ).json
        assert page["summary"] in ({"error": len(page["results"])}, {})
        seen += [each["index"] for each in page["results"]]
        token = page["nextPageToken"]
        if token is None:
            break
    assert seen == list(range(0, 30, 3))
    assert api.client.get(path, query_string={"status": "delivered"}).json["results"] == []
    assert [each["index"] for each in read_csv(api, campaign, status="error")] == [
        str(each) for each in range(0, 30, 3)
    ]
    first = api.client.get(path, query_string={"status": "error", "pageSize": 1}).json["nextPageToken"]
    assert api.client.get(path, query_string={"pageToken": first}).status_code == 400, "a token of another filter"
    assert api.client.get(path, query_string={"status": "lost"}).status_code == 400


def test_a_page_of_one_status_ends_after_so_many_chunks() -> None:
    api = CampaignApi()
    count = 500 * results_module.CHUNKS_PER_PAGE
    campaign = api.create(ndjson([{"to": TO}] * count + [{"to": "0123"}]), form=NDJSON, message="x").json["id"]
    read, pages, token = [], 0, None
    while pages == 0 or token:
        query = {"status": "error", **({"pageToken": token} if token else {})}
        page = api.client.get(f"/v1/campaigns/{campaign}/results", query_string=query).json
        read += page["results"]
        pages, token = pages + 1, page["nextPageToken"]
    assert [each["index"] for each in read] == [count]
    assert pages > 1


@pytest.mark.parametrize(
    ("columns", "named", "why"),
    [
        (["Mobile", "Name"], ["Mobile", "Name"], "their own names"),
        (["to", "Status"], ["file.to", "file.Status"], "ours keep theirs, in any case"),
        (["to", "file.to"], ["file.to", "file.file.to"], "and none is there twice"),
    ],
)
def test_no_two_columns_have_one_name(columns: list[str], named: list[str], why: str) -> None:
    assert name_columns(columns) == named, why
    everything = [name.lower() for name in (*COLUMNS, *named)]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize(
    ("records", "names", "rows", "why"),
    [
        ([{"a": "1", "b": 2.0, "c": True}], ["a", "b", "c"], [("1", "2", "true")], "text, numbers, booleans"),
        ([{"a": None, "b": [1], "c": {"d": 1}}], ["a", "b", "c"], [("", "", "")], "no lists and no objects"),
        ([{"a": "1"}, {"b": "2"}], ["a", "b"], [("1",), ("", "2")], "records may differ"),
        ([{"a": "1", "b": "2"}, {"a": "3"}], ["a", "b"], [("1", "2"), ("3",)], "a row may be short"),
        ([{"": "x", "a": "1"}], ["a"], [("1",)], "a column without a name"),
        ([{"a": "x" * (MAX_ROW + 1)}], ["a"], [()], "a row that would fill documents"),
        (
            [{f"n{index}": "x" for index in range(MAX_COLUMNS + 1)}],
            [f"n{index}" for index in range(MAX_COLUMNS)],
            [("x",) * MAX_COLUMNS],
            "names must not grow with the records",
        ),
    ],
)
def test_columns(records: list[dict[str, Any]], names: list[str], rows: list[tuple[str, ...]], why: str) -> None:
    columns = Columns()
    assert [columns.cells(each) for each in records] == rows, why
    assert columns.names == names, why


def test_status_of_every_kind_of_result_can_be_filtered() -> None:
    api = CampaignApi()
    campaign = api.create({"message": "x", "records": [{"to": TO}, {"to": "0123"}]}).json["id"]
    for status, indexes in ((MessageStatus.ACCEPTED, [0]), (MessageStatus.ERROR, [1]), (MessageStatus.SENT, [])):
        page = api.client.get(f"/v1/campaigns/{campaign}/results", query_string={"status": str(status)}).json
        assert [each["index"] for each in page["results"]] == indexes
