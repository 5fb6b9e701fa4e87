"""The entity operations over a provider in memory: pages and their tokens, order, writes and their limits."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.entities.scan import KEPT_SECONDS
from sms_connector.entities.service import Entities, Listing, ListRequest
from sms_connector.entities.values import check_update
from sms_connector.entity import Change, Column, EntitySource, EntityType
from sms_connector.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    Throttled,
    UnsupportedOperation,
)
from tests.entities.entity_world import LETTERS, World, make_letters

ROWS = make_letters(450)


class Clock:
    now = 100.0


def make(rows: Any = ROWS, *, writes: str = "", **world: Any) -> tuple[Entities, World, Clock]:
    clock, source = Clock(), World(list(rows), **world)
    return Entities(source, writes=frozenset(writes.split()), now=lambda: clock.now), source, clock


def walk(entities: Entities, wanted: ListRequest, name: str = "Letters") -> tuple[list[str], list[int]]:
    """All rows by following the tokens, and the sizes of the pages."""
    ids: list[str] = []
    sizes = []
    token: str | None = ""
    while token is not None:
        found, _ = entities.list_rows(name, replace(wanted, page_token=token))
        ids += [row[0] for row in found.rows]
        sizes.append(len(found.rows))
        token = found.next_token
    return ids, sizes


def ids_of(listing: Listing) -> list[str]:
    return [row[0] for row in listing.rows]


class TestPages:
    def test_all_rows_come_once_and_each_page_of_the_provider_is_asked_for_once(self) -> None:
        entities, world, _ = make()
        ids, sizes = walk(entities, ListRequest(page_size=30))
        assert ids == [row[0] for row in ROWS]
        assert sizes == [30] * 15
        assert len(world.calls) == 5

    @pytest.mark.parametrize(
        "text",
        ["Status='sent'", "Status='sent' OR To='+15551'", "Body LIKE '%l%' AND (Beta OR Price < 3)", "Sid > 'L2'"],
    )
    def test_rows_of_a_condition_come_once_in_the_order_of_the_list(self, text: str) -> None:
        entities, *_ = make()
        [everything, _] = entities.list_rows("Letters", ListRequest(text, page_size=1000))
        ids, sizes = walk(entities, ListRequest(text, page_size=7))
        assert ids == ids_of(everything)
        assert set(sizes[:-1]) == {7}
        assert len(ids) > 20

    def test_keys_and_parents_go_on_where_they_were(self) -> None:
        entities, *_ = make()
        wanted = [f"L{number:03}" for number in range(20)]
        assert walk(entities, ListRequest(f"Sid IN ({str(wanted)[1:-1]})", page_size=3))[0] == wanted
        ids, _ = walk(entities, ListRequest("LetterSid IN ('L1', 'L2', 'L3')", page_size=2), "Pages")
        assert ids == ["PG0", "PG1", "PG2"] * 3

    def test_a_request_reads_no_more_than_twenty_pages_of_the_provider(self) -> None:
        entities, world, _ = make(page_size=10)
        first, calls = entities.list_rows("Letters", ListRequest("Sid || '' = 'L300'", page_size=5))
        assert (first.rows, calls) == ([], 20)
        assert first.next_token
        ids, _ = walk(entities, ListRequest("Sid || '' = 'L300'", page_size=5))
        assert ids == ["L300"]
        assert len(world.calls) > 20

    def test_a_first_page_is_read_anew_and_kept_pages_grow_old(self) -> None:
        entities, world, clock = make()
        [first, _] = entities.list_rows("Letters", ListRequest())
        entities.list_rows("Letters", ListRequest())
        assert len(world.calls) == 2
        entities.list_rows("Letters", ListRequest(page_token=first.next_token or ""))
        assert len(world.calls) == 2
        clock.now += KEPT_SECONDS
        entities.list_rows("Letters", ListRequest(page_token=first.next_token or ""))
        assert len(world.calls) == 3

    @pytest.mark.parametrize("token", ["x", "W10", "WyJhIiwxLCIiLDBd", "a" * 2000])
    def test_a_token_of_something_else_is_refused(self, token: str) -> None:
        entities, world, _ = make()
        with pytest.raises(InvalidRequest, match="pageToken"):
            entities.list_rows("Letters", ListRequest(page_token=token))
        assert world.calls == []

    def test_a_token_is_of_its_arguments(self) -> None:
        entities, *_ = make()
        [first, _] = entities.list_rows("Letters", ListRequest())
        for other in (ListRequest("Beta"), ListRequest(sort_by="Sid"), ListRequest(sort_by="Sid", descending=True)):
            with pytest.raises(InvalidRequest, match="of another list"):
                entities.list_rows("Letters", replace(other, page_token=first.next_token or ""))

    def test_a_bare_id_is_that_row(self) -> None:
        entities, *_ = make()
        [found, _] = entities.list_rows("Letters", ListRequest("L007"))
        assert ids_of(found) == ["L007"]
        with pytest.raises(NotFound):
            entities.list_rows("Letters", ListRequest("L999"))

    def test_a_child_needs_its_parent(self) -> None:
        entities, world, _ = make()
        for conditions in ("", "Sid = 'PG1'", "LetterSid LIKE 'L%'"):
            with pytest.raises(InvalidRequest, match="has to give LetterSid by ="):
                entities.list_rows("Pages", ListRequest(conditions))
        assert world.calls == []


class TestOrder:
    @pytest.mark.parametrize("column", ["Sid", "Price", "DateSent", "Beta", "Sender", "ErrorCode"])
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("conditions", ["", "Status='sent' OR Beta"])
    def test_rows_come_by_a_column_and_then_by_id(self, column: str, descending: bool, conditions: str) -> None:
        entities, *_ = make(ROWS[:120])
        wanted = ListRequest(conditions, page_size=11, sort_by=column, descending=descending)
        ids, _ = walk(entities, wanted)
        place = [each.name for each in entities.types["Letters"].readable].index(column)
        [unordered, _] = entities.list_rows("Letters", ListRequest(conditions, page_size=1000))
        by_id = sorted(unordered.rows, key=lambda row: row[0])
        expected = sorted(by_id, key=lambda row: (row[place] is not None, row[place] or 0), reverse=descending)
        if column in ("Sender", "DateSent", "Sid"):
            expected = sorted(by_id, key=lambda row: row[place] or "", reverse=descending)
        assert ids == [row[0] for row in expected]

    def test_more_than_ten_thousand_rows_are_not_sorted(self) -> None:
        entities, *_ = make(make_letters(10_001), page_size=1000)
        with pytest.raises(InvalidRequest, match="sortBy: reads too much"):
            entities.list_rows("Letters", ListRequest(sort_by="Price"))

    def test_an_unknown_column_is_refused(self) -> None:
        entities, *_ = make()
        with pytest.raises(InvalidRequest, match="is no column"):
            entities.list_rows("Letters", ListRequest(sort_by="_row"))


class TestWrites:
    def test_a_create_is_checked_and_made_once(self) -> None:
        entities, world, _ = make()
        assert entities.create("Letters", {"To": "+1", "Body": "x", "Sender": None}) == {"Sid": "L999"}
        assert world.calls == [("create", {"To": "+1", "Body": "x"})]

    @pytest.mark.parametrize(
        ("values", "problems"),
        [
            ({}, ["fields.To: is missing", "fields.Body: one of Body, Secret is missing"]),
            ({"To": "+1", "Body": "x", "Sid": "y"}, ["fields.Sid: can't be given"]),
            ({"To": "+1", "Bdy": "x"}, ["fields.Bdy: is no column of Letters; did you mean Body?"]),
            ({"To": ["+1"], "Body": "x"}, ["fields.To: must be one value"]),
        ],
    )
    def test_a_create_that_is_wrong_names_every_field(self, values: dict[str, Any], problems: list[str]) -> None:
        entities, world, _ = make()
        with pytest.raises(InvalidRequest) as refused:
            entities.create("Letters", values)
        told = [f"{each.field}: {each.message}" for each in refused.value.problems]
        assert [text for text, start in zip(told, problems, strict=True) if not text.startswith(start)] == []
        assert world.calls == []

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            ({"At": "tomorrow"}, "fields.At: must be a date and time, such as 2026-07-06T12:00:00Z"),
            ({"At": "2026-13-06"}, "fields.At: must be a date and time, such as 2026-07-06T12:00:00Z"),
            ({"At": None}, "fields.At: can't be cleared; give it a value"),
        ],
    )
    def test_an_update_that_is_wrong_says_what_is_possible(self, values: dict[str, Any], problem: str) -> None:
        columns = (
            Column("At", "TIMESTAMP", update=Change("at", required=True)),
            Column("Until", "TIMESTAMP", update=Change("until")),
        )
        entity = EntityType("Alarms", {}, columns)
        with pytest.raises(InvalidRequest) as refused:
            check_update(entity, values)
        assert [f"{each.field}: {each.message}" for each in refused.value.problems] == [problem]
        good = {"At": "2026-07-06T14:00:00+02:00", "Until": None}
        assert check_update(entity, good) == good

    def test_a_source_refuses_what_no_provider_took_over(self) -> None:
        source = EntitySource()
        for operation in (
            lambda: source.list_rows(LETTERS, within={}),
            lambda: source.get(LETTERS, {}),
            lambda: source.create(LETTERS, {}),
            lambda: source.update(LETTERS, {}, {}),
            lambda: source.delete(LETTERS, {}),
        ):
            with pytest.raises(UnsupportedOperation, match="Letters can't be"):
                operation()

    def test_one_row_by_condition_answers_its_update_several_their_number(self) -> None:
        entities, _world, _ = make()
        assert entities.update_where("Letters", "Sid='L001' AND Body LIKE 'h%'", {"Body": ""}) == ({"Sid": "L001"}, 2)
        assert entities.update_where("Letters", "L002", {"Body": ""}) == ({"Sid": "L002"}, 1)
        assert entities.update_where("Letters", "Sid IN ('L001', 'L002')", {"Body": ""}) == ({"updated": 2}, 4)
        assert entities.update_where("Letters", "Sid='L99'", {"Body": ""}) == ({"updated": 0}, 1)

    @pytest.mark.parametrize("conditions", ["1=1", "NOT FALSE", "'a' IS NOT NULL", " "])
    def test_a_condition_of_no_column_changes_nothing(self, conditions: str) -> None:
        entities, world, _ = make(writes="Letters.DELETE")
        with pytest.raises(InvalidRequest, match="conditions"):
            entities.delete_where("Letters", conditions)
        assert world.calls == []

    def test_more_than_a_hundred_rows_are_not_changed(self) -> None:
        entities, world, _ = make()
        with pytest.raises(InvalidRequest, match="nothing was changed"):
            entities.update_where("Letters", "Status='open'", {"Body": ""})
        assert {name for name, _ in world.calls} == {"list"}

    @pytest.mark.parametrize("failure", [Throttled("busy"), NotSent("no"), OutcomeUnknown("lost")])
    def test_a_failure_in_the_middle_says_how_many_are_done(self, failure: Exception) -> None:
        entities, *_ = make(fails_at=5, failure=failure)
        with pytest.raises(OutcomeUnknown, match="2 of 3 rows are updated"):
            entities.update_where("Letters", "Sid IN ('L001', 'L002', 'L003')", {"Body": ""})

    def test_a_failure_of_the_first_is_its_own(self) -> None:
        entities, *_ = make(fails_at=1, failure=NotSent("no"))
        with pytest.raises(NotSent):
            entities.update_where("Letters", "Sid = 'L001'", {"Body": ""})

    def test_what_is_risky_is_off_until_it_is_named(self) -> None:
        entities, world, _ = make()
        assert "DELETE" not in entities.types["Letters"].operations
        with pytest.raises(Forbidden, match=r"SMS_ENTITY_WRITES=Letters.DELETE"):
            entities.delete("Letters", "L001")
        with pytest.raises(Forbidden):
            entities.delete_where("Letters", "L001")
        assert world.calls == []
        entities, world, _ = make(writes="Letters.DELETE")
        entities.delete("Letters", "L001")
        assert world.calls == [("delete", {"Sid": "L001"})]

    def test_an_operation_that_a_type_does_not_have_is_named(self) -> None:
        entities, *_ = make()
        with pytest.raises(InvalidRequest, match="Pages can't CREATE; its operations are LIST, GET"):
            entities.create("Pages", {})

    @pytest.mark.parametrize("id_", ["a", "a~b~c", "~", "a~"])
    def test_an_id_of_another_form_is_no_row(self, id_: str) -> None:
        entities, world, _ = make()
        with pytest.raises(NotFound):
            entities.get("Pages", id_)
        assert world.calls == []

    def test_a_type_that_was_withdrawn_says_so(self) -> None:
        entities, *_ = make(fails_at=0, failure=ProviderRefused("x", kind=NotFound.kind, code=20404, status=404))
        letters = replace(entities.types["Letters"], withdrawn="stopped in 2023")
        entities.types["Letters"] = letters
        with pytest.raises(ProviderRefused, match="stopped in 2023"):
            entities.get("Letters", "L001")
