"""`sms entities` and `sms query` against a running connector: tables, JSON, CSV, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cli.commands.entities import SHOWN_COLUMNS
from sandbox import AdminClient
from tests.cli.conftest import Run, run_command
from tests.cli.scripted_http import Scripted, desk


@pytest.fixture
def queues(sandbox: AdminClient) -> list[str]:
    """Thirty queues of this name."""
    made = sandbox.post("twilio/resources", {"type": "Queues", "fields": {"friendly_name": "cli"}, "count": 30})
    return list(made["keys"])


def test_types_and_their_columns(sms: Run) -> None:
    types = {each["name"]: each["operations"] for each in sms("--json", "entities", "types").document["types"]}
    assert types["Messages"] == ["LIST", "GET", "CREATE", "UPDATE", "DELETE"]
    assert "LIST, GET, CREATE, UPDATE, DELETE" in sms("entities", "types").out
    ran = sms("entities", "describe", "Messages")
    assert "required on create" in ran.out
    assert "Sender" in ran.out


def test_a_list_goes_on_to_the_limit(sms: Run, queues: list[str]) -> None:
    ran = sms("--json", "entities", "list", "Queues", "--where", "Name='cli'", "--limit", "28", "--columns", "Sid,Name")
    rows = ran.document["rows"]
    assert len(rows) == 28
    assert all(set(row) == {"Sid", "Name"} and row["Sid"] in queues for row in rows)
    assert len(sms("--json", "entities", "list", "Queues").document["rows"]) == 25


def test_the_key_stands_first_in_a_table(sms: Run, queues: list[str]) -> None:
    titles, *_ = sms("entities", "list", "Queues").out.splitlines()
    assert titles.split()[0] == "Sid"
    assert len(titles.split()) <= SHOWN_COLUMNS
    assert sms("entities", "list", "Queues", "--where", "Name='nobody'").out == "no rows\n"


def test_sorted(sms: Run, queues: list[str]) -> None:
    words = (
        "--json",
        "entities",
        "list",
        "Queues",
        "--sort",
        "Sid",
        "--descending",
        "--columns",
        "Sid",
        "--limit",
        "500",
    )
    sids = [row["Sid"] for row in sms(*words).document["rows"]]
    assert sids == sorted(sids, reverse=True)
    assert set(queues) <= set(sids)


def test_rows_as_csv(sms: Run, queues: list[str], tmp_path: Path) -> None:
    file = tmp_path / "queues.csv"
    ran = sms("entities", "list", "Queues", "--where", "Name='cli'", "--csv", str(file))
    assert (ran.code, "rows" in ran.out) == (0, True)
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert {row["Sid"] for row in rows} >= set(queues)
    assert all(row["CurrentSize"].isdigit() for row in rows)


def test_one_from_its_creation_to_its_end(sms: Run, tmp_path: Path) -> None:
    made = sms("--json", "entities", "create", "Queues", "Name=one", "MaxSize=7").document["fields"]
    got = sms("--json", "entities", "get", "Queues", made["Sid"]).document["fields"]
    assert (got["Name"], got["MaxSize"]) == ("one", 7)
    file = tmp_path / "changes.json"
    file.write_text(json.dumps({"Name": "other"}))
    assert sms("entities", "update", "Queues", made["Sid"], "--file", str(file)).code == 0
    assert sms("entities", "update", "Queues", "MaxSize=9", "--where", "Name='other'").code == 0
    got = sms("entities", "get", "Queues", made["Sid"]).out
    assert "other" in got
    assert "9" in got
    assert sms("entities", "delete", "Queues", "--where", f"Sid='{made['Sid']}'").out == "deleted\n"
    assert sms("entities", "get", "Queues", made["Sid"]).code == 2
    again = sms("entities", "delete", "Queues", made["Sid"])
    assert again.code == 2


def test_a_column_named_twice_is_a_list(sms: Run) -> None:
    urls = [f"https://example.com/{number}.png" for number in range(2)]
    words = [f"MediaUrl={url}" for url in urls]
    made = sms("--json", "entities", "create", "Messages", "To=+15558675310", "Body=Hi", *words).document["fields"]
    assert sms(
        "--json", "query", "SELECT NumMedia FROM Messages WHERE Sid = ?", "--parameter", made["Sid"]
    ).document == {"rows": [{"NumMedia": 2}]}


def test_a_query_as_table_and_csv(sms: Run, queues: list[str], tmp_path: Path) -> None:
    statement = "SELECT Name, count(*) AS n FROM Queues WHERE Name = 'cli' GROUP BY 1"
    assert "cli" in sms("query", statement).out
    file = tmp_path / "counts.csv"
    assert sms("query", statement, "--csv", str(file)).code == 0
    assert file.read_text().startswith("Name,n\ncli,")


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("entities", "list", "Message"), "did you mean Messages?"),
    (("entities", "list", "Messages", "--where", "Stat='x'"), "conditions: at position 1: 'Stat' is no column"),
    (("entities", "list", "Messages", "--descending"), "--descending needs --sort"),
    (("entities", "list", "Queues", "--columns", "Sid,Nam"), "--columns: no column 'Nam'; there are"),
    (("entities", "get", "Messages", "SM0"), "no Messages 'SM0'"),
    (("entities", "create", "Queues", "Name"), "'Name' has to be NAME=VALUE"),
    (("entities", "create", "Queues", "Nam=x"), "fields.Nam: is no column of Queues; did you mean Name?"),
    (("entities", "update", "Queues", "Name=x"), "name one entity by its id, or several with --where"),
    (("entities", "delete", "Queues"), "name one entity by its id, or several with --where"),
    (
        ("entities", "delete", "Queues", "QU1", "--where", "Name='x'"),
        "name one entity by its id, or several with --where",
    ),
    (("entities", "delete", "Keys", "SK" + "0" * 32), "switched off"),
    (("query", "DELETE FROM Queues"), "begins with SELECT"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=lambda each: " ".join(each) if isinstance(each, tuple) else "")
def test_refusals_say_what_to_do(sms: Run, queues: list[str], words: tuple[str, ...], said: str) -> None:
    ran = sms(*words)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("create", "Queues", "Name=x"),
        ("update", "Queues", "QU1", "Name=x"),
        ("update", "Queues", "Name=x", "--where", "Sid='QU1'"),
        ("delete", "Queues", "QU1"),
        ("delete", "Queues", "--where", "Sid='QU1'"),
    ],
)
def test_a_change_whose_outcome_is_unknown_is_never_repeated(words: tuple[str, ...]) -> None:
    unknown: dict[str, Any] = {"error": {"code": 409, "status": "ABORTED", "message": "it may be done", "details": []}}
    script = desk(Scripted(200, {"name": "sms"}), Scripted(409, unknown))
    ran = run_command("entities", *words, connect=script.connect)
    assert (ran.code, "it may be done" in ran.err) == (2, True)
    assert len(script.adapter.requests) == 2


def test_without_entity_types() -> None:
    script = desk(Scripted(200, {"name": "sms"}), Scripted(200, {"types": []}))
    assert run_command("entities", "types", connect=script.connect).out == "no entity types\n"
