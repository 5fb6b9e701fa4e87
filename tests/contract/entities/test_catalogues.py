"""Every catalogue agrees with itself, so that the engine may rely on it."""

from __future__ import annotations

import pytest

from sms_connector.entity import OPERATIONS, EntityType
from tests.contract.entities.conftest import SOURCES

TYPES = [(name, entity) for name, source in SOURCES.items() for entity in source.types.values()]
DATA_TYPES = {"VARCHAR", "INTEGER", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP", "STRUCT", "ARRAY"}

each_type = pytest.mark.parametrize(
    "entity", [entity for _, entity in TYPES], ids=[f"{name} {entity.name}" for name, entity in TYPES]
)


def test_more_than_one_provider_has_a_catalogue() -> None:
    assert len(SOURCES) > 1


@each_type
def test_columns_have_a_name_and_a_type_each(entity: EntityType) -> None:
    names = [column.name.lower() for column in entity.columns]
    assert len(set(names)) == len(names)
    assert {column.type for column in entity.columns} <= DATA_TYPES
    assert all(column.write_only or column.filter_only or column.path_only or column.field for column in entity.columns)


@each_type
def test_names_stand_for_columns(entity: EntityType) -> None:
    names, readable = set(entity.by_name), {column.name for column in entity.readable}
    assert set(entity.key) <= readable
    assert {column.name for column in entity.columns if column.key} <= set(entity.key)
    assert {parent.column for parent in entity.parents} <= names
    assert {name for group in entity.create_rules for name in group} <= names
    assert set(entity.send_fields) <= names


@each_type
def test_operations_have_what_they_need(entity: EntityType) -> None:
    operations = set(entity.operations)
    assert operations <= set(OPERATIONS)
    assert set(entity.risk) <= {"CREATE", "UPDATE", "DELETE"}
    assert entity.key or not operations & {"GET", "UPDATE", "DELETE"}
    assert any(column.create for column in entity.columns) == ("CREATE" in operations)
    assert any(column.update for column in entity.columns) == ("UPDATE" in operations)


@each_type
def test_what_narrows_is_of_a_list_and_given_once(entity: EntityType) -> None:
    filtered = [column for column in entity.columns if column.filters]
    assert not filtered or "LIST" in entity.operations
    for column in filtered:
        operators = [each.op for each in column.filters]
        assert len(set(operators)) == len(operators)
        assert set(operators) <= ({"=", "<=", ">="} if column.type in ("TIMESTAMP", "DATE") else {"="})


@pytest.mark.parametrize("name", SOURCES)
def test_actions_are_operations_of_types(name: str) -> None:
    source = SOURCES[name]
    assert source.message_type is None or source.types[source.message_type].send_fields
    for action in source.actions:
        entity = source.types[action.entity]
        assert action.operation in entity.operations
        assert {*action.inputs, *action.fixed} <= set(entity.by_name)
