"""What is said about records that are sent, or not, all the same: their lines, their warnings, and persons who come twice."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from sms_connector.model.seen_persons import SeenPersons
from tests.fixtures.campaign_api import CSV, NDJSON, CampaignApi, ndjson

ANN, ZOE = "+15558675310", "+15558675311"
# The same person, by another channel.
WHATSAPP = f"whatsapp:{ANN}"
# One person in Mexico, before and since the mobile prefix was dropped.
MX, MX_OLD = "+525562000000", "+5215562000000"
SEND, PREVIEW = "/v1/messages:send", "/v1/messages:preview"


@pytest.fixture
def campaigns() -> CampaignApi:
    return CampaignApi()


def records(*numbers: str) -> list[dict[str, str]]:
    return [{"to": number} for number in numbers]


def send_file(api: Any, raw: bytes, form: str = CSV, **query: Any) -> Any:
    return api.client.post(SEND, query_string=query, data=raw, headers={"Content-Type": form})


class TestFilesForASend:
    """CSV and NDJSON beside JSON, up to a request's thousand records."""

    def test_a_spreadsheet(self, api: Any) -> None:
        raw = f"Mobil;Vorname;key\r\n{ANN};Ann;a-1\r\n;;\r\n{ZOE};Zoë;\r\n".encode("utf-16")
        answer = send_file(api, raw, message="Hello <Vorname>", mapping="to:Mobil", wait="true", retryAttempts=3)
        assert answer.status_code == 200, answer.text
        [request] = api.double.requests
        assert [(draft.to, draft.text, draft.key, draft.line) for draft in request.drafts] == [
            (ANN, "Hello Ann", "a-1", 2),
            (ZOE, "Hello Zoë", None, 4),
        ]
        assert (request.options.tracking.wait, request.options.tracking.attempts) == (True, 3)
        assert [(result["index"], result["line"]) for result in answer.json["results"]] == [(0, 2), (1, 4)]

    def test_ndjson(self, api: Any) -> None:
        answer = send_file(api, b"\n" + ndjson(records(ANN, ZOE)), NDJSON, message="Hi")
        assert [result["line"] for result in answer.json["results"]] == [2, 3]

    @pytest.mark.parametrize(
        ("raw", "query", "status", "field", "line", "why"),
        [
            (f"to\n{ANN}\n\n0123\n", {"message": "Hi"}, 400, "records[1].to", 4, "a wrong record, with its line"),
            (f"to\n{ANN},x\n", {"message": "Hi"}, 400, "records[0]", 2, "a row with more values than names"),
            (f"to\n{ANN}\n", {}, 400, "message", None, "no message"),
            (f"to\n{ANN}\n", {"message": "Hi", "sender": "!!"}, 400, "sender", None, "a wrong option"),
            ("to\n" + f"{ANN}\n" * 1001, {"message": "Hi"}, 400, "records", None, "more than a request takes"),
            (f"mobile\n{ANN}\n", {"message": "Hi"}, 400, "mapping.to", None, "no such column"),
            ("to\n", {"message": "Hi"}, 400, "records", None, "no record at all"),
        ],
    )
    def test_what_is_refused(
        self, api: Any, raw: str, query: dict[str, str], status: int, field: str, line: int | None, why: str
    ) -> None:
        answer = send_file(api, raw.encode(), **query)
        [detail] = answer.json["error"]["details"]
        assert (answer.status_code, detail["field"], detail.get("line")) == (status, field, line), why
        assert line is None or f"(line {line})" in answer.json["error"]["message"]
        assert api.double.requests == []

    def test_a_wrong_record_is_reported_where_asked(self, api: Any) -> None:
        answer = send_file(api, f"to\n{ANN}\n0123\n".encode(), message="Hi", onInvalid="report")
        [sent, wrong] = answer.json["results"]
        assert (sent["line"], wrong["line"], wrong["error"]["field"]) == (2, 3, "records[1].to")

    def test_a_query_beside_a_document_is_refused(self, api: Any) -> None:
        answer = api.client.post(f"{SEND}?message=Hi", json={"to": ANN, "message": "Hi"})
        assert answer.json["error"]["details"][0]["field"] == "message"


def test_the_example_is_taken(campaigns: CampaignApi) -> None:
    """`sms campaign create examples/customers.json`, or the same with curl."""
    example = (Path(__file__).parents[2] / "examples" / "customers.json").read_bytes()
    answer = campaigns.create(example)
    assert answer.status_code == 202, answer.text
    assert (answer.json["total"], answer.json["refused"], answer.json["warnings"]) == (3, 0, [])


