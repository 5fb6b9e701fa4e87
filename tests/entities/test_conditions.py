"""Conditions: the same rows as SQLite finds in a plain table, narrowed by the provider or not; what is refused, and
where."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sms_connector.entities.engine import find
from sms_connector.entities.instants import compare
from sms_connector.entities.lexer import read_condition
from sms_connector.entity import EntityType
from sms_connector.errors import InvalidRequest
from tests.entities.entity_world import EVENTS, LETTERS, PAGES, World, make_letters, make_reader

ROWS = make_letters(400)
TYPES = {"INTEGER": "INTEGER", "BOOLEAN": "INTEGER", "DECIMAL": "REAL", "TIMESTAMP": "TEXT COLLATE instant"}


def make_oracle() -> sqlite3.Connection:
    """SQLite of the standard library with the rows in a plain table."""
    oracle = sqlite3.connect(":memory:", check_same_thread=False)
    oracle.create_collation("instant", compare)
    columns = [f'"{column.name}" {TYPES.get(column.type, "TEXT")}' for column in LETTERS.readable]
    oracle.execute(f"CREATE TABLE Letters({', '.join(columns)})")
    plain = [[json.dumps(value) if isinstance(value, list) else value for value in row] for row in ROWS]
    oracle.executemany(f"INSERT INTO Letters VALUES({', '.join('?' * len(columns))})", plain)
    return oracle


ORACLE = make_oracle()


def found(text: str, *, entity: EntityType = LETTERS, world: World | None = None) -> list[str]:
    world = world or World(ROWS)
    return [row[0] for row, _ in find(entity, read_condition(text, entity), make_reader(world))]


texts = st.sampled_from(
    ["'+15551'", "'+15559'", "'sent'", "'open'", "'lost'", "'Hello'", "'it''s'", "''", "'%l%'", "'1_0%'"]
)
days = st.sampled_from(["'2026-07-04'", "'2026-07-20T12:00:00Z'", "'2026-07-02T00:30:00+05:00'", "'2026-07-10 05:10'"])
numbers = st.sampled_from(["30000", "30003", "'30003'", "-3.5", "0", "1e2", "NULL", "'x'"])
truths = st.sampled_from(["1", "0", "TRUE", "FALSE", "NULL"])
comparisons = st.sampled_from(["=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "IS NOT", "LIKE", "NOT LIKE"])
columns = st.sampled_from(
    ["To", "Sid", "Status", "Body", "[Sender]", '"Body"', "`status`", "upper(Status)", "To || Sid"]
)


@st.composite
def terms(draw: st.DrawFn) -> str:
    column, values = draw(
        st.sampled_from([("DateSent", days), ("ErrorCode", numbers), ("Price", numbers), ("Beta", truths), ("", texts)])
    )
    column = column or draw(columns)
    match draw(st.integers(0, 4)):
        case 0:
            return f"{column} {draw(st.sampled_from(['IS NULL', 'IS NOT NULL', 'ISNULL']))}"
        case 1:
            return f"{column} {draw(st.sampled_from(['', 'NOT ']))}IN ({', '.join(draw(st.lists(values, max_size=3)))})"
        case 2:
            return f"{column} BETWEEN {draw(values)} AND {draw(values)}"
        case 3:
            return f"CASE WHEN {column} > {draw(values)} THEN {draw(truths)} ELSE {column} = {draw(values)} END"
        case _:
            return f"{column} {draw(comparisons)} {draw(values)}"


expressions = st.recursive(
    terms(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR", "and"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"NOT {text}"),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(expressions)
@example("To = '+15551' AND DateSent BETWEEN '2026-07-04' AND '2026-07-20T12:00:00Z' OR Beta = 1")
@example("NOT Status = 'sent' AND (To = '+15551' OR To = '+15552') AND DateSent >= '2026-07-04'")
def test_the_rows_are_those_that_sqlite_finds_in_a_plain_table(text: str) -> None:
    condition = read_condition(text, LETTERS)
    expected = [row[0] for row in ORACLE.execute(f"SELECT Sid FROM Letters WHERE {condition.sql}")]
    for narrows in (True, False):
        assert sorted(found(text, world=World(ROWS, narrows=narrows))) == sorted(expected), (text, narrows)


@pytest.mark.parametrize(
    ("text", "narrowed"),
    [
        ("To='+15551'", [("To", "=")]),
        ("Status='sent' AND To='+15551' AND Body LIKE 'H%'", [("Status", "="), ("To", "=")]),
        ("DateSent < '2026-07-04' AND DateSent >= '2026-07-01'", [("DateSent", "<="), ("DateSent", ">=")]),
        ("DateSent = '2026-07-04'", [("DateSent", "=")]),
        ("DateSent LIKE '2026-07%'", []),
        ("DateSent = 'yesterday'", []),
        ("ErrorCode='30003' AND Beta='true'", [("Beta", "="), ("ErrorCode", "=")]),
        ("ErrorCode=1.5", []),
        ("Status='new at the provider'", []),
        ("Region='Berlin'", [("Region", "=")]),
        ("To='+15551' OR Status='sent'", []),
        ("(To='+15551' OR Body='Hello') AND Status='sent'", [("Status", "=")]),
        ("To > '+15551'", []),
        ("To = Sender", []),
    ],
)
def test_the_provider_narrows_what_it_can(text: str, narrowed: list[tuple[str, str]]) -> None:
    world = World(ROWS)
    found(text, world=world)
    assert sorted(world.lists()[0][2]) == narrowed


def test_a_filter_of_the_list_is_echoed_to_its_own_condition() -> None:
    assert len(found("Region = 'Berlin'")) == len(ROWS)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Sid='L003'", ["L003"]),
        ("Sid IN ('L003', 'L399', 'L400')", ["L003", "L399", "L400"]),
        ("Sid='L003' AND Status='nothing'", ["L003"]),
        ("Sid=NULL", []),
    ],
)
def test_keys_are_read_one_by_one(text: str, keys: list[str]) -> None:
    world = World(ROWS)
    found(text, world=world)
    assert [what["Sid"] for name, what in world.calls] == keys


def test_too_many_keys_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 100 ids"):
        found(f"Sid IN ({', '.join(repr(f'L{number}') for number in range(101))})")


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("DateSent = '2026-07-05'", "DateSent >= '2026-07-05' AND DateSent < '2026-07-06'"),
        ("DateSent <> '2026-07-05'", "DateSent < '2026-07-05' OR DateSent >= '2026-07-06'"),
        ("DateSent = '2026-07-27T01:01:00Z'", "DateSent = '2026-07-27T06:01:00+05:00'"),
        ("Beta = 'true'", "Beta"),
        ("Beta IN ('False', 'true') AND Body <> 'true'", "Beta IS NOT NULL"),
        ("Beta <> 'FALSE'", "Beta = 1"),
        ("DateSent < CURRENT_DATE() AND DateSent < NOW()", "DateSent < CURRENT_TIMESTAMP AND TODAY() > YESTERDAY()"),
    ],
)
def test_days_and_truth_values_mean_what_they_say(text: str, same_as: str) -> None:
    assert found(text) == found(same_as)
    assert found(text)


def test_rows_come_as_they_are_asked_for() -> None:
    world = World(ROWS)
    matches = find(LETTERS, read_condition("Status='sent'", LETTERS), make_reader(world))
    next(matches)
    matches.close()
    assert len(world.calls) == 1


def test_rows_are_found_within_each_parent() -> None:
    assert found("LetterSid IN ('L1', 'L2') AND Sid <> 'PG1'", entity=PAGES) == ["PG0", "PG2", "PG0", "PG2"]


def test_rows_without_a_key_are_found() -> None:
    assert found("Name = 'event 1'", entity=EVENTS) == ["event 1", "event 1"]


@pytest.mark.parametrize(
    ("text", "id_"), [("L003", "L003"), (" MM1~ME2 ", "MM1~ME2"), ("12", "12"), ("a--b", "a--b"), ("Staus", "Staus")]
)
def test_a_bare_id_is_one(text: str, id_: str) -> None:
    assert read_condition(text, LETTERS).bare_id == id_


HOSTILE = [
    ("", "is empty"),
    ("   ", "is empty"),
    ("From = 'a'", "position 1: From is called Sender here"),
    ("Staus = 'a'", "position 1: 'Staus' is no column: did you mean Status?"),
    ("Status = 'a", 'position 10: "\'" begins a text'),
    ("Status = 'it's'", "begins a text that does not end"),
    ('Status = "a"', "position 10: 'a' is no column"),
    ("Status = ‘a’", "position 10: '‘' is a typographic quote"),
    ("Status = 'a';", "position 13: ';' is not allowed"),
    ("Status = 'a'; DROP TABLE Letters", "';' is not allowed"),
    ("Status = 'a' -- ", "position 14: '--' begins a comment"),
    ("Status = 'a' /* ", "begins a comment"),
    ("1=1) OR (1=1", "position 4: ')' closes no bracket"),
    ("((Status = 'a')", "a bracket is not closed"),
    ("Status = ?", "'?' is not allowed"),
    ("Status = :a", "':' is not allowed"),
    ("Status = @a", "'@' is not allowed"),
    ("Status IN (SELECT Sid FROM Letters)", "SELECT is not allowed"),
    ("EXISTS (SELECT 1)", "EXISTS is not allowed"),
    ("Status GLOB 'a*'", "GLOB is not allowed"),
    ("Status REGEXP 'a'", "REGEXP is not allowed"),
    ("Status MATCH 'a'", "MATCH is not allowed"),
    ("zeroblob(1000000000) = Body", "position 1: zeroblob() is not allowed"),
    ("randomblob(9) = Body", "randomblob() is not allowed"),
    ("load_extension('x')", "load_extension() is not allowed"),
    ("count(Sid) > 1", "count() is not allowed"),
    ("sum(Price) OVER () > 1", "sum() is not allowed"),
    ("x'00' = Body", "'x' is no column"),
    ("_row = 1", "'_row' is no column"),
    ("rowid = 1", "'rowid' is no column"),
    ("Letters.Sid = '1'", "position 8: '.' is not allowed"),
    ("Secret = 'a'", "Secret can be written only"),
    ("Status = 'a' COLLATE NOCASE", "'COLLATE' is no column"),
    ("Status == ", "position 8: near"),
    ("Status = 'a' Sid = 'b'", "position 14: near"),
    ("abs(1, 2) = 1 AND Status='a'", "wrong number of arguments"),
    ("CAST(Price AS TEXT) = '1'", "CAST() is not allowed"),
    ("RAISE(ABORT, 'x')", "RAISE() is not allowed"),
    ("Status = 'a\0b' \0", "is not allowed"),
    ("Status LIKE '" + "%a" * 150 + "'", "LIKE"),
    ("Status = '" + "a" * 20_001, "at most 20000"),
    ("NOT " * 1200 + "Beta", "too large"),
    ("Status = 'a' UNION SELECT 1", "'UNION' is no column"),
    ("Status = 'a' ORDER BY Sid", "'ORDER' is no column"),
    ("Status = 'a' LIMIT 1", "'LIMIT' is no column"),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE)
def test_what_is_no_expression_of_columns_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        found(text)
    assert message in str(refused.value)
    assert refused.value.problems[0].field == "conditions"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("SidBody'\"()[]`=<>!-/*;,.%|01 \n\x00\\?:@#‘é")), max_size=30))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    world = World(ROWS[:5])
    try:
        condition = read_condition(text, LETTERS)
        if condition.bare_id is None:
            list(find(LETTERS, condition, make_reader(world)))
    except InvalidRequest:
        pass
    assert all(name in ("list", "get") for name, _ in world.calls)


def test_a_list_that_never_ends_is_refused() -> None:
    world = World(make_letters(1000), page_size=1)
    with pytest.raises(InvalidRequest, match="reads too much: 50 calls"):
        list(find(LETTERS, read_condition("Body='nothing'", LETTERS), make_reader(world, calls=50)))


def test_errors_of_the_provider_pass_through() -> None:
    failure: Any = RuntimeError("the provider's")
    world = World(ROWS, fails_at=1, failure=failure)
    with pytest.raises(RuntimeError, match="the provider's"):
        found("Body='nothing'", world=world)
