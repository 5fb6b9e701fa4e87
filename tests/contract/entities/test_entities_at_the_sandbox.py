"""Every catalogue against its provider's simulator, through Google's client: lists, single ones, conditions, SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from sms_connector.entities.instants import read_instant
from sms_connector.entities.service import Entities, ListRequest
from sms_connector.entity import Column, EntitySource, EntityType, Narrowing, Row, RowPage
from tests.api.google_client import make_client, open_connector
from tests.contract.entities.conftest import PARENT, WITHOUT, Live
from tests.fixtures.processes import connector_environ, find_port

VALUES: Mapping[str, Any] = {"INTEGER": int, "DECIMAL": (int, float), "BOOLEAN": bool, "ARRAY": list, "STRUCT": dict}


class Spy(EntitySource):
    """A source that notes what its lists are narrowed by; it may keep that from the provider."""

    def __init__(self, source: EntitySource, *, narrows: bool) -> None:
        self.types, self._source, self._narrows = source.types, source, narrows
        self.narrowed: list[str] = []

    def list_rows(
        self,
        entity: EntityType,
        *,
        within: Mapping[str, str],
        narrowed: Sequence[Narrowing] = (),
        page: str | None = None,
    ) -> RowPage:
        self.narrowed += [each.column for each in narrowed]
        passed_on = narrowed if self._narrows else ()
        return self._source.list_rows(entity, within=within, narrowed=passed_on, page=page)

    def get(self, entity: EntityType, key: Mapping[str, str]) -> Row | None:
        return self._source.get(entity, key)


def listed_types(live: Live) -> list[EntityType]:
    return [entity for entity in live.source.types.values() if "LIST" in entity.operations]


def conditions_of(live: Live, entity: EntityType) -> tuple[str, bool]:
    """Return the conditions that a list has to give, and whether such a parent exists."""
    needed = [parent.column for parent in entity.parents if parent.required]
    given = " AND ".join(f"{name}='{live.case.parents[name]}'" for name in needed)
    return given, not live.case.absent.intersection(needed)


def is_of_type(value: Any, column: Column) -> bool:
    if value is None:
        return not column.key
    if column.type == "TIMESTAMP":
        return isinstance(value, str) and read_instant(value) is not None
    return isinstance(value, VALUES.get(column.type, str))


def test_every_type_is_shown(live: Live) -> None:
    found = live.connections.entityTypes().list(parent=PARENT, pageSize=200).execute()["types"]
    assert {each["name"] for each in found} == set(live.source.types)


def test_every_list_has_exactly_its_readable_columns(live: Live) -> None:
    for entity in listed_types(live):
        conditions, is_there = conditions_of(live, entity)
        if not is_there:
            with contextlib.suppress(HttpError):
                live.list(entity.name, conditions)
            assert live.wire.answers[-1].status_code in (200, 404), entity.name
            continue
        rows = [each["fields"] for each in live.list(entity.name, conditions).get("entities", [])]
        assert rows or entity.name not in live.case.filled
        names = {column.name for column in entity.readable}
        assert all(set(row) == names for row in rows), entity.name
        wrong = [(column.name, row[column.name]) for row in rows for column in entity.readable]
        wrong = [(name, value) for name, value in wrong if not is_of_type(value, entity.by_name[name])]
        assert wrong == [], entity.name


def test_a_row_of_a_list_is_found_by_its_id(live: Live) -> None:
    for entity in listed_types(live):
        if entity.name not in live.case.filled or "GET" not in entity.operations:
            continue
        listed = live.list(entity.name)["entities"][0]
        found = live.entities.get(name=listed["name"]).execute()
        only_one = {column.name for column in entity.columns if column.only == "GET"}
        assert found["name"] == listed["name"]
        for name, value in listed["fields"].items():
            assert name in only_one or found["fields"][name] == value, (entity.name, name)


def test_an_id_that_does_not_exist_is_404(live: Live) -> None:
    for entity in live.source.types.values():
        if "GET" in entity.operations:
            entity_id = "~".join("none" for _ in entity.key)
            with pytest.raises(HttpError) as error:
                live.entities.get(name=f"{PARENT}/entityTypes/{entity.name}/entities/{entity_id}").execute()
            assert error.value.status_code == 404, entity.name


def test_every_name_can_stand_in_sql(live: Live) -> None:
    for entity in listed_types(live):
        conditions, is_there = conditions_of(live, entity)
        if not is_there:
            continue
        names = ", ".join(column.name for column in entity.readable)
        where = f" WHERE {conditions}" if conditions else ""
        query = {"query": {"query": f"SELECT {names} FROM {entity.name}{where} LIMIT 1"}}
        rows = live.connections.executeSqlQuery(connection=PARENT, body=query).execute().get("results", [])
        assert rows or entity.name not in live.case.filled


def served_conditions(entity: EntityType, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return conditions on columns that the provider narrows, of the values that there are."""
    found = set()
    for place, column in enumerate(entity.readable):
        for value in {row[place] for row in rows if row[place] is not None} if column.filters else ():
            said = str(value).lower() if isinstance(value, bool) else f"'{value}'"
            operators = {"<=": ("<=", "<"), ">=": (">=", ">")}
            for each in column.filters:
                found |= {(column.name, f"{column.name} {op} {said}") for op in operators.get(each.op, ("=",))}
            if column.type == "TIMESTAMP" and column.serves("="):
                found.add((column.name, f"{column.name} = '{str(value)[:10]}'"))
    return sorted(found)


def test_what_the_provider_narrows_leaves_the_same_rows(live: Live) -> None:
    compared = set()
    for name in sorted(live.case.filled):
        entity = live.source.types[name]
        spies = [Spy(live.source, narrows=narrows) for narrows in (True, False)]
        narrowing, whole = (Entities(spy, writes=frozenset(), now=lambda: 0.0) for spy in spies)
        everything = whole.list_rows(name, ListRequest(page_size=200))[0].rows
        for column, text in served_conditions(entity, everything):
            wanted = ListRequest(conditions=text, page_size=200)
            spies[0].narrowed.clear()
            rows = narrowing.list_rows(name, wanted)[0].rows
            assert rows == whole.list_rows(name, wanted)[0].rows, text
            assert column in spies[0].narrowed, text
            compared.add((name, column))
    assert len(compared) > 5


@pytest.mark.parametrize("name", WITHOUT)
def test_without_a_catalogue_there_are_no_types(name: str, tmp_path: Path) -> None:
    environ = connector_environ(tmp_path, f"http://127.0.0.1:{find_port()}", name)
    connections, _ = make_client(open_connector(environ))
    assert connections.entityTypes().list(parent=PARENT).execute().get("types", []) == []