class TestFilesForAPreview:
    def test_the_first_hundred_records(self, api: Any) -> None:
        raw = ("to;n\n" + f"{ANN};x\n" * 150).encode()
        answer = api.client.post(PREVIEW, query_string={"message": "Hi <n>"}, data=raw, headers={"Content-Type": CSV})
        assert answer.status_code == 200, answer.text
        assert [result["line"] for result in answer.json["results"]] == list(range(2, 102))

    def test_what_is_wrong_stands_beside_it(self, api: Any) -> None:
        answer = api.client.post(
            PREVIEW, query_string={"message": "Hi"}, data=b"to\n0123\n", headers={"Content-Type": CSV}
        )
        [result] = answer.json["results"]
        assert (result["line"], result["errors"][0]["kind"]) == (2, "INVALID_RECIPIENT")


class TestLines:
    """A record is numbered by the line of the file: in results, refusals, warnings and the results as CSV."""

    FILE = f'to;n\n{ANN};"two\nlines"\n\n0123;x\n{ANN};y\n'.encode()

    def test_of_a_campaign(self, campaigns: CampaignApi) -> None:
        created = campaigns.create(self.FILE, form=CSV, message="Hi <n>").json
        assert [(each["index"], each["line"]) for each in campaigns.results(created["id"])] == [(0, 2), (1, 5), (2, 6)]
        assert [warning["line"] for warning in created["warnings"]] == [6]
        path = f"/v1/campaigns/{created['id']}/results"
        table = campaigns.client.get(path, headers={"Accept": "text/csv"}).text
        rows = csv.DictReader(io.StringIO(table, newline=""))
        assert [(row["index"], row["line"]) for row in rows] == [("0", "2"), ("1", "5"), ("2", "6")]

    def test_of_a_dry_run(self, campaigns: CampaignApi) -> None:
        plan = campaigns.create(self.FILE, form=CSV, message="Hi <n>", dryRun="true").json
        assert [(each["index"], each["line"]) for each in plan["refusals"]] == [(1, 5)]

    def test_json_has_none(self, campaigns: CampaignApi) -> None:
        created = campaigns.create({"message": "Hi", "records": records(ANN, "0123")}).json
        assert all("line" not in each for each in campaigns.results(created["id"]))


class TestDuplicates:
    @pytest.mark.parametrize(
        ("numbers", "duplicates", "why"),
        [
            ((ANN, ZOE), 0, "two persons"),
            ((ANN, ZOE, ANN), 1, "one twice"),
            ((ANN, ANN, ANN), 2, "one three times"),
            ((ANN, WHATSAPP), 1, "one person by two channels"),
            ((MX, MX_OLD), 1, "one person in two spellings"),
            ((ANN, "0123", "0123"), 0, "what cannot be sent counts for no person"),
        ],
    )
    def test_are_counted_and_warned_about(
        self, campaigns: CampaignApi, numbers: tuple[str, ...], duplicates: int, why: str
    ) -> None:
        document = {"message": "Hi", "records": records(*numbers)}
        plan = campaigns.create({**document, "dryRun": True}).json
        created = campaigns.create(document).json
        again = campaigns.client.get(f"/v1/campaigns/{created['id']}").json
        for answer in (plan, created, again):
            assert answer["duplicates"] == duplicates, why
            assert [warning["kind"] for warning in answer["warnings"]] == ["DUPLICATE"] * duplicates

    def test_a_send_says_who_came_before(self, api: Any) -> None:
        answer = api.send({"message": "Hi", "records": records(ANN, ZOE, WHATSAPP)}).json
        assert len(answer["results"]) == 3
        assert answer["duplicates"] == 1
        [warning] = answer["warnings"]
        assert (warning["field"], warning["kind"]) == ("records[2].to", "DUPLICATE")
        assert "records[0]" in warning["message"]

    def test_skip_leaves_out_the_second(self, api: Any) -> None:
        answer = api.send({"message": "Hi", "records": records(ANN, ANN, ZOE), "duplicates": "skip"})
        assert answer.status_code == 200
        assert [draft.to for draft in api.double.requests[0].drafts] == [ANN, ZOE]
        skipped = answer.json["results"][1]
        assert (skipped["id"], skipped["status"], skipped["error"]["kind"]) == (None, "error", "DUPLICATE")

    def test_refuse_refuses_the_request(self, api: Any) -> None:
        answer = api.send({"message": "Hi", "records": records(ANN, ANN), "duplicates": "refuse"})
        assert answer.status_code == 400
        assert answer.json["error"]["details"] == [{"field": "records[1].to", "kind": "DUPLICATE"}]
        assert api.double.requests == []

    def test_skip_in_a_campaign(self, campaigns: CampaignApi) -> None:
        created = campaigns.create(f"to\n{ANN}\n{ANN}\n".encode(), form=CSV, message="Hi", duplicates="skip").json
        assert (created["total"], created["refused"], created["duplicates"]) == (2, 1, 1)
        assert "line 2" in campaigns.results(created["id"])[1]["error"]["message"]

    def test_refuse_keeps_nothing_of_a_campaign(self, campaigns: CampaignApi) -> None:
        raw = f"to\n{ANN}\n{ANN}\n{ANN}\n".encode()
        plan = campaigns.create(raw, form=CSV, message="Hi", duplicates="refuse", dryRun="true")
        assert "records[1].to (line 3)" in plan.json["wouldBeRefused"]
        answer = campaigns.create(raw, form=CSV, message="Hi", duplicates="refuse")
        assert answer.status_code == 400
        assert [detail["line"] for detail in answer.json["error"]["details"]] == [3, 4]
        assert campaigns.kept() == 0

    def test_a_large_refusal_ends_early(self, campaigns: CampaignApi) -> None:
        raw = ("to\n" + f"{ANN}\n" * 20_000).encode()
        answer = campaigns.create(raw, form=CSV, message="Hi", duplicates="refuse")
        assert answer.status_code == 400
        assert len(answer.json["error"]["details"]) == 100
        assert campaigns.kept() == 0

    def test_persons_are_found_among_many(self) -> None:
        seen = SeenPersons()
        assert all(seen.find_first(f"+1555{number:07d}", number) is None for number in range(50_000))
        assert [seen.find_first(f"+1555{number:07d}", 0) for number in (0, 777, 49_999)] == [0, 777, 49_999]


