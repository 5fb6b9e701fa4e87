"""`sms entities` and `sms query` against a running connector, and what is never repeated."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from sandbox import AdminClient
from tests.cli.conftest import Run, run_command
from tests.cli.scripted_http import Scripted, desk

TO = "+15558675320"
MINE = ("--where", f"To='{TO}'")
QUEUE = ("entities", "create", "Queues")


@pytest.fixture
def sids(sms: Run, sandbox: AdminClient) -> list[str]:
    """Three messages to a number of this test alone, the newest first."""
    sandbox.reset()
    words = ("--json", "entities", "create", "Messages", f"To={TO}")
    sent = [sms(*words, f"Body=Hello, {n}").document["fields"]["Sid"] for n in range(3)]
    return sent[::-1]


def bodies(ran: Any) -> list[str]:
    return [each["Body"] for each in ran.document["entities"]]


def test_types_and_columns(sms: Run) -> None:
    assert "LIST, GET, CREATE, UPDATE, DELETE" in line_of(sms("entities", "types").out, "Addresses")
    described = sms("entities", "describe", "Messages").out
    assert "operations: LIST, GET, CREATE, UPDATE, DELETE" in described
    assert line_of(described, "Sid").split()[:4] == ["Sid", "VARCHAR", "key", "set"]
    assert line_of(described, "To").split()[:4] == ["To", "VARCHAR", "required", "="]
    assert line_of(described, "Body").split()[:4] == ["Body", "VARCHAR", "yes", "yes"]
    assert line_of(described, "DateSent").split()[2:5] == ["=", "<=", ">="]


def line_of(text: str, name: str) -> str:
    [line] = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return line


class TestList:
    def test_conditions_order_and_limit(self, sms: Run, sids: list[str]) -> None:
        words = ("--json", "entities", "list", "Messages")
        assert [each["Sid"] for each in sms(*words, *MINE).document["entities"]] == sids
        assert bodies(sms(*words, *MINE, "--sort", "Body")) == ["Hello, 0", "Hello, 1", "Hello, 2"]
        assert bodies(sms(*words, *MINE, "--sort", "Body", "--descending", "--limit", "1")) == ["Hello, 2"]
        assert bodies(sms(*words, "--where", f"To='{TO}' AND Body LIKE '%1'")) == ["Hello, 1"]

    def test_a_table_has_the_columns_that_are_named(self, sms: Run, sids: list[str]) -> None:
        ran = sms("entities", "list", "Messages", *MINE, "--columns", "Body,Sid", "--limit", "1")
        assert ran.out.split()[:2] == ["Body", "Sid"]
        assert line_of(ran.out, "Hello,").split() == ["Hello,", "2", sids[0]]
        unnamed = sms("entities", "list", "Messages", *MINE)
        assert "--columns chooses" in unnamed.err
        assert (unnamed.out.split()[0], [line.split()[0] for line in unnamed.out.splitlines()[-3:]]) == ("id", sids)

    def test_a_file_has_all_rows(self, sms: Run, sandbox: AdminClient, tmp_path: Path) -> None:
        """More than a page of the connector (200 rows) and than a table has."""
        sandbox.reset()
        for n in range(230):
            sandbox.post("twilio/resources", {"type": "Queues", "fields": {"friendly_name": f"q,{n}"}})
        file = tmp_path / "queues.csv"
        ran = sms("entities", "list", "Queues", "--csv", str(file), "--columns", "Name,CurrentSize")
        assert (ran.code, ran.out) == (0, f"230 rows written to {file}\n"), ran.err
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head, *rows = csv.reader(stream)
        assert head == ["Name", "CurrentSize"]
        assert {row[0] for row in rows} == {f"q,{n}" for n in range(230)}
        limited = sms("--json", "entities", "list", "Queues", "--csv", str(file), "--limit", "205")
        assert limited.document == {"rows": 205, "file": str(file)}
        assert len(sms("--json", "entities", "list", "Queues").document["entities"]) == 25

    def test_nothing_found(self, sms: Run) -> None:
        assert sms("entities", "list", "Messages", "--where", "To='+15550000000'").out == "no rows\n"


class TestWrites:
    def test_from_create_to_delete(self, sms: Run, sandbox: AdminClient) -> None:
        sandbox.reset()
        made = sms("--json", *QUEUE, "Name=Support", "MaxSize=20").document["fields"]["Sid"]
        shown = sms("entities", "get", "Queues", made)
        assert line_of(shown.out, "Name").split() == ["Name", "Support"]
        assert sms("entities", "update", "Queues", made, "MaxSize=30").code == 0
        assert sms("--json", "entities", "get", "Queues", made).document["fields"]["MaxSize"] == 30
        assert sms("entities", "delete", "Queues", made).out == f"{made} is deleted\n"
        gone = sms("entities", "get", "Queues", made)
        assert (gone.code, gone.out) == (2, "")

    def test_by_condition(self, sms: Run, sandbox: AdminClient, tmp_path: Path) -> None:
        sandbox.reset()
        file = tmp_path / "queue.json"
        for name in ("a", "b", "c"):
            file.write_text(json.dumps({"Name": name, "MaxSize": 5}))
            assert sms(*QUEUE, "--file", str(file)).code == 0
        updated = sms("entities", "update", "Queues", "MaxSize=9", "--where", "Name IN ('a', 'b')")
        assert updated.out.split() == ["updated", "2"]
        assert sms("entities", "delete", "Queues", "--where", "MaxSize=9").out == "all that matched are deleted\n"
        assert [each["Name"] for each in sms("--json", "entities", "list", "Queues").document["entities"]] == ["c"]

    def test_an_empty_value_deletes_a_text(self, sms: Run, sids: list[str]) -> None:
        words = ("--json", "entities", "get", "Messages", sids[0])
        assert sms("entities", "update", "Messages", sids[0], "Body=").code == 0
        assert sms(*words).document["fields"]["Body"] == ""


class TestQuery:
    def test_a_statement_with_parameters(self, sms: Run, sids: list[str]) -> None:
        statement = "SELECT Body FROM Messages WHERE To = ? AND length(Body) = CAST(? AS INTEGER) ORDER BY 1"
        ran = sms("--json", "query", statement, "-p", TO, "-p", "8")
        assert ran.document["results"] == [{"Body": f"Hello, {n}"} for n in range(3)]
        most = sms("--json", "query", statement, "-p", TO, "-p", "8", "--max-rows", "2", "--timeout", "9")
        assert len(most.document["results"]) == 2

    def test_a_table_and_a_file(self, sms: Run, sids: list[str], tmp_path: Path) -> None:
        statement, file = "SELECT count(*) AS n, NULL AS gap, Sender FROM Messages GROUP BY 3", tmp_path / "x.csv"
        ran = sms("query", statement)
        assert ran.code == 0, ran.err
        assert ran.out.split()[:3] == ["n", "gap", "Sender"]
        assert sms("query", statement, "--csv", str(file)).code == 0
        assert file.read_text(encoding="utf-8-sig").splitlines()[0] == "n,gap,Sender"
        assert file.read_text(encoding="utf-8-sig").splitlines()[1].startswith("3,,+")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "Messages", "--where", "Statos='failed'"), "error: --where: "),
        (("list", "Messages", "--sort", "Statos"), "error: --sort: 'Statos' is no column of Messages"),
        (("list", "Messages", "--descending"), "--descending needs --sort"),
        (("list", "Mesages"), "Messages"),
        (("list", "Media"), "MessageSid"),
        (("create", "Messages", "Body=Hi"), "error: To: is missing"),
        (("create", "Messages", "Bdy=Hi", f"To={TO}"), "error: Bdy: is no column of Messages; did you mean Body?"),
        (("create", "Messages", "Body"), "'Body' has to be NAME=VALUE"),
        (("create", "Messages"), "no value is given"),
        (("create", "Messages", "--file", "none.json"), "none.json can't be read"),
        (("create", "Messages", "Body=Hi", "--file", "none.json"), "none.json holds all values"),
        (("update", "Messages"), "or select entities with --where"),
        (("delete", "Messages"), "or select entities with --where"),
        (("delete", "Messages", "SM1", "--where", "x"), "or select entities with --where"),
        (("delete", "Messages", "--where", "1=1"), "error: --where: names no column"),
        (("delete", "IncomingPhoneNumbers", "PN" + "0" * 32), "SMS_ENTITY_WRITES"),
    ],
)
def test_what_is_refused_is_told_with_its_fix(sms: Run, words: tuple[str, ...], said: str) -> None:
    ran = sms("entities", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_wrong_statement_is_refused(sms: Run) -> None:
    ran = sms("query", "DELETE FROM Messages")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: SELECT: ")


def test_an_unknown_column_is_told_with_those_there_are(sms: Run, sids: list[str]) -> None:
    ran = sms("entities", "list", "Messages", *MINE, "--columns", "Body,Text")
    assert ran.code == 2
    assert "error: --columns: there is no Text; there are id, Body" in ran.err


def test_the_provider_s_refusal_has_its_explanation(sms: Run) -> None:
    ran = sms("entities", "create", "Messages", f"To={TO}", "Body=Hi", "Sender=+15005550001")
    assert ran.code == 2
    assert "the provider explains it: https://" in ran.err


CONNECTION = Scripted(200, {"name": "local"})
LOST = requests.ConnectionError("Remote end closed connection without response")
UNKNOWN = Scripted(
    409, {"error": {"message": "it is unknown whether it was taken", "details": [{"reason": "OUTCOME_UNKNOWN"}]}}
)


class Write(NamedTuple):
    words: tuple[str, ...]
    method: str


CREATE = Write(("create", "Messages", "Body=x"), "POST")
UPDATE = Write(("update", "Messages", "SM1", "Body="), "PATCH")
UPDATE_WHERE = Write(("update", "Messages", "Body=", "--where", "Sid='SM1'"), "POST")
DELETE = Write(("delete", "Messages", "SM1"), "DELETE")


@pytest.mark.parametrize(
    ("write", "answer"),
    [
        *((each, UNKNOWN) for each in (CREATE, UPDATE, UPDATE_WHERE, DELETE)),
        *((each, LOST) for each in (CREATE, UPDATE, UPDATE_WHERE, DELETE)),
    ],
)
def test_a_write_whose_outcome_is_unknown_is_not_repeated(write: Write, answer: Scripted | Exception) -> None:
    at = desk(CONNECTION, answer)
    ran = run_command("entities", *write.words, connect=at.connect)
    assert (ran.code, at.slept) == (3, [])
    assert [each.method for each in at.adapter.requests] == ["GET", write.method]
    assert "unknown whether" in ran.err or "broke before the answer came" in ran.err


def test_a_column_that_comes_twice_is_a_list() -> None:
    at = desk(CONNECTION, Scripted(200, {"fields": {}}))
    run_command("entities", "create", "Calls", "Event=a", "Event=b", "Event=c", "To=x=y", connect=at.connect)
    assert at.adapter.bodies[1] == {"fields": {"Event": ["a", "b", "c"], "To": "x=y"}}


def test_a_page_may_be_empty_and_not_the_last() -> None:
    pages = [{"entities": [], "nextPageToken": "t"}, {"entities": [{"fields": {"A": 1}}]}]
    at = desk(CONNECTION, *(Scripted(200, page) for page in pages))
    ran = run_command("--json", "entities", "list", "Things", connect=at.connect)
    assert ran.document == {"entities": [{"A": 1}]}
