"""SQL over entity types: what one SELECT may do, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sms_connector.entities.engine import run_sql
from sms_connector.errors import InvalidRequest
from tests.entities.entity_world import World, make_letters, make_reader

ROWS = make_letters(400)


def run(query: str, *parameters: Any, most: int = 1000, world: World | None = None, seconds: float = 30.0) -> Any:
    world = world or World(ROWS)
    return run_sql(world.types, make_reader(world, seconds=seconds, statement=True), query, parameters, most=most)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT count(*) FROM Letters", [{"count(*)": 400}]),
        ("select To from letters where Sid='L003'", [{"To": "+15553"}]),
        ("SELECT Status AS s, count(*) AS n FROM Letters GROUP BY Status HAVING n > 133", [{"s": "open", "n": 134}]),
        ("SELECT DISTINCT Beta FROM Letters WHERE Beta ORDER BY 1", [{"Beta": 1}]),
        ("SELECT Tags FROM Letters WHERE Sid='L001'", [{"Tags": '["1"]'}]),
        (
            "SELECT l.Sid, p.Sid AS page FROM Letters l JOIN Pages p ON p.LetterSid = l.Sid WHERE l.Sid = 'L001' LIMIT 1",
            [{"Sid": "L001", "page": "PG0"}],
        ),
        (
            "WITH x AS (SELECT * FROM Letters WHERE To='+15551') SELECT count(*) AS n FROM x WHERE Body IN "
            "(SELECT Body FROM Letters WHERE Status='sent' OR Status='open')",
            [{"n": 57}],
        ),
        ("SELECT 1 AS a UNION SELECT 2", [{"a": 1}, {"a": 2}]),
        ("SELECT Sid FROM Letters WHERE Sid = 'nothing';", []),
    ],
)
def test_a_select_is_run(query: str, rows: list[dict[str, Any]]) -> None:
    assert run(query) == rows


def test_parameters_are_bound() -> None:
    assert run("SELECT Sid FROM Letters WHERE Sid = ? AND ErrorCode IS ?", "L000", 30000) == [{"Sid": "L000"}]


def test_no_more_rows_than_asked_for() -> None:
    world = World(ROWS)
    assert len(run("SELECT Sid FROM Letters", most=3, world=world)) == 3
    assert len(world.calls) == 1


def test_a_list_is_read_once_for_a_statement() -> None:
    world = World(ROWS[:60], page_size=20)
    run("SELECT count(*) FROM Letters a, Letters b WHERE a.Body = b.Body AND a.Price > b.Price", world=world)
    assert len(world.calls) == 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM Letters", "is no SELECT"),
        ("PRAGMA table_list", "is no SELECT"),
        ("EXPLAIN SELECT 1", "is no SELECT"),
        ("VALUES (1)", "is no SELECT"),
        ("ATTACH 'x' AS y", "is no SELECT"),
        ("SELECT 1; SELECT 2", "position 9: only one statement"),
        ("SELECT 1 -- comment", "position 10: comments"),
        ("SELECT '--', ';' /* */", "position 18: comments"),
        ("SELECT * FROM sqlite_master", "sqlite_master"),
        ("SELECT * FROM pragma_table_list", "prohibited"),
        ("SELECT * FROM json_each('[1]')", "prohibited"),
        ("SELECT randomblob(5)", "not authorized to use function: randomblob"),
        ("SELECT load_extension('x')", "not authorized"),
        ("SELECT writefile('a', 'b')", "no such function"),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n", "not authorized"),
        ("WITH x AS (SELECT 1) DELETE FROM Letters", "may not be modified|not authorized|prohibited"),
        ("SELECT 1 AS a, 2 AS a", "has the column 'a' twice"),
        ("SELECT * FROM Letters WHERE Sid = ?", "bindings"),
        ("SELECT * FROM Elsewhere", "no such table: Elsewhere"),
        ("SELECT * FROM Pages", "has to give LetterSid by ="),
        ("SELECT Secret FROM Letters", "no such column"),
        ("SELECT " + " UNION SELECT ".join("123456"), "too many terms"),
    ],
)
def test_all_else_is_refused(query: str, message: str) -> None:
    world = World(ROWS)
    with pytest.raises(InvalidRequest, match=message) as refused:
        run(query, world=world)
    assert refused.value.problems[0].field == "query.query"
    assert world.calls == []


def test_a_statement_that_takes_too_long_is_ended() -> None:
    with pytest.raises(InvalidRequest, match="takes too long"):
        run(
            "SELECT count(*) FROM Letters a, Letters b, Letters c, Letters d WHERE a.Price+b.Price=c.Price",
            seconds=0.05,
        )


def test_a_value_larger_than_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too big"):
        run("SELECT group_concat(a.Sid || b.Sid) AS x FROM Letters a, Letters b")