class TestWarnings:
    ODD = "Hi {name}"

    @pytest.mark.parametrize("body", [{}, {"to": ANN}, {"records": records(ANN)}], ids=["text alone", "to", "records"])
    def test_preview(self, api: Any, body: dict[str, Any]) -> None:
        answer = api.client.post(PREVIEW, json={"message": self.ODD, **body}).json
        [warning] = answer["warnings"]
        assert (warning["field"], warning["kind"]) == ("message", "LOOKALIKE")
        assert "<name>" in warning["message"]

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_send(self, api: Any, dry_run: bool) -> None:
        answer = api.send({"message": self.ODD, "to": ANN, "dryRun": dry_run}).json
        assert [warning["kind"] for warning in answer["warnings"]] == ["LOOKALIKE"]

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_campaign(self, campaigns: CampaignApi, dry_run: bool) -> None:
        answer = campaigns.create({"message": self.ODD, "records": records(ANN), "dryRun": dry_run}).json
        assert [warning["kind"] for warning in answer["warnings"]] == ["LOOKALIKE"]

    def test_strict_refuses_the_text(self, api: Any, campaigns: CampaignApi) -> None:
        document = {"message": self.ODD, "records": records(ANN), "strict": True}
        for answer in (
            api.send(document),
            api.client.post(PREVIEW, json=document),
            campaigns.create(document),
            campaigns.create(f"to\n{ANN}\n".encode(), form=CSV, message=self.ODD, strict="true"),
        ):
            assert answer.status_code == 400
            assert answer.json["error"]["details"] == [{"field": "message", "kind": "LOOKALIKE"}]
        assert api.double.requests == []
        assert campaigns.kept() == 0

    def test_strict_refuses_duplicates_unless_told_what_to_do(self, api: Any) -> None:
        document = {"message": "Hi", "records": records(ANN, ANN), "strict": True}
        assert api.send(document).status_code == 400
        assert api.send({**document, "duplicates": "skip"}).status_code == 200

    def test_a_national_number_is_a_warning_and_no_more_where_strict(self, api: Any) -> None:
        document = {"message": "Hi", "records": records("0171 3920017"), "defaultCountry": "DE"}
        answer = api.send(document).json
        assert answer["results"][0]["to"] == "+491713920017"
        assert [(each["field"], each["kind"]) for each in answer["warnings"]] == [("records[0].to", "DEFAULT_COUNTRY")]
        strict = api.send({**document, "strict": True})
        assert strict.json["error"]["details"] == [{"field": "records[0].to", "kind": "DEFAULT_COUNTRY"}]

    def test_nothing_odd_is_an_empty_list(self, api: Any) -> None:
        answer = api.send({"message": "Hi <<name>>", "to": ANN}).json
        assert answer["warnings"] == []
        assert api.double.requests[0].drafts[0].text == "Hi <name>"
