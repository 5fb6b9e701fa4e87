"""`campaign` and `replay` against a script: what is asked, what is shown, the exit code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from cli.following import describe
from tests.cli.conftest import Ran, run_command
from tests.cli.scripted_http import Desk, Scripted, desk, problem

ID = "cmp_c0123456789abcdef0123"
CSV = "mobile;name\n+15558675310;Zoë\n"
LOST = requests.ConnectionError("Remote end closed connection without response")
FAST = ("--every", "0.1")


def campaign(state: str, *, waiting: int = 0, still_open: int = 0, **counts: int) -> Scripted:
    document = {
        "id": ID,
        "state": state,
        "reason": None,
        "sender": "+15551234567",
        "source": None,
        "total": waiting + sum(counts.values()),
        "refused": 0,
        "segments": 3,
        "encodings": {"GSM-7": 2, "UCS-2": 1},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:01.000Z",
        "doneAt": "2026-01-01T00:00:09.000Z" if state == "done" else None,
        "waiting": waiting,
        "counts": counts,
        "open": still_open,
        "rate": 24.9 if state == "running" else None,
        "estimatedEnd": "2026-01-01T00:01:00.000Z" if waiting else None,
    }
    return Scripted(200, document)


PLAN = Scripted(
    200,
    {
        "total": 3000,
        "refused": 102,
        "refusals": [
            {
                "index": 6,
                "line": 8,
                "to": "0171",
                "field": "records[6].mobile",
                "kind": "INVALID_RECIPIENT",
                "message": "'0171' is …",
            }
        ],
        "segments": 4000,
        "encodings": {"GSM-7": 2898},
        "forecast": {
            "rate": 25.0,
            "handOverSeconds": 115.92,
            "senderRate": 1.0,
            "longestWaitSeconds": 3884.0,
            "estimatedEnd": "2026-01-01T01:06:40.000Z",
        },
        "duplicates": 2,
        "warnings": [
            {"field": "records[8].mobile", "kind": "DUPLICATE", "message": "is the person of line 3 too", "line": 10}
        ],
        "wouldBeRefused": "the sender sends 1 segments a second",
        "dryRun": True,
    },
)
CALLBACK = {
    "id": "cb_1",
    "message": "msg_1",
    "campaign": None,
    "index": 0,
    "url": "https://example.com/sms",
    "state": "given_up",
    "attempts": 9,
    "createdAt": "2026-01-01T00:00:00.000Z",
    "nextAttemptAt": None,
    "deliveredAt": None,
    "lastError": "answered 500",
}


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    file = tmp_path / "customers.csv"
    file.write_text(CSV, encoding="utf-8")
    return file


def run(at: Desk, *words: str) -> Ran:
    return run_command(*words, connect=at.connect)


def query_of(request: requests.PreparedRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}


class TestCreate:
    def test_a_file_is_its_body_and_the_options_its_query(self, customers: Path) -> None:
        at = desk(campaign("done", delivered=1))
        ran = run(
            at,
            *("campaign", "create", str(customers), "--message", "Hi <name>", "--map", "to=mobile", "--key", "monday"),
            *("--interval", "2.5", "--on-unknown", "resend"),
        )
        assert ran.code == 0
        [request] = at.adapter.requests
        assert request.headers["Content-Type"] == "text/csv"
        assert request.headers["Content-Encoding"] == "gzip"
        assert request.headers["Idempotency-Key"] == "monday"
        assert gzip.decompress(at.adapter.contents[0]).decode() == CSV
        query = query_of(request)
        assert json.loads(query.pop("mapping")) == {"to": "mobile"}
        assert query == {"message": "Hi <name>", "retryIntervalMillis": "2500", "onUnknown": "resend"}

    def test_a_lost_connection_sends_the_whole_file_again(self, customers: Path) -> None:
        at = desk(LOST, campaign("done", delivered=1))
        assert run(at, "campaign", "create", str(customers), "--message", "Hi").code == 0
        assert at.adapter.contents[0] == at.adapter.contents[1] != b""

    def test_it_is_followed_to_its_end(self, customers: Path) -> None:
        at = desk(
            campaign("running", waiting=3),
            campaign("running", waiting=1, still_open=1, sent=1, delivered=1),
            campaign("done", delivered=2, undelivered=1),
        )
        ran = run(at, "campaign", "create", str(customers), "--message", "Hi", *FAST)
        assert ran.code == 1
        assert "2 delivered · 1 undelivered" in ran.out
        assert f"campaign results {ID}" in ran.err
        assert [request.method for request in at.adapter.requests] == ["POST", "GET", "GET"]

    def test_without_watching(self, customers: Path) -> None:
        at = desk(campaign("running", waiting=3))
        ran = run(at, "campaign", "create", str(customers), "--message", "Hi", "--no-watch")
        assert ran.code == 0
        assert "3 waiting" in ran.out
        assert len(at.adapter.requests) == 1

    def test_a_dry_run_shows_what_it_would_be(self, customers: Path) -> None:
        at = desk(PLAN)
        ran = run(at, "campaign", "create", str(customers), "--message", "Hi", "--dry-run")
        assert ran.code == 2, "it would be refused"
        for words in (
            "INVALID_RECIPIENT",
            "… and 101 more",
            "116 s",
            "1 segment a second",
            "64 min",
            "2,898 messages; nothing was sent",
        ):
            assert words in ran.out
        assert query_of(at.adapter.requests[0])["dryRun"] == "true"
        assert "Idempotency-Key" not in at.adapter.requests[0].headers

    def test_a_dry_run_of_several_senders_shows_their_parts(self, customers: Path) -> None:
        parts = [{"sender": "+15551234567", "messages": 2000}, {"sender": "ACME", "messages": 898}]
        at = desk(Scripted(200, PLAN.body | {"forecast": PLAN.body["forecast"] | {"senders": parts}}))
        ran = run(at, "campaign", "create", str(customers), "--message", "Hi", "--dry-run")
        assert "+15551234567 (2,000), ACME (898)" in ran.out

    def test_a_campaign_of_several_senders_shows_how_many_messages_each_has(self) -> None:
        several = {"sender": None, "senders": {"+15551234567": 1500, "ACME": 2}}
        shown = Scripted(200, campaign("done", delivered=1502).body | several)
        assert "+15551234567 (1,500), ACME (2)" in run(desk(shown), "campaign", "show", ID).out
        assert (
            "+15551234567 (1,500), ACME (2)"
            in run(desk(Scripted(200, {"campaigns": [shown.body], "nextPageToken": None})), "campaign", "list").out
        )

    def test_a_bucket_is_named_in_a_document(self) -> None:
        at = desk(campaign("done", delivered=1))
        assert run(at, "campaign", "create", "gs://b/a.csv", "--message", "Hi", "--attempts", "3").code == 0
        assert at.adapter.bodies == [{"source": "gs://b/a.csv", "message": "Hi", "tracking": {"retryAttempts": 3}}]

    def test_a_whole_request_is_sent_as_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "request.json"
        file.write_text('{"message": "Hi", "records": [{"to": "+15558675310"}]}')
        at = desk(campaign("done", delivered=1))
        assert run(at, "campaign", "create", str(file)).code == 0
        assert gzip.decompress(at.adapter.contents[0]).decode() == file.read_text()
        assert query_of(at.adapter.requests[0]) == {}


class Misuse(NamedTuple):
    why: str
    words: tuple[str, ...]
    told: str


MISUSES = [
    Misuse("rows need a text", ("customers.csv",), "--message is missing"),
    Misuse(
        "a document says everything itself", ("request.json", "--message", "Hi"), "message stands in it, or nowhere"
    ),
    Misuse("neither rows nor a document", ("customers.xlsx", "--message", "Hi"), "has to end in .csv"),
    Misuse("not there", ("nobody.csv", "--message", "Hi"), "nobody.csv can't be read: No such file"),
    Misuse("half a pair", ("customers.csv", "--message", "Hi", "--map", "to"), "has to be NAME=FIELD"),
]


@pytest.mark.parametrize("misuse", MISUSES, ids=[misuse.why for misuse in MISUSES])
def test_a_wrong_use_asks_nothing(tmp_path: Path, misuse: Misuse) -> None:
    (tmp_path / "customers.csv").write_text(CSV)
    (tmp_path / "request.json").write_text("{}")
    at = desk(campaign("done"))
    ran = run(at, "campaign", "create", str(tmp_path / misuse.words[0]), *misuse.words[1:])
    assert ran.code == 2
    assert misuse.told in ran.err
    assert at.adapter.requests == []


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_verbs(verb: str) -> None:
    at = desk(campaign("paused", waiting=2))
    ran = run(at, "campaign", verb, ID, "--reason", "an audit")
    assert ran.code == 0
    assert ID in ran.out
    assert str(at.adapter.requests[0].url).endswith(f"/v1/campaigns/{ID}:{verb}")
    assert at.adapter.bodies == [{"reason": "an audit"}]


def test_list() -> None:
    entry = {**campaign("paused", waiting=2).body, "reason": "an audit"}
    at = desk(Scripted(200, {"campaigns": [entry], "nextPageToken": None}))
    ran = run(at, "campaign", "list", "--state", "paused")
    assert ID in ran.out
    assert "an audit" in ran.out
    assert query_of(at.adapter.requests[0])["state"] == "paused"


def test_watching_a_paused_one_waits_for_its_end() -> None:
    at = desk(campaign("paused", waiting=2), campaign("canceled", canceled=2))
    ran = run(at, "campaign", "watch", ID, *FAST)
    assert ran.code == 1
    assert "canceled" in ran.out


class TestShow:
    def test_what_it_is(self) -> None:
        shown = campaign("done", delivered=2)
        names = {"name": "Spring", "reference": "crm-7", "message": "Hi <name>", "mapping": {"to": "mobile"}}
        at = desk(Scripted(200, {**shown.body, **names}))
        ran = run(at, "campaign", "show", ID)
        assert ran.code == 0
        for words in ("Spring", "crm-7", "Hi <name>", "to=mobile", "2 delivered"):
            assert words in ran.out


class TestRetry:
    def test_a_new_campaign_is_followed(self) -> None:
        at = desk(campaign("running", waiting=1), campaign("done", delivered=1))
        ran = run(at, "campaign", "retry", ID, *FAST)
        assert (ran.code, at.adapter.requests[0].method) == (0, "POST")
        assert str(at.adapter.requests[0].url).endswith(f"/v1/campaigns/{ID}:retry")


class TestResults:
    def test_a_page(self) -> None:
        row: dict[str, Any] = {"index": 0, "to": "+15558675310", "status": "delivered", "segments": 1, "id": "msg_1"}
        at = desk(Scripted(200, {"results": [{**row, "error": None}], "summary": {}, "nextPageToken": None}))
        assert "+15558675310" in run(at, "campaign", "results", ID).out

    def test_all_of_them_as_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "results.csv"
        at = desk(Scripted(200, "index,to\r\n0,+15558675310\r\n"))
        assert run(at, "campaign", "results", ID, "--csv", str(file)).code == 0
        assert at.adapter.requests[0].headers["Accept"] == "text/csv"
        assert file.read_bytes() == b"index,to\r\n0,+15558675310\r\n"
        assert list(tmp_path.iterdir()) == [file]

    def test_those_of_one_status(self, tmp_path: Path) -> None:
        page = Scripted(200, {"results": [], "summary": {}, "nextPageToken": None})
        at = desk(page, Scripted(200, "index,to\r\n"))
        assert run(at, "campaign", "results", ID, "--status", "failed").code == 0
        file = tmp_path / "results.csv"
        assert run(at, "campaign", "results", ID, "--status", "failed", "--csv", str(file)).code == 0
        assert [query_of(request)["status"] for request in at.adapter.requests] == ["failed", "failed"]

    def test_a_failure_leaves_what_was_there(self, tmp_path: Path) -> None:
        file = tmp_path / "results.csv"
        file.write_text("yesterday's")
        ran = run(desk(problem(404, "there is no campaign")), "campaign", "results", ID, "--csv", str(file))
        assert ran.code == 2
        assert "there is no campaign" in ran.err
        assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"results.csv": "yesterday's"}


class TestReplay:
    LIST = Scripted(200, {"callbacks": [CALLBACK, {**CALLBACK, "id": "cb_2"}], "nextPageToken": None})
    TOLD = Scripted(200, {**CALLBACK, "state": "pending"})

    def test_what_was_given_up_is_shown(self) -> None:
        at = desk(self.LIST)
        ran = run(at, "replay")
        assert (ran.code, "answered 500" in ran.out) == (0, True)
        assert query_of(at.adapter.requests[0])["state"] == "given_up"

    @pytest.mark.parametrize(
        ("words", "answers", "asked"),
        [
            (("cb_1",), (TOLD,), ["/v1/callbacks/cb_1:replay"]),
            (
                ("--all",),
                (LIST, TOLD, TOLD),
                ["/v1/callbacks", "/v1/callbacks/cb_1:replay", "/v1/callbacks/cb_2:replay"],
            ),
        ],
    )
    def test_telling_again(self, words: tuple[str, ...], answers: tuple[Scripted, ...], asked: list[str]) -> None:
        at = desk(*answers)
        ran = run(at, "--json", "replay", *words)
        assert {each["state"] for each in ran.document["callbacks"]} == {"pending"}
        assert [urlsplit(str(request.url)).path for request in at.adapter.requests] == asked

    def test_one_or_all(self) -> None:
        assert run(desk(self.LIST), "replay", "cb_1", "--all").code == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (campaign("running", waiting=3), "24.9/s"),
        (campaign("running", waiting=7470, still_open=3, sent=3), "3 sent · 24.9/s · 5 min left"),
        (campaign("paused", waiting=10, delivered=2), "paused · 2 delivered"),
        (campaign("done", delivered=2, error=1), "done · 2 delivered · 1 error"),
    ],
)
def test_how_far_it_is(answer: Scripted, words: str) -> None:
    assert describe(answer.body) == words
